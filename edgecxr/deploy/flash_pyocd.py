# SPDX-License-Identifier: Apache-2.0
"""Firmware written by pyOCD, through its Python API, over the board's debug probe."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgecxr.core.board import Board
from edgecxr.core.ports import Port, is_a_known_board, listed, usb_id
from edgecxr.deploy.build import Image
from edgecxr.deploy.flash_way import Progress, Target, Wish, port_called, refuse_other_kind
from edgecxr.errors import DeviceError, FlashError, MissingPackageError
from edgecxr.optional import require

_EXTRA = "flash"


@dataclass(frozen=True)
class Pyocd:
    """Boards with a debug probe that pyOCD knows: CMSIS-DAP, ST-Link, J-Link."""

    board: Board
    wish: Wish

    def check(self) -> None:
        target, name = require("pyocd.target", extra=_EXTRA), self.board.pyocd_target
        if name not in target.TARGET:
            # Of the CMSIS packs that are installed; it is no error if none has it.
            packs = require("pyocd.target.pack.pack_target", extra=_EXTRA)
            packs.ManagedPacks.populate_target(name)
        if name not in target.TARGET:
            raise MissingPackageError(
                f"pyOCD does not know {name} by itself, and no CMSIS pack with it is installed; "
                f"get it with `pyocd pack install {name}`"
            )

    def find(self) -> Target:
        ports = self.wish.computer.ports()
        named = port_called(self.wish.port, ports) if self.wish.port is not None else None
        if named is not None:
            refuse_other_kind(self.board, named)
        probe = _choose(self.board, _probes(), ports, self.wish, named)
        _refuse_other_chip(self.board, probe)
        return _answering(self.board, probe.unique_id, ports, self.wish.port, named)

    def steps(self, image: Image, target: Target | None) -> list[str]:
        command = ["pyocd", "load", "--target", str(self.board.pyocd_target)]
        command += ["--probe", target.probe or ""] if target else []
        return [shlex.join([*command, str(image.path)])]

    def write(self, image: Image, target: Target, progress: Progress) -> str:
        errors = require("pyocd.core.exceptions", extra=_EXTRA)
        session = require("pyocd.core.session", extra=_EXTRA)
        programmer = require("pyocd.flash.file_programmer", extra=_EXTRA)
        probe = next((each for each in _probes() if each.unique_id == target.probe), None)
        if probe is None:
            raise DeviceError(f"the debug probe {target.probe} has gone; plug the board in again")
        try:
            options = {"target_override": self.board.pyocd_target}
            with session.Session(probe, options=options) as opened:
                # As `pyocd load` does: what runs now could disturb the writing.
                opened.target.reset_and_halt()
                programmer.FileProgrammer(opened, progress=progress).program(str(image.path))
                opened.target.reset()
        except (errors.Error, OSError) as error:  # OSError: the USB device went away
            why = str(error).rstrip(".")
            raise FlashError(
                f"pyOCD could not write {self.board.name} over {probe.description}: {why}; check "
                "the cable between probe and chip, press RESET, and run the same command again"
            ) from error
        return target.port


def _probes() -> list[Any]:
    helpers = require("pyocd.core.helpers", extra=_EXTRA)
    found: list[Any] = helpers.ConnectHelper.get_all_connected_probes(blocking=False)
    return found


def _choose(
    board: Board, probes: Sequence[Any], ports: Sequence[Port], wish: Wish, named: Port | None
) -> Any:
    """The one probe that is meant: by its id, by the port that shares its USB device, or alone."""
    found = list(probes)
    if wish.probe is not None:
        found = [each for each in found if wish.probe.lower() in each.unique_id.lower()]
    elif named is not None and any(_same_device(named, each.unique_id) for each in found):
        found = [each for each in found if _same_device(named, each.unique_id)]
    else:
        ours = [port for port in ports if usb_id(board, port)]
        known = [each for each in found if any(_same_device(port, each.unique_id) for port in ours)]
        found = known or found
    said = ", ".join(f"{each.description} ({each.unique_id})" for each in found) or "none"
    if not found:
        more = f" with {wish.probe!r} in its id" if wish.probe is not None else ""
        raise DeviceError(
            f"expected a debug probe{more} for {board.name}, found none; plug the board's USB "
            "socket for debugging in, and on Linux give it pyOCD's udev rules"
        )
    if len(found) > 1:
        raise DeviceError(
            f"expected one debug probe for {board.name}, found {len(found)}: {said}; choose with "
            "--probe"
        )
    for port in ports:
        if _same_device(port, found[0].unique_id):
            refuse_other_kind(board, port)
    return found[0]


def _refuse_other_chip(board: Board, probe: Any) -> None:
    """A micro:bit v2 shows the USB id of a v1; the debugger's board number tells them apart.

    Raises:
        DeviceError: if the probe belongs to a board with another chip, or cannot be asked.
    """
    errors = require("pyocd.core.exceptions", extra=_EXTRA)
    known = require("pyocd.target", extra=_EXTRA).TARGET
    try:
        info = probe.associated_board_info
    except (errors.Error, OSError) as error:
        raise DeviceError(
            f"{probe.description} ({probe.unique_id}) cannot be opened: {error}; on Linux give it "
            "pyOCD's udev rules, and close other debuggers"
        ) from error
    chip = info.target if info is not None else None
    if known.get(chip) not in (None, known.get(board.pyocd_target)):
        raise DeviceError(
            f"expected {board.name} with the chip {board.pyocd_target}, found {info.name} with "
            f"{chip}; attach the other board, or name it with --probe"
        )


def _answering(
    board: Board, probe: str, ports: Sequence[Port], asked: str | None, named: Port | None
) -> Target:
    """The probe, with the serial port where the board will answer."""
    if asked is not None:
        return Target(asked, usb=named, probe=probe)
    for fitting in (
        [port for port in ports if _same_device(port, probe)],
        [port for port in ports if usb_id(board, port)],
        [port for port in ports if not is_a_known_board(port)],
    ):
        if len(fitting) == 1:
            return Target(fitting[0].device, usb=fitting[0], probe=probe)
    raise DeviceError(
        f"expected the serial port where {board.name} will answer, found {listed(ports)}; name it "
        "with --port"
    )


def _same_device(port: Port, probe: str) -> bool:
    """Whether a port and a probe are one USB device; J-Link leaves out the zeros in front."""
    number = port.serial_number
    return number is not None and number.lower().lstrip("0") == probe.lower().lstrip("0")
