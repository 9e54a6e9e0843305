# SPDX-License-Identifier: Apache-2.0
"""What every way of writing firmware supplies, and how the board is found that is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgecxr.core.board import Board
from edgecxr.core.ports import Port, is_a_known_board, listed, usb_id
from edgecxr.deploy.bootloader import Computer
from edgecxr.deploy.build import Image
from edgecxr.errors import DeviceError

Progress = Callable[[float], None]
"""Is called with the share of the work that is done, 0 to 1."""


@dataclass(frozen=True)
class Wish:
    """Which board is meant.

    Attributes:
        port: its serial port, or None for the only one that fits.
        probe: a part of its debug probe's unique id, or None for the only one that fits.
    """

    port: str | None = None
    probe: str | None = None
    computer: Computer = field(default_factory=Computer)


@dataclass(frozen=True)
class Target:
    """One attached board.

    Attributes:
        port: where it will answer, for pyserial.
        usb: this port's USB device, where it has one.
        probe: the whole unique id of its debug probe, where that is what writes.
    """

    port: str
    usb: Port | None = None
    probe: str | None = None


class Way(Protocol):
    """One way of writing firmware, for one board."""

    def check(self) -> None:
        """See that the tools are there.

        Raises:
            MissingPackageError: if one is not; the message says how to get it.
        """

    def find(self) -> Target:
        """The one attached board that is meant.

        Raises:
            DeviceError: if there is none, if there are several, or if it is another kind.
        """

    def steps(self, image: Image, target: Target | None) -> list[str]:
        """What will be done, as commands for a shell; words where no program does it.

        Args:
            target: None stands for a board that is not attached yet.
        """

    def write(self, image: Image, target: Target, progress: Progress) -> str:
        """Write the image, start it, and give the port where the board answers now.

        Raises:
            FlashError: if it could not be written.
            DeviceError: if the board has gone, or does not come back.
        """


def find_port(board: Board, wish: Wish) -> Port:
    """The one attached port of this kind of board.

    Raises:
        DeviceError: if there is none, if there are several, or if ``wish.port`` is another kind.
    """
    ports = wish.computer.ports()
    if wish.port is not None:
        found = port_called(wish.port, ports)
        if found is None:
            raise DeviceError(f"there is no port {wish.port}; attached: {listed(ports)}")
        refuse_other_kind(board, found)
        return found
    fitting = [port for port in ports if usb_id(board, port)]
    if not fitting:
        ids = " or ".join(map(str, board.usb)) or "any USB id"
        tap = ", press its RESET button twice, quickly" if board.serial_bootloader else ""
        raise DeviceError(
            f"expected {board.name} ({ids}) on a serial port, found {listed(ports)}; plug it in "
            f"with a cable that carries data{tap}, or name its port with --port"
        )
    if len(fitting) > 1:
        raise DeviceError(
            f"expected one {board.name}, found {len(fitting)}: {listed(fitting)}; choose with "
            "--port"
        )
    return fitting[0]


def port_called(name: str, ports: Sequence[Port]) -> Port | None:
    """The attached port of this name; links such as those in ``/dev/serial/by-id`` are followed."""
    real = str(Path(name).resolve()) if name.startswith("/") else name
    return next((port for port in ports if port.device in (name, real)), None)


def refuse_other_kind(board: Board, port: Port) -> None:
    """Stop before another board is overwritten; a USB id that no board has may be anything.

    Raises:
        DeviceError: if the port's USB id is that of other boards only.
    """
    if usb_id(board, port) is None and is_a_known_board(port):
        raise DeviceError(f"expected {board.name} on {port.device}, found {port}; choose --port")
