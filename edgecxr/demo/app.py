# SPDX-License-Identifier: Apache-2.0
"""The web page of ``edgecxr demo``: what it serves, to whom, and how much it takes.

Images live in memory while they are looked at; nothing is stored or logged.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgecxr.errors import EdgecxrError, UsageError

MAX_UPLOAD: Final = 2**27
"""Bytes: a 50-megapixel X-ray of 16 bits, not compressed, has 100 million."""
OURS: Final = "x-edgecxr"
"""Each POST carries this header: a page elsewhere cannot send it without being allowed to."""

_PAGE: Final = Path(__file__).parent / "page"
_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_SAFE: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Lab(Protocol):
    """What the page shows. Calls come from several threads; names are those of ``choices``.

    Every method raises EdgecxrError with a sentence for the person.
    """

    def choices(self) -> dict[str, Any]:
        """Bundles, devices and samples by name, and what is known of each bundle."""

    def sample(self, name: str) -> bytes:
        """A synthetic image, as a PNG file."""

    def host(self, bundle: str, data: bytes) -> dict[str, Any]:
        """What this computer finds in an image file, and the pixels that the model sees."""

    def device(self, bundle: str, device: str, pixels: bytes) -> dict[str, Any]:
        """What a device finds in the pixels that ``host`` gave."""

    def explain(self, bundle: str, pixels: bytes) -> dict[str, Any]:
        """Where in these pixels the top class shows."""


def make_app(lab: Lab, names: frozenset[str] = frozenset()) -> Starlette:
    """The page over a lab.

    Args:
        names: host names, beside ``localhost``, by which a browser may call it.
    """
    served = _Served(lab)
    return Starlette(
        routes=[
            Route("/", _file("page.html")),
            Route("/page.css", _file("page.css")),
            Route("/page.js", _file("page.js")),
            Route("/api/choices", served.choices),
            Route("/api/sample", served.sample),
            Route("/api/host", served.host, methods=["POST"]),
            Route("/api/device", served.device, methods=["POST"]),
            Route("/api/explain", served.explain, methods=["POST"]),
        ],
        middleware=[Middleware(_Guard, names=names | {"localhost"})],
        exception_handlers={EdgecxrError: _sentence},
    )


@dataclass(frozen=True)
class _Served:
    lab: Lab

    async def choices(self, _: Request) -> Response:
        return JSONResponse(self.lab.choices())

    async def sample(self, request: Request) -> Response:
        found = await run_in_threadpool(self.lab.sample, _asked(request, "name"))
        return Response(found, media_type="image/png")

    async def host(self, request: Request) -> Response:
        bundle, data = _asked(request, "bundle"), await _body(request)
        return JSONResponse(await run_in_threadpool(self.lab.host, bundle, data))

    async def device(self, request: Request) -> Response:
        bundle, device = _asked(request, "bundle"), _asked(request, "device")
        data = await _body(request)
        return JSONResponse(await run_in_threadpool(self.lab.device, bundle, device, data))

    async def explain(self, request: Request) -> Response:
        bundle, data = _asked(request, "bundle"), await _body(request)
        return JSONResponse(await run_in_threadpool(self.lab.explain, bundle, data))


def _asked(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise UsageError(f"expected the parameter {name}, found none; load the page again")
    return value


async def _body(request: Request) -> bytes:
    """The whole body, refused before it is all in memory if it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_UPLOAD:
            raise UsageError(
                f"expected a file of up to {MAX_UPLOAD // 2**20} MiB, found a larger one; "
                "give one X-ray"
            )
        parts.append(part)
    return b"".join(parts)


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    content = (_PAGE / name).read_bytes()
    kind = _TYPES[name.rpartition(".")[2]]

    async def serve(_: Request) -> Response:
        return Response(content, media_type=kind)

    return serve


async def _sentence(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


class _Guard:
    """Lets in what comes from this page only, and says to browsers what the page may do."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(key.encode(), value.encode()) for key, value in _SAFE.items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        app = self.app if self._is_ours(scope["method"], Headers(scope=scope)) else _REFUSED
        await app(scope, receive, send_safely)

    def _is_ours(self, method: str, headers: Headers) -> bool:
        """A name can be made to point here by whoever owns it (DNS rebinding); an address not."""
        host = headers.get("host", "")
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name not in self.names and not _is_address(name):
            return False
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return False
        return method in ("GET", "HEAD") or OURS in headers


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


_REFUSED: Final = JSONResponse(
    {"error": "only the page of this program may ask; open it by the address that it printed"},
    status_code=403,
)
