# SPDX-License-Identifier: Apache-2.0
"""``edgecxr demo``: a web page on this computer to try a bundle on."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Annotated

import typer

from edgecxr.cli import common, complete

LOOPBACK = "127.0.0.1"


def demo(
    model: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="BUNDLE",
            help="A bundle folder; several may be given.",
            show_default="models/cxr3",
        ),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="A board beside this computer: serial, a serial port, a URL, unix:PATH or "
            "emulator:BOARD; several may be given.",
            show_default=False,
            autocompletion=complete.device,
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="TCP port of the page; 0: any free one.")
    ] = 8765,
    host: Annotated[
        str, typer.Option(metavar="ADDR", help="Address to serve at; others reach only this one.")
    ] = LOOPBACK,
    timeout: common.TimeoutOption = 10.0,
) -> None:
    """Serve a web page to try a bundle on: drop an X-ray, see what each model says.

    PNG, JPEG, TIFF, BMP and DICOM files, or synthetic samples. Images stay in this computer's
    memory; nothing is stored or logged. Ctrl-C ends it.

    For research and teaching. Not a medical device.
    """
    from edgecxr.cli.demo_lab import BenchTop
    from edgecxr.cli.devices import resolve
    from edgecxr.optional import require

    for module in ("starlette", "uvicorn"):
        require(module, extra="demo")
    import uvicorn

    from edgecxr.demo.app import make_app

    listening = _listening(host, port)
    lab = BenchTop(model or [Path("models/cxr3")], resolve(device, None) if device else [], timeout)
    try:
        app = make_app(lab, frozenset({host}))
        if not _is_loopback(host):
            common.note(
                f"Warning: everybody who reaches {host} can use this page and your board, without "
                "a password and without encryption; leave --host away to keep it to yourself."
            )
        shown = f"[{host}]" if ":" in host else host
        common.say(f"http://{shown}:{listening.getsockname()[1]}/")
        common.note("For research and teaching, not a medical device. Ctrl-C ends it.")
        # No access log: file names and times of use are nobody's business.
        config = uvicorn.Config(app, access_log=False, log_level="error", limit_concurrency=64)
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        lab.close()
        listening.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int) -> socket.socket:
    from edgecxr.errors import UsageError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"expected a free address, found that {host} port {port} cannot be used "
            f"({error.strerror or error}); choose another with --port, or 0 for any"
        ) from error
