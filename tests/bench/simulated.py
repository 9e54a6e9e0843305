# SPDX-License-Identifier: Apache-2.0
"""A device that speaks the wire, and a line that damages what it carries, in virtual time."""

from __future__ import annotations

import heapq
import json
import random
import re
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

from edgecxr.bench.protocol import check
from edgecxr.errors import DeviceError

SIZE = 9216
INFO: dict[str, Any] = {
    "wire": 1,
    "edgecxr": "0.1.0",
    "board": "stm32f405",
    "model": "cxr3",
    "sha256": "ab" * 32,
    "precision": "int8",
    "labels": ["a", "b", "c"],
    "input": [96, 96, 1],
    "runtime": "compiled",
    "compiler": "gcc 12.2.1",
    "clock_hz": 168_000_000,
    "clock": "us",
    "flash_bytes": 240_000,
    "static_ram_bytes": 12_000,
    "arena_bytes": 4_000,
    "stack_bytes": None,
    "keeps_image": True,
    "db_raw": True,
}
INFERENCE_S = 0.05
LOAD_TIMEOUT_S = 2.0


def scores_of(image: bytes) -> list[int]:
    """Scores that differ from image to image."""
    return [byte - 128 for byte in zlib.crc32(image).to_bytes(4, "big")[:3]]


def ticks_of(image: bytes) -> int:
    return 50_000 + zlib.crc32(image) % 1000


class Endpoint(Protocol):
    """The device's end of a line. Both methods give ``(delay in s, bytes)`` or nothing."""

    def feed(self, data: bytes, now: float) -> list[tuple[float, bytes]]: ...

    def tick(self, now: float) -> list[tuple[float, bytes]]: ...


class SimulatedDevice:
    """The firmware's side of the wire, for the line's faults to act on."""

    def __init__(self, **changes: Any) -> None:
        self.info = {**INFO, **changes}
        self.image: bytes | None = None
        self.lap = 2**32 - 70_000  # wraps in the second inference
        self._command = b""
        self._raw: bytearray | None = None
        self._wanted_crc = 0
        self._last_byte = 0.0

    def feed(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        replies = self.tick(now)
        self._last_byte = now
        while data:
            if self._raw is not None:
                part, data = data[: SIZE - len(self._raw)], data[SIZE - len(self._raw) :]
                self._raw += part
                if len(self._raw) == SIZE:
                    replies.append((0.0, self._loaded()))
                continue
            part, ended, data = data.partition(b"%")
            self._command = (self._command + part)[:200]
            if ended:
                command, self._command = self._command.strip(b" \r\n"), b""
                replies.append(self._reply(command))
        return replies

    def tick(self, now: float) -> list[tuple[float, bytes]]:
        if self._raw is None or now - self._last_byte < LOAD_TIMEOUT_S:
            return []
        self._raw = None
        return [(0.0, b"e-[Load timed out]\r\nm-ready\r\n")]

    def _loaded(self) -> bytes:
        image, self._raw = bytes(self._raw or b""), None
        if zlib.crc32(image) != self._wanted_crc:
            return b"e-[CRC mismatch]\r\nm-ready\r\n"
        self.image = image
        return b"m-load-done\r\nm-ready\r\n"

    def _reply(self, command: bytes) -> tuple[float, bytes]:
        text = command.decode("latin-1")
        if not command:
            return 0.0, b"m-ready\r\n"
        if len(command) > 80:
            return 0.0, b"e-[Command too long]\r\nm-ready\r\n"
        if found := re.fullmatch(r"db raw (\d+) ([0-9A-F]{8})", text):
            if int(found[1]) != SIZE:
                return 0.0, b"e-[Wrong size]\r\nm-ready\r\n"
            self._raw, self._wanted_crc, self.image = bytearray(), int(found[2], 16), None
            return 0.0, f"m-[Expecting {SIZE} bytes]\r\n".encode()
        if text == "info":
            return 0.0, self._with_check(text, [f"m-info-[{json.dumps(self.info)}]"])
        if found := re.fullmatch(r"infer (\d{1,5}) (\d{1,5})", text):
            return INFERENCE_S, self._inferred(text, int(found[1]), int(found[2]))
        return 0.0, b"e-[Unknown command]\r\nm-ready\r\n"

    def _inferred(self, text: str, runs: int, warmup: int) -> bytes:
        if self.image is None:
            return self._with_check(text, ["e-[No image loaded]"])
        start, self.lap = self.lap, (self.lap + runs * ticks_of(self.image)) % 2**32
        scores = scores_of(self.image)
        lines = [
            f"m-warmup-start-{warmup}",
            "m-warmup-done",
            f"m-infer-start-{runs}",
            f"m-lap-us-{start}",
            f"m-lap-us-{self.lap}",
            "m-infer-done",
            f"m-results-[{','.join(f'{(s + 128) / 256:.6f}' for s in scores)}]",
            f"m-scores-[{','.join(map(str, scores))}]",
            f"m-image-[{zlib.crc32(self.image):08X}]",
        ]
        return self._with_check(text, lines)

    def _with_check(self, command: str, lines: list[str]) -> bytes:
        encoded = [line.encode() for line in lines]
        encoded.append(f"m-check-[{check(command, encoded):08X}]".encode())
        return b"".join(line + b"\r\n" for line in [*encoded, b"m-ready"])


@dataclass(frozen=True)
class Faults:
    """How often things happen, per byte; ``vanish_at``: the byte at which the cable is pulled."""

    drop: float = 0.0
    double: float = 0.0
    flip: float = 0.0
    delay: float = 0.0
    cut: float = 0.0
    vanish_at: int | None = None

    @property
    def kinds(self) -> dict[str, float]:
        names = ("drop", "double", "flip", "delay", "cut")
        return {name: rate for name in names if (rate := getattr(self, name)) > 0}


class FaultyLine:
    """A transport to an endpoint, with seeded faults both ways and a clock of its own."""

    BYTE_S = 10 / 115200

    def __init__(self, device: Endpoint, faults: Faults = Faults(), seed: int = 0) -> None:
        self.name = "virtual"
        self.device, self.faults = device, faults
        self.time = 0.0
        self.carried = 0
        self.damage = 0
        self._random = random.Random(seed)
        self._cut_until = {"down": -1.0, "up": -1.0}
        self._last = {"down": 0.0, "up": 0.0}
        self._events: list[tuple[float, int, str, bytes]] = []
        self._number = 0
        self._arrived = b""

    def now(self) -> float:
        return self.time

    def write(self, data: bytes, _timeout_s: float) -> None:
        self._carry(data, self.time, "down")
        self.time += len(data) * self.BYTE_S

    def read(self, timeout_s: float) -> bytes:
        end = self.time + timeout_s
        while not self._arrived:
            # The device's own time-out is looked at ten times a second.
            step = min(end, self.time + 0.1)
            if self._events and self._events[0][0] <= step:
                at, _, way, data = heapq.heappop(self._events)
                self.time = max(self.time, at)
                self._deliver(way, data, at)
                continue
            self._send_up(self.device.tick(step), step)
            if step >= end and not (self._events and self._events[0][0] <= end):
                self.time = max(self.time, end)
                break
            self.time = max(self.time, step)
        self._vanish_if_due()
        data, self._arrived = self._arrived, b""
        return data

    def _deliver(self, way: str, data: bytes, at: float) -> None:
        if way == "up":
            self._arrived += data
        else:
            self._send_up(self.device.feed(data, at), at)

    def _send_up(self, replies: list[tuple[float, bytes]], at: float) -> None:
        for delay, data in replies:
            self._carry(data, at + delay, "up")

    def _vanish_if_due(self) -> None:
        at = self.faults.vanish_at
        if at is not None and self.carried >= at:
            raise DeviceError(f"{self.name} has gone")

    def _carry(self, data: bytes, start: float, way: str) -> None:
        """Cut the data at its faults; bytes stay in order, and take the line's time."""
        self._vanish_if_due()
        at = max(start, self._last[way])
        for piece, pause in self._pieces(data, at, way):
            at += pause + len(piece) * self.BYTE_S
            self._number += 1
            heapq.heappush(self._events, (at, self._number, way, piece))
        self._last[way] = at
        self.carried += len(data)

    def _pieces(self, data: bytes, at: float, way: str) -> list[tuple[bytes, float]]:
        kinds = self.faults.kinds
        total = sum(kinds.values())
        pieces: list[tuple[bytes, float]] = []
        begin = 0
        while begin < len(data):
            skip = int(self._random.expovariate(total)) if total else len(data)
            upto = min(begin + skip, len(data))
            if at + begin * self.BYTE_S >= self._cut_until[way]:
                pieces.append((data[begin:upto], 0.0))
            if upto < len(data):
                self.damage += 1
                kind = self._random.choices(list(kinds), list(kinds.values()))[0]
                when = at + upto * self.BYTE_S
                pieces.extend(self._harm(kind, data[upto : upto + 1], when, way))
            begin = upto + 1
        return pieces

    def _harm(self, kind: str, byte: bytes, when: float, way: str) -> list[tuple[bytes, float]]:
        if kind == "cut":
            self._cut_until[way] = when + self._random.uniform(0.01, 4.0)
        if kind in ("cut", "drop") or when < self._cut_until[way]:
            return []
        if kind == "double":
            return [(byte * 2, 0.0)]
        if kind == "flip":
            return [(bytes([byte[0] ^ 1 << self._random.randrange(8)]), 0.0)]
        return [(byte, self._random.uniform(0.01, 3.0))]
