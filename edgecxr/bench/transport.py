# SPDX-License-Identifier: Apache-2.0
"""Bytes to and from a device, each wait with its limit: serial ports, pyserial's URLs, and Unix
sockets, which pyserial does not know.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from edgecxr.bench.protocol import BAUD
from edgecxr.core.board import boards
from edgecxr.errors import DeviceError, UsageError

_LEAST_S = 0.01
"""pyserial takes 0 for "do not wait" and would then send a part."""
_PIECE = 1024
_READ = 65536
UNIX = "unix:"
"""Before the path of a Unix socket."""


class Transport(Protocol):
    """A line to one device. ``name`` is what the user called it."""

    name: str

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""

    def read(self, timeout_s: float) -> bytes:
        """What has arrived; waits for a byte for at most so long, then gives none.

        Raises:
            DeviceError: if the device has gone.
        """

    def write(self, data: bytes, timeout_s: float) -> None:
        """Send all of it in at most so long.

        Raises:
            DeviceError: if the device has gone, or takes nothing any more.
        """


class SerialTransport:
    """A serial port, or whatever pyserial opens by URL, such as ``socket://localhost:5000``.

    Args:
        name: what the user calls it, if not by its port.

    Raises:
        DeviceError: if it cannot be opened; the sentence says what to do.
        UsageError: if it is no port and no URL that pyserial knows.
    """

    def __init__(self, port: str, name: str | None = None) -> None:
        import serial

        self.name = name or port
        try:
            self._line = serial.serial_for_url(port, BAUD, timeout=0, do_not_open=True)
            if "://" not in port:
                self._line.exclusive = True
            self._line.open()
        except ValueError as error:
            raise UsageError(
                f"expected a serial port or a URL that pyserial knows, found {port!r}: {error}"
            ) from error
        except serial.SerialException as error:
            raise DeviceError(why_not_open(port, error)) from error

    def now(self) -> float:
        return time.monotonic()

    def read(self, timeout_s: float) -> bytes:
        def some() -> bytes:
            self._line.timeout = max(timeout_s, 0)
            first: bytes = self._line.read(1)
            if not first:
                return b""
            waiting = self._line.in_waiting
            return first + self._line.read(waiting) if waiting else first

        return self._or_gone(some)

    def write(self, data: bytes, timeout_s: float) -> None:
        end = self.now() + timeout_s

        def all_of_it() -> bytes:
            for start in range(0, len(data), _PIECE):
                self._line.write_timeout = max(end - self.now(), _LEAST_S)
                self._line.write(data[start : start + _PIECE])
            return b""

        self._or_gone(all_of_it)

    def _or_gone(self, work: Callable[[], bytes]) -> bytes:
        import serial

        try:
            return work()
        except serial.SerialTimeoutException as error:
            raise _takes_nothing(self.name) from error
        except (serial.SerialException, OSError) as error:
            raise _gone(self.name) from error

    def close(self) -> None:
        self._line.close()


class UnixTransport:
    """A Unix socket, such as that of the firmware as a program: ``ecx_host --unix PATH``.

    Raises:
        DeviceError: if nothing listens there.
    """

    def __init__(self, path: str, name: str | None = None) -> None:
        self.name = name or f"{UNIX}{path}"
        self._line = socket.socket(socket.AF_UNIX)
        try:
            self._line.connect(path)
        except OSError as error:
            self._line.close()
            raise DeviceError(
                f"nothing listens at {UNIX}{path} ({error.strerror or error}); start the device "
                "or the emulator first"
            ) from error
        self._line.setblocking(False)

    def now(self) -> float:
        return time.monotonic()

    def read(self, timeout_s: float) -> bytes:
        if not select.select([self._line], [], [], max(timeout_s, 0))[0]:
            return b""
        try:
            data = self._line.recv(_READ)
        except OSError as error:
            raise _gone(self.name) from error
        if not data:
            raise _gone(self.name)
        return data

    def write(self, data: bytes, timeout_s: float) -> None:
        end = self.now() + timeout_s
        while data:
            if not select.select([], [self._line], [], max(end - self.now(), 0))[1]:
                raise _takes_nothing(self.name)
            try:
                data = data[self._line.send(data) :]
            except OSError as error:
                raise _gone(self.name) from error

    def close(self) -> None:
        self._line.close()


def open_line(port: str, name: str | None = None) -> SerialTransport | UnixTransport:
    """The line to a port, a URL or ``unix:PATH``.

    Args:
        name: what the user calls it, if not so.

    Raises:
        DeviceError: if it cannot be opened; the sentence says what to do.
        UsageError: if it is no port and no URL that pyserial knows.
    """
    if port.startswith(UNIX):
        return UnixTransport(port.removeprefix(UNIX), name)
    return SerialTransport(port, name)


def _takes_nothing(name: str) -> DeviceError:
    return DeviceError(f"{name} takes nothing any more; unplug the board and plug it in again")


def _gone(name: str) -> DeviceError:
    return DeviceError(
        f"{name} has gone in the middle of the work; plug the board in again, then run the same "
        "command: it goes on where it stopped"
    )


def why_not_open(port: str, error: Exception) -> str:
    """One sentence for a port that could not be opened, with the way out."""
    cause = error.__context__ if error.__context__ is not None else error
    number = getattr(error, "errno", None) or getattr(cause, "errno", None)
    if number == errno.EACCES:
        return (
            f"no permission to open {port}: add yourself to its group with `sudo usermod -aG "
            "dialout $USER` and log in again, or give the board a udev rule"
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "lock" in str(error):
        return f"{port} is in use by another program; close it, for example a serial monitor"
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        attached = ", ".join(device for device, _ in attached_ports()) or "none"
        return f"there is no port {port}; attached serial ports: {attached}"
    if "://" in port:
        return f"nothing listens at {port}; start the device or the emulator first"
    return f"{port} could not be opened as a serial port: {error}"


def attached_ports() -> list[tuple[str, str]]:
    """Serial ports with a USB device behind them, and what each is: ``(port, words)``."""
    from serial.tools.list_ports import comports

    known = {(usb.vid, usb.pid): board.name for board in boards().values() for usb in board.usb}
    found = []
    for port in comports():
        if port.vid is not None:
            found.append((port.device, known.get((port.vid, port.pid), port.description)))
    return sorted(found)


def only_port(ports: Iterable[tuple[str, str]]) -> str:
    """The one port that is attached.

    Raises:
        DeviceError: if there is none, or if there are several; these are listed.
    """
    found: Sequence[tuple[str, str]] = list(ports)
    if not found:
        raise DeviceError(
            "expected a board on a serial port, found none; plug it in with a cable that carries "
            "data, or name its port with --port"
        )
    if len(found) > 1:
        listed = ", ".join(f"{device} ({words})" for device, words in found)
        raise DeviceError(f"expected one board, found {len(found)}: {listed}; choose with --port")
    return found[0][0]
