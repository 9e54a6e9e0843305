# SPDX-License-Identifier: Apache-2.0
"""Boards as data, and whether a model fits one of them."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgecxr.errors import UsageError

Basis = Literal["measured", "reference", "estimated", "assumed"]

BASES: dict[Basis, str] = {
    "measured": "here. The arena is this computer's, a little more than a 32-bit board needs.",
    "reference": (
        "on another build: TFLM's int8 code on a Cortex-M4; the vendor's core or the operating"
        " system in a minimal program, on this chip or a like one. Further drivers come on top."
    ),
    "estimated": "the Cortex-M4's int8 figure, taken over for another core or for float32.",
    "assumed": "a round figure.",
}
"""What a part's basis means."""

TFLM_CODE_BYTES = 40_300
"""TFLM with its reference kernels for this class of model, int8, compiled by gcc -O2 for
Cortex-M4: code without the model, start-up and C library included."""
TFLM_CMSIS_NN_CODE_BYTES = 46_800
"""The same with CMSIS-NN's kernels. They are int8's: float32 runs on the reference kernels."""
STACK_BYTES = 4096
IO_BYTES = 1024
"""Line and message buffers. The picture needs none: its rows go straight into the arena."""

_PLATFORMS = {"arduino": "Arduino core", "zephyr": "Zephyr", "baremetal": "start-up code"}


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UsbId(_Frozen):
    vid: int = Field(ge=0, le=0xFFFF)
    pid: int = Field(ge=0, le=0xFFFF)
    role: Literal["application", "bootloader", "debugger"]

    def __str__(self) -> str:
        return f"{self.vid:04x}:{self.pid:04x}"


class Board(_Frozen):
    """One board; ``boards.toml`` says what each field means, and ``sources`` where it is from."""

    id: str
    name: str
    mcu: str
    core: str
    fpu: Literal["none", "single", "double"]
    dsp: bool
    mve: bool = False
    clock_hz: int = Field(gt=0)
    flash_bytes: int = Field(gt=0)
    ram_bytes: int = Field(gt=0)
    platform_flash_bytes: int = Field(ge=0)
    platform_ram_bytes: int = Field(ge=0)
    build_system: Literal["arduino", "zephyr", "baremetal"]
    build_target: str
    flasher: Literal["arduino-cli", "pyocd", "west", "none"]
    pyocd_target: str | None = None
    serial_bootloader: bool = False
    emulator: str | None = None
    mcuboot_slot_bytes: int | None = Field(default=None, gt=0)
    usb: tuple[UsbId, ...] = ()
    sources: dict[str, str]

    @property
    def platform(self) -> str:
        """What runs below the application, in words."""
        return _PLATFORMS[self.build_system]

    @model_validator(mode="after")
    def _what_flashing_needs_is_there(self) -> Board:
        if (self.flasher == "pyocd") != (self.pyocd_target is not None):
            raise ValueError("the flasher pyocd, and no other, goes with a pyocd_target")
        roles = {usb.role for usb in self.usb}
        if self.serial_bootloader and not roles >= {"application", "bootloader"}:
            raise ValueError("a serial_bootloader needs the USB ids of application and bootloader")
        return self

    @model_validator(mode="after")
    def _every_figure_has_a_source(self) -> Board:
        figures = {"core", "clock_hz", "flash_bytes", "ram_bytes"}
        figures |= {"usb"} if self.usb else set()
        figures |= {
            name
            for name in ("platform_flash_bytes", "platform_ram_bytes", "mcuboot_slot_bytes")
            if getattr(self, name)
        }
        if missing := figures - self.sources.keys():
            raise ValueError(f"no source for {', '.join(sorted(missing))}")
        if unknown := self.sources.keys() - type(self).model_fields.keys():
            raise ValueError(f"source for unknown {', '.join(sorted(unknown))}")
        return self


class Part(_Frozen):
    """One part of what is needed, and where its size is from."""

    what: str
    bytes: int
    basis: Basis


class Need(_Frozen):
    """What a kind of memory must hold, beside what the board has. ``spare`` < 0: short."""

    parts: tuple[Part, ...]
    total: int
    available: int
    spare: int


class Fit(_Frozen):
    """An estimate. ``ram`` and ``fits`` are None where the arena was not measured."""

    board: str
    precision: str
    runtime: str
    flash: Need
    ram: Need | None
    fits: bool | None


@cache
def boards() -> dict[str, Board]:
    """All boards by id, in the file's order.

    Raises:
        pydantic.ValidationError: if ``boards.toml`` is not valid; a test reads it.
    """
    text = resources.files("edgecxr").joinpath("boards.toml").read_text(encoding="utf-8")
    return {key: Board(id=key, **entry) for key, entry in tomllib.loads(text).items()}


def find_board(name: str) -> Board:
    """The board with this id.

    Raises:
        UsageError: if there is none; the message names the closest ids.
    """
    known = boards()
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
    raise UsageError(f"there is no board {name!r}; {hint}")


def fit_tflm(board: Board, precision: str, model_bytes: int, arena_bytes: int | None) -> Fit:
    """Estimate whether a model fits a board under TFLM.

    Args:
        precision: ``int8`` or ``float32``.
        model_bytes: of the ``.tflite`` file, which lies in flash.
        arena_bytes: as TFLM counted it on a host; None if it was not measured.
    """
    flash = [
        Part(what="model", bytes=model_bytes, basis="measured"),
        _tflm_code(board, precision),
        *_platform(board, board.platform_flash_bytes),
    ]
    in_flash = _need(flash, board.flash_bytes)
    in_ram = None
    if arena_bytes is not None:
        ram = [
            Part(what="arena", bytes=arena_bytes, basis="measured"),
            Part(what="stack", bytes=STACK_BYTES, basis="assumed"),
            Part(what="serial buffers", bytes=IO_BYTES, basis="assumed"),
            *_platform(board, board.platform_ram_bytes),
        ]
        in_ram = _need(ram, board.ram_bytes)
    return Fit(
        board=board.id,
        precision=precision,
        runtime="tflm",
        flash=in_flash,
        ram=in_ram,
        fits=_verdict(in_flash, in_ram),
    )


def _tflm_code(board: Board, precision: str) -> Part:
    same = precision == "int8" and board.core.startswith("Cortex-M4")
    basis: Basis = "reference" if same else "estimated"
    if precision == "int8" and (board.dsp or board.mve):
        return Part(what="TFLM with CMSIS-NN", bytes=TFLM_CMSIS_NN_CODE_BYTES, basis=basis)
    return Part(what="TFLM with reference kernels", bytes=TFLM_CODE_BYTES, basis=basis)


def _platform(board: Board, size: int) -> list[Part]:
    if not size:
        return []
    return [Part(what=f"{board.platform} ({board.id})", bytes=size, basis="reference")]


def _need(parts: list[Part], available: int) -> Need:
    total = sum(part.bytes for part in parts)
    return Need(parts=tuple(parts), total=total, available=available, spare=available - total)


def _verdict(flash: Need, ram: Need | None) -> bool | None:
    if flash.spare < 0 or (ram is not None and ram.spare < 0):
        return False
    return None if ram is None else True
