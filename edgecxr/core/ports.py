# SPDX-License-Identifier: Apache-2.0
"""The serial ports of this computer: which USB device is behind each, and why one does not open."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgecxr.core.board import Board, UsbId, boards
from edgecxr.errors import DeviceError


@dataclass(frozen=True)
class Port:
    """A serial port with a USB device behind it.

    Attributes:
        device: what is opened, such as ``/dev/ttyACM0`` or ``COM3``.
        vid: the USB vendor.
        pid: the USB product.
        serial_number: of the USB device; boards without one give None.
        location: the socket that it is plugged into, such as ``1-1.4``; it stays the same while a
            board in this socket restarts. None where the system does not say.
        description: the system's words for it.
    """

    device: str
    vid: int
    pid: int
    serial_number: str | None = None
    location: str | None = None
    description: str = ""

    @property
    def words(self) -> str:
        """The boards that have this USB id, or else what the system calls it."""
        names = [board.name for board in boards().values() if usb_id(board, self)]
        return " or ".join(names) or self.description

    def __str__(self) -> str:
        number = f", serial number {self.serial_number}" if self.serial_number else ""
        return f"{self.device} ({self.words}, {self.vid:04x}:{self.pid:04x}{number})"


def usb_id(board: Board, port: Port) -> UsbId | None:
    """The entry of a board's USB ids that a port shows, if it is one of them."""
    same = (each for each in board.usb if (each.vid, each.pid) == (port.vid, port.pid))
    return next(same, None)


def is_a_known_board(port: Port) -> bool:
    """Whether a port's USB id is one of ``boards.toml``."""
    return any(usb_id(board, port) for board in boards().values())


def attached_ports() -> list[Port]:
    """The serial ports with a USB device behind them, by name. No port is opened for this."""
    from serial.tools.list_ports import comports

    found = [
        Port(
            port.device,
            port.vid,
            port.pid,
            port.serial_number or None,
            # "1-1.4:1.0" is interface 0 of the device in socket 1-1.4.
            port.location.partition(":")[0] if port.location else None,
            port.description,
        )
        for port in comports()
        if port.vid is not None and port.pid is not None
    ]
    return sorted(found, key=lambda port: port.device)


def listed(ports: Iterable[Port]) -> str:
    """Ports in one line, for a message."""
    return ", ".join(map(str, ports)) or "none"


def only_port(ports: Sequence[Port]) -> str:
    """The one port that is attached.

    Raises:
        DeviceError: if there is none, or if there are several; these are listed.
    """
    if not ports:
        raise DeviceError(
            "expected a board on a serial port, found none; plug it in with a cable that carries "
            "data, or name its port with --port"
        )
    if len(ports) > 1:
        raise DeviceError(
            f"expected one board, found {len(ports)}: {listed(ports)}; choose with --port"
        )
    return ports[0].device


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
        attached = ", ".join(each.device for each in attached_ports()) or "none"
        return f"there is no port {port}; attached serial ports: {attached}"
    if "://" in port:
        return f"nothing listens at {port}; start the device or the emulator first"
    return f"{port} could not be opened as a serial port: {error}"
