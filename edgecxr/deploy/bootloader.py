# SPDX-License-Identifier: Apache-2.0
"""A board whose serial port goes and comes back: into its bootloader, and out of it again.

A Nano 33 BLE is one USB device while an application runs and another one in its bootloader, each
with a port of its own. Opening the application's port at 1200 baud and closing it ("the touch")
makes it restart into the bootloader. The waits are those of Arduino's own tools; other than these,
a port is known by its USB id, serial number and socket, and never by its name, so that a second
board is not taken for the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from edgecxr.core.board import Board
from edgecxr.core.ports import Port, attached_ports, listed, usb_id, why_not_open
from edgecxr.errors import DeviceError

TOUCH_BAUD = 1200
RESTART_S = 0.5
"""The board restarts 0.25 s after the touch; a port that is opened before that stops it."""
POLL_S = 0.25
BOOTLOADER_S = 10.0
SETTLE_S = 1.0
"""A port may come and go again before it stays, and belongs to root until udev has seen it."""
RETURN_S = 5.0

Role = Literal["application", "bootloader", "debugger"]


def touch(device: str) -> None:
    """Open a port at 1200 baud with DTR low, and close it.

    Raises:
        DeviceError: if it cannot be opened; the sentence says what to do.
    """
    import serial

    line = serial.Serial()
    line.port, line.baudrate, line.dtr = device, TOUCH_BAUD, False
    try:
        line.open()
    except OSError as error:
        raise DeviceError(why_not_open(device, error)) from error
    line.close()


@dataclass(frozen=True)
class Computer:
    """What this module needs of the computer; tests bring their own."""

    ports: Callable[[], Sequence[Port]] = attached_ports
    touch: Callable[[str], None] = touch
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def role(board: Board, port: Port) -> Role | None:
    """What a port is to a board; None if it is not this kind of board."""
    found = usb_id(board, port)
    return found.role if found else None


def enter_bootloader(board: Board, port: Port, computer: Computer) -> Port:
    """The port of the board's bootloader; without a touch if it is there already.

    Args:
        port: the board's port as it is attached now.

    Raises:
        DeviceError: if the port cannot be opened, if the bootloader does not come within
            ``BOOTLOADER_S``, or if two come at once.
    """
    if role(board, port) == "bootloader":
        return port
    others = set(computer.ports()) - {port}
    computer.touch(port.device)
    computer.sleep(RESTART_S)
    found = _wait(board, port, "bootloader", others, computer, BOOTLOADER_S)
    if found is None:
        raise DeviceError(
            f"{board.name} on {port.device} did not start its bootloader within "
            f"{BOOTLOADER_S:.0f} s of the 1200-baud touch; press its RESET button twice, quickly, "
            "until the LED pulses, and run the same command again"
        )
    return found


def await_application(
    board: Board, port: Port, others: Collection[Port], computer: Computer
) -> Port:
    """The port of the application that was just written, once it stays.

    Args:
        port: the board's port before that.
        others: the other ports that were attached then; none of them is meant.

    Raises:
        DeviceError: if it does not come within ``RETURN_S``, or if two come at once.
    """
    found = _wait(board, port, "application", others, computer, RETURN_S)
    if found is None:
        raise DeviceError(
            f"the firmware was written, but {board.name} did not come back within "
            f"{RETURN_S:.0f} s; attached serial ports: {listed(computer.ports())}; press its RESET "
            "button once, then ask it with `edgecxr bench --device serial`"
        )
    return found


def _wait(
    board: Board,
    before: Port,
    wanted: Role,
    others: Collection[Port],
    computer: Computer,
    limit_s: float,
) -> Port | None:
    """The board's port in its new role, once it has stayed for ``SETTLE_S``; None if it is late."""
    end = computer.now() + limit_s
    while computer.now() < end:
        new = [port for port in computer.ports() if port not in others]
        found = _ours([port for port in new if role(board, port) == wanted], before)
        if found is not None:
            computer.sleep(SETTLE_S)
            if found in computer.ports():
                return found
        computer.sleep(POLL_S)
    return None


def _ours(found: Sequence[Port], before: Port) -> Port | None:
    """The port that is the same board as ``before``.

    The serial number or the socket tells. A bootloader may have another serial number than its
    application; where the system does not say the socket either, the only new port is taken.
    """
    sure = [port for port in found if _known_as(port, before)]
    chosen = sure or [port for port in found if port.location is None or before.location is None]
    if len(chosen) > 1:
        raise DeviceError(
            f"expected {before.device} to come back alone, found {len(chosen)} new ports: "
            f"{listed(chosen)}; leave one board attached and run the same command again"
        )
    return chosen[0] if chosen else None


def _known_as(one: Port, other: Port) -> bool:
    if one.serial_number is not None and one.serial_number == other.serial_number:
        return True
    return one.location is not None and one.location == other.location
