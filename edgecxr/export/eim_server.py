# SPDX-License-Identifier: Apache-2.0
"""The program in an ``.eim`` of the runtime "litert": the protocol of Edge Impulse's Linux SDKs.

It is packed into that file together with the modules that it imports (``eim.PACKED``), so it uses
the standard library, numpy and a LiteRT interpreter, and nothing else. ``firmware/ports/eim`` is
the same server in C; one set of tests drives both.
"""

from __future__ import annotations

import json
import os
import pkgutil
import re
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.interpreter import Interpreter, open_interpreter
from edgecxr.errors import EdgecxrError

MODEL, FACTS = "eim_model.tflite", "eim_facts.json"
"""Names of what is packed beside this module."""
THRESHOLD_ID = 1
BRIGHTEST = 0xFFFFFF
_LARGEST = 2**53
_CHUNK = 65536
_BLANK = b" \t\n\r\0"
_MARKS = re.compile(rb'["\\{}]')


class RequestError(Exception):
    """What is wrong with a request, as the client is told."""


def json_text(value: Any) -> str:
    """JSON without braces in strings: Edge Impulse's SDK counts them without looking further."""
    return "".join(
        part.replace("{", "\\u007b").replace("}", "\\u007d") if '"' in part else part
        for part in json.JSONEncoder(allow_nan=False).iterencode(value)
    )


def pixels_of(values: NDArray[np.float64], channels: int) -> NDArray[np.uint8]:
    """Pixels (N, channels) from values ``(red << 16) + (green << 8) + blue``, shape (N,).

    One channel is the luminance (ITU-R BT.601, in 16 bits): a gray pixel comes out as it was.

    Raises:
        RequestError: if a value is no such number.
    """
    if not np.all((values >= 0) & (values <= BRIGHTEST) & (values == np.floor(values))):
        raise RequestError(f"each value must be a whole number from 0 to {BRIGHTEST}")
    rgb = values.astype(np.int64)
    red, green, blue = rgb >> 16, rgb >> 8 & 255, rgb & 255
    if channels == 1:
        gray = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16
        red, green, blue = gray, gray, gray
    pixels: NDArray[np.uint8] = np.stack([red, green, blue], axis=-1).astype(np.uint8)
    return pixels[:, :channels]


@dataclass
class Framing:
    """Finds the objects in what a client sends: bare JSON, without end marks, in any pieces.

    Attributes:
        limit: bytes of one object that are kept; a longer one is given as None.
    """

    limit: int
    _kept: bytearray = field(default_factory=bytearray)
    _size: int = 0
    _braces: int = 0
    _in_string: bool = False
    _escaped: bool = False
    _lost: bool = False

    def push(self, data: bytes) -> list[bytes | None]:
        """Every request that is complete with these bytes; b"" stands for what is no object."""
        found: list[bytes | None] = []
        at = 0
        while at < len(data):
            if not self._braces:
                at = self._between(data, at, found)
            else:
                at = self._within(data, at, found)
        return found

    def _between(self, data: bytes, at: int, found: list[bytes | None]) -> int:
        brace = data.find(b"{", at)
        end = len(data) if brace < 0 else brace
        if data[at:end].strip(_BLANK) and not self._lost:
            self._lost = True
            found.append(b"")
        if brace >= 0:
            self._lost = False
            self._braces = 1
            self._keep(b"{")
            return brace + 1
        return end

    def _within(self, data: bytes, at: int, found: list[bytes | None]) -> int:
        start = at
        if self._escaped:
            self._escaped = False
            at += 1
        for mark in _MARKS.finditer(data, at):
            if mark.start() < at:
                continue  # escaped
            at = mark.end()
            sign = mark[0]
            if self._in_string:
                if sign == b"\\":
                    self._escaped = at == len(data)
                    at += 1
                self._in_string = sign != b'"'
            elif sign == b'"':
                self._in_string = True
            elif sign == b"{":
                self._braces += 1
            elif sign == b"}":
                self._braces -= 1
                if not self._braces:
                    self._keep(data[start:at])
                    found.append(bytes(self._kept) if self._size <= self.limit else None)
                    self._kept.clear()
                    self._size = 0
                    return at
        self._keep(data[start:])
        return len(data)

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self.limit:
            self._kept += data


class Server:
    """One model, and what its clients ask of it.

    Args:
        facts: as ``eim.facts_of`` gives them.
    """

    def __init__(self, facts: Mapping[str, Any], interpreter: Interpreter) -> None:
        self.facts, self.interpreter = facts, interpreter
        _, self.height, self.width, self.channels = interpreter.input.shape
        self.elements = self.height * self.width
        self.limit = 32 * self.elements + _CHUNK
        self.min_score = float(facts["min_score"])
        self.shared: shared_memory.SharedMemory | None = None
        self._verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "hello": self._hello,
            "classify": self._classify,
            "classify_shm": self._classify_shared,
            "set_threshold": self._set_threshold,
        }

    def answer(self, request: bytes | None) -> bytes:
        """The reply to one request with its NUL; never raises for what a client sent."""
        found: dict[str, Any] = {}
        reply: dict[str, Any] = {"id": None}
        try:
            found = _parsed(request, self.limit)
            reply["id"] = _id(found)
            asked = [verb for verb in self._verbs if verb in found]
            if not asked:
                raise RequestError("expected hello, classify, classify_shm or set_threshold")
            if len(asked) > 1:
                names = "hello, classify, classify_shm and set_threshold"
                raise RequestError(f"expected one of {names}, found two")
            reply = {**reply, "success": True, **self._verbs[asked[0]](found)}
        except RequestError as error:
            reply = {"id": reply["id"], "success": False, "error": str(error)}
        return json_text(reply).encode() + b"\0"

    def share(self) -> None:
        """Make the shared memory for pixels, float32 (elements,); without it, only classify."""
        try:
            self.shared = shared_memory.SharedMemory(create=True, size=4 * self.elements)
        except OSError:
            self.shared = None

    def close(self) -> None:
        if self.shared is not None:
            self.shared.close()
            self.shared.unlink()

    def hello(self) -> dict[str, Any]:
        """What the model is, as the answer to hello says it."""
        threshold = {"id": THRESHOLD_ID, "type": "classification", "min_score": self.min_score}
        parameters = {**self.facts["parameters"], "thresholds": [threshold]}
        found = {"model_parameters": parameters, **self.facts["rest"]}
        if self.shared is not None:
            name = self.shared.name if self.shared.name[0] == "/" else f"/{self.shared.name}"
            shared = {"name": name, "type": "float32", "elements": self.elements}
            found["features_shm"] = shared
        return found

    def _hello(self, _: dict[str, Any]) -> dict[str, Any]:
        return self.hello()

    def _classify(self, request: dict[str, Any]) -> dict[str, Any]:
        values = request["classify"]
        if not isinstance(values, list) or not all(type(v) in (int, float) for v in values):
            raise RequestError("classify must be an array of numbers")
        self._check_count(len(values))
        return self._result(np.array(values, np.float64), request)

    def _classify_shared(self, request: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(request["classify_shm"], dict):
            raise RequestError("classify_shm must be an object with elements")
        elements = request["classify_shm"].get("elements")
        if type(elements) is not int:
            raise RequestError("elements must be a whole number")
        self._check_count(elements)
        if self.shared is None:
            raise RequestError("this system has no shared memory; send the values with classify")
        view: Any = self.shared.buf
        values = np.frombuffer(view, np.float32, self.elements).astype(np.float64)
        return self._result(values, request)

    def _check_count(self, found: int) -> None:
        if found != self.elements:
            raise RequestError(f"expected {self.elements} values, found {found}")

    def _set_threshold(self, request: dict[str, Any]) -> dict[str, Any]:
        wish = request["set_threshold"]
        if not isinstance(wish, dict):
            raise RequestError("set_threshold must be an object with id and min_score")
        if wish.get("id") != THRESHOLD_ID:
            raise RequestError(f"this model has one threshold, with the id {THRESHOLD_ID}")
        least = wish.get("min_score")
        if type(least) is int:
            least = float(least)
        if type(least) is not float or not 0 <= least <= 1:
            raise RequestError("expected a min_score from 0 to 1")
        self.min_score = least
        return {"min_score": self.min_score}

    def _result(self, values: NDArray[np.float64], request: dict[str, Any]) -> dict[str, Any]:
        pixels = pixels_of(values, self.channels)
        image = pixels.reshape(1, self.height, self.width, self.channels)
        start = time.perf_counter()
        scores = self.interpreter.scores(image)[0]
        took = time.perf_counter() - start
        found = [float(each) if np.isfinite(each) else None for each in scores]
        reply = {
            "result": {
                "classification": dict(zip(self.facts["labels"], found, strict=True)),
                "uncertain": float(scores.max()) < self.min_score,
            },
            "timing": {
                "dsp": 0,
                "classification": round(took * 1e3),
                "anomaly": 0,
                "dsp_us": 0,
                "classification_us": round(took * 1e6),
            },
        }
        if request.get("debug") is True:
            reply["info"] = (
                f"model {self.facts['sha256'][:12]}, litert, {self.interpreter.precision}"
            )
        return reply

    def self_check(self) -> str:
        """What this is, and the scores of a gray image."""
        gray = np.full((1, self.height, self.width, self.channels), 128, np.uint8)
        scores = self.interpreter.scores(gray)[0]
        shown = " ".join(
            f"{json_text(label)} {score:.6f}"
            for label, score in zip(self.facts["labels"], scores, strict=True)
        )
        return "\n".join(
            (
                f"{self.facts['name']}: an .eim made by edgecxr {self.facts['edgecxr']}, for "
                "research and teaching; not a medical device",
                f"model     {self.interpreter.precision}, SHA-256 {self.facts['sha256']}",
                f"runtime   {self.interpreter.name} {self.interpreter.version}, "
                f"{self.interpreter.kernels} kernels",
                f"input     {self.width} x {self.height} pixels, "
                f"{'gray' if self.channels == 1 else 'RGB'}",
                f"labels    {json_text(self.facts['labels'])}",
                f"gray image {shown}",
                "it runs; give it the path of a new Unix socket, as Edge Impulse's SDKs do",
            )
        )


def _parsed(request: bytes | None, limit: int) -> dict[str, Any]:
    if request is None:
        raise RequestError(f"the request is longer than {limit} bytes")
    try:
        found = json.loads(request, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise RequestError("expected a JSON object") from None
    assert isinstance(found, dict)  # it begins with a brace
    return found


def _refuse(name: str) -> None:
    raise ValueError(name)


def _id(request: dict[str, Any]) -> int | None:
    found = request.get("id")
    if found is None and "id" not in request:
        return None
    if type(found) is not int or abs(found) > _LARGEST:
        raise RequestError("id must be a whole number")
    return found


def serve(server: Server, path: str) -> None:
    """Answer on a new Unix socket until SIGINT or SIGTERM; then the socket is removed.

    Raises:
        OSError: if the socket cannot be made.
    """
    wake, woken = socket.socketpair()
    for each in (wake, woken):
        each.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as ready:
        listener.bind(path)
        try:
            listener.listen(16)
            ready.register(listener, selectors.EVENT_READ)
            ready.register(woken, selectors.EVENT_READ)
            _loop(server, ready, listener, woken)
        finally:
            Path(path).unlink(missing_ok=True)


def _loop(
    server: Server,
    ready: selectors.BaseSelector,
    listener: socket.socket,
    woken: socket.socket,
) -> None:
    while True:
        for key, _ in ready.select():
            if key.fileobj is woken:
                return
            if key.fileobj is listener:
                client, _ = listener.accept()
                client.setblocking(False)
                ready.register(client, selectors.EVENT_READ, Framing(server.limit))
                continue
            assert isinstance(key.fileobj, socket.socket)
            if not _take(server, key.fileobj, key.data):
                ready.unregister(key.fileobj)
                key.fileobj.close()


def _take(server: Server, client: socket.socket, framing: Framing) -> bool:
    """Whether the client is still there. One that has left a full buffer unread is dropped."""
    try:
        data = client.recv(_CHUNK)
        for request in framing.push(data):
            reply = server.answer(request)
            if client.send(reply) != len(reply):
                return False
    except BlockingIOError:
        return False
    except ConnectionError:
        return False
    return bool(data)


def _packed(name: str) -> bytes:
    data = pkgutil.get_data("edgecxr.export", name)
    assert data is not None
    return data


def main() -> int:
    """The program: SOCKET, --self-check or --print-info."""
    arguments = sys.argv[1:]
    if len(arguments) != 1 or (
        arguments[0].startswith("-") and arguments[0] not in ("--self-check", "--print-info")
    ):
        print(f"usage: {sys.argv[0]} SOCKET | --self-check | --print-info", file=sys.stderr)
        return 2
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        interpreter = open_interpreter(_packed(MODEL), kernels="reference")
    except EdgecxrError as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return error.exit_code
    server = Server(json.loads(_packed(FACTS)), interpreter)
    if arguments[0] == "--self-check":
        print(server.self_check())
        return 0
    if arguments[0] == "--print-info":
        print(json_text(server.hello()))
        return 0
    server.share()
    try:
        serve(server, arguments[0])
    except OSError as error:
        print(f"{arguments[0]}: {error.strerror or error}", file=sys.stderr)
        return 1
    finally:
        server.close()
    return 0
