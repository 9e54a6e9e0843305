# SPDX-License-Identifier: Apache-2.0
"""A device on the wire: one image in, one result out, or one sentence within a time limit.

A reply that is lost or damaged is asked for again. What was sent and what came back is under a
CRC-32 (see :mod:`edgecxr.bench.protocol`), so nothing wrong passes for a result.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecxr.bench import protocol
from edgecxr.bench.protocol import Demo, DeviceInfo, Inference, LineReader, WireError
from edgecxr.bench.transport import Transport
from edgecxr.errors import DeviceError, VerificationError

EXCHANGE_S = 10.0
"""An exchange has succeeded or failed after so long."""
RETRIES = 3
_SILENCE_S = 2.5
"""After so long without a byte, the device is asked whether it still waits. Longer than the two
seconds that it waits for the rest of an image, or the question would become a part of that."""
_QUIET_S = 0.1
_DRAIN_S = 1.0
_SHOWN = 40
_BITS_PER_BYTE = 10
"""With start and stop bit."""

T = TypeVar("T")


class _LateError(WireError):
    pass


class Device:
    """An opened device.

    Attributes:
        info: what the firmware says of itself.
        retries: exchanges that had to be tried again, so far.
    """

    def __init__(self, line: Transport, limit_s: float = EXCHANGE_S) -> None:
        """Find edgecxr's firmware at the other end.

        Args:
            limit_s: for each exchange. A device that needs longer for one inference needs more.

        Raises:
            DeviceError: if nothing answers, or something else does.
        """
        self.name, self.retries = line.name, 0
        self._line, self._limit_s = line, limit_s
        # A user who gives an exchange longer has a slower device.
        self._silence_s = max(_SILENCE_S, limit_s / 4)
        self._reader = LineReader()
        self._lines: list[bytes] = []
        self._deadline = 0.0
        self._heard = b""
        self.info = self._opened()

    def read_info(self) -> DeviceInfo:
        """Ask the firmware again; its stack figure grows.

        Raises:
            DeviceError: if no good reply comes in time.
        """
        return self._exchange(self._info)

    def classify(self, image: NDArray[np.uint8], *, warmup: int = 0) -> Inference:
        """Send an image, run the model once, and read the scores.

        Args:
            image: uint8 pixels, shape (height, width); a model of three channels gets them in each.
            warmup: inferences before the timed one; 0 for a device that keeps no image.

        Raises:
            DeviceError: if no good result comes in time; it says what came instead.
        """
        pixels = np.repeat(image, self.info.input[2]).tobytes()

        def once() -> Inference:
            if self.info.db_raw:
                self._load(pixels)
            else:
                self._load_as_text(pixels)
            return self._infer(pixels, warmup)

        return self._exchange(once)

    def demo(self) -> list[Demo]:
        """Let the board classify the images that are built into its firmware.

        Raises:
            DeviceError: if it has none, or if no good result comes in time.
        """
        if not self.info.demo_images:
            raise DeviceError(
                f"expected demo images in the firmware of {self.name}, found none: its flash has "
                "no room for them, or it is older; classify image files instead"
            )
        return self._exchange(lambda: protocol.parse_demo(self._ask(protocol.DEMO), self.info))

    def _opened(self) -> DeviceInfo:
        self._deadline = self._line.now() + self._limit_s
        try:
            self._synchronise()
        except WireError as error:
            raise DeviceError(self._why_no_answer()) from error
        try:
            return self._tried(self._info)
        except protocol.RefusalError as error:
            raise DeviceError(
                f"{self.name} speaks the protocol but is not edgecxr's firmware ({error}); "
                "flash the board with `edgecxr flash`"
            ) from error

    def _why_no_answer(self) -> str:
        if not self._heard:
            return (
                f"nothing answers on {self.name} within {self._limit_s:.0f} s; press the board's "
                "reset button, and check that it is flashed and that this is its port"
            )
        heard = protocol.text_of(self._heard)
        return (
            f"{self.name} is not a board with edgecxr's firmware: expected m-ready, "
            f"found {heard!r}; choose another port, or flash the board with `edgecxr flash`"
        )

    def _exchange(self, once: Callable[[], T]) -> T:
        self._deadline = self._line.now() + self._limit_s
        return self._tried(once)

    def _tried(self, once: Callable[[], T]) -> T:
        """Up to three more tries before the deadline, each from a clean start."""
        for attempt in range(1 + RETRIES):
            try:
                if attempt:
                    self._synchronise()
                return once()
            except _LateError as error:
                raise self._gave_up(attempt, error) from error
            except WireError as error:
                if attempt == RETRIES or self._line.now() >= self._deadline:
                    raise self._gave_up(attempt, error) from error
                self.retries += 1
        raise AssertionError

    def _gave_up(self, attempt: int, error: WireError) -> DeviceError:
        kind = protocol.RefusalError if isinstance(error, protocol.RefusalError) else DeviceError
        tries = "1 try" if attempt == 0 else f"{attempt + 1} tries"
        return kind(f"{self.name} gave no good reply in {tries}: {error}")

    def _info(self) -> DeviceInfo:
        return protocol.parse_info(self._ask(protocol.INFO))

    def _load(self, pixels: bytes) -> None:
        self._send(protocol.encode(protocol.raw_load(pixels)))
        self._await(protocol.expecting(len(pixels)))
        self._send(pixels)
        self._await(protocol.LOAD_DONE)
        self._await(protocol.READY)

    def _load_as_text(self, pixels: bytes) -> None:
        """For a device that must work between the bytes: each piece waits for the last."""
        self._send(protocol.encode(protocol.text_load(len(pixels))))
        self._await(protocol.expecting(len(pixels)))
        self._await(protocol.READY)
        for piece in protocol.text_pieces(pixels):
            self._send(protocol.encode(piece))
            self._await(protocol.READY)

    def _infer(self, pixels: bytes, warmup: int) -> Inference:
        found = protocol.parse_inference(self._ask(protocol.infer(1, warmup)), self.info)
        if found.image_crc != zlib.crc32(pixels):
            raise WireError("the result is that of another image")
        return found

    def _ask(self, command: str) -> list[str]:
        """Send a command whose reply ends with a check, and give the lines before it."""
        self._send(protocol.encode(command))
        lines: list[bytes] = []
        while True:
            line = self._next_line()
            if line == protocol.READY.encode():
                if lines:
                    return protocol.checked(command, lines)
                continue  # of an earlier command, late or doubled
            lines.append(line)
            if protocol.is_check(line):
                texts = protocol.checked(command, lines)
                self._await(protocol.READY)
                return texts

    def _await(self, wanted: str) -> None:
        """Wait for one line, and pass over late ones.

        Raises:
            RefusalError: if the device refuses instead.
        """
        while True:
            line = protocol.text_of(self._next_line())
            if line == wanted:
                return
            words = protocol.refusal_in(line)
            if words is not None:
                raise protocol.RefusalError(f"the device refused: {words}")

    def _send(self, data: bytes) -> None:
        left = self._deadline - self._line.now()
        if left < len(data) * _BITS_PER_BYTE / protocol.BAUD:
            raise self._late()
        self._line.write(data, left)

    def _late(self) -> _LateError:
        return _LateError(f"nothing usable came within {self._limit_s:.0f} s")

    def _next_line(self) -> bytes:
        """The next line.

        Raises:
            WireError: if the device waits for a command, so that the reply was lost.
            _LateError: if the exchange's time is over.
        """
        while not self._lines:
            if self._receive(self._silence_s):
                continue
            self._send(protocol.SYNC)
            if self._receive(self._silence_s) and self._lines == [protocol.READY.encode()]:
                self._lines.clear()
                raise WireError("a command or its reply was lost")
        return self._lines.pop(0)

    def _receive(self, timeout_s: float) -> bool:
        """Read what comes until a line is whole or nothing more comes; False without a byte."""
        heard = False
        while not self._lines:
            left = self._deadline - self._line.now()
            if left <= 0:
                raise self._late()
            data = self._line.read(min(timeout_s, left))
            if not data:
                return heard
            heard = True
            self._heard = (self._heard + data)[:_SHOWN]
            self._lines += self._reader.feed(data)
        return heard

    def _synchronise(self) -> None:
        """Let the device finish what it says, then find it waiting for a command.

        Raises:
            _LateError: if the exchange's time ends before that.
        """
        while True:
            self._drain()
            self._send(protocol.SYNC)
            if self._answers_ready():
                self._drain()
                return

    def _answers_ready(self) -> bool:
        while self._receive(self._silence_s):
            while self._lines:
                if self._lines.pop(0) == protocol.READY.encode():
                    return True
        return False

    def _drain(self) -> None:
        end = min(self._line.now() + _DRAIN_S, self._deadline)
        while self._line.now() < end:
            data = self._line.read(min(_QUIET_S, end - self._line.now()))
            if not data:
                break
            self._heard = (self._heard + data)[:_SHOWN]
        self._reader = LineReader()
        self._lines.clear()


def check_model(device: Device, name: str, sha256: str) -> None:
    """See that the device runs the very model file, before anything is measured.

    Args:
        name: the model file, for the message.

    Raises:
        VerificationError: if it runs another one.
    """
    if device.info.sha256 != sha256:
        raise VerificationError(
            f"expected {device.name} to run {name} (SHA-256 {sha256[:12]}…), found its firmware "
            f"made from {device.info.model!r} ({device.info.sha256[:12]}…); "
            "flash it with this bundle, or name the bundle that it runs"
        )
