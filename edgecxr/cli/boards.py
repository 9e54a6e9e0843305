# SPDX-License-Identifier: Apache-2.0
"""``edgecxr boards``: the boards that are known, and which of them a model fits."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common, complete
from edgecxr.cli.terminal import show
from edgecxr.core.table import Bar, Bars, Part, Table

if TYPE_CHECKING:
    from edgecxr.core.board import Board, Fit, Need


_INDENT = 18
_WIDTH = 98


class RuntimeName(StrEnum):
    tflm = "tflm"


def boards(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="[BUNDLE]", help="Say for each board whether this bundle's models fit."
        ),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(
            help="Only this board, with every detail.",
            show_default=False,
            autocompletion=complete.board,
        ),
    ] = None,
    runtime: Annotated[
        RuntimeName, typer.Option(help="What runs the model on the board.")
    ] = RuntimeName.tflm,
    as_json: common.JsonOption = False,
) -> None:
    """List the boards, and say whether a model fits.

    Whether it fits is an estimate: the model and its arena are measured; the code and the operating
    system's share are figures of other builds; the stack is assumed. The parts are printed.
    """
    from edgecxr.core import board as core

    chosen = [core.find_board(board)] if board else list(core.boards().values())
    fits = [] if model is None else _fits(model, chosen)
    if as_json:
        found: dict[str, object] = {"boards": [one.model_dump(mode="json") for one in chosen]}
        if model is not None:
            found |= {"fits": [one.model_dump(mode="json") for one in fits], "basis": core.BASES}
        common.print_json({"runtime": runtime.value, **found})
    elif board:
        _print_one(chosen[0], fits)
    else:
        _print_all(chosen, fits)


def _fits(model: Path, chosen: list[Board]) -> list[Fit]:
    from edgecxr.core.board import fit_tflm
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.tflm import measure_arena
    from edgecxr.errors import MissingPackageError

    bundle = Bundle.open(model)
    fits: list[Fit] = []
    for precision in bundle.precisions or (bundle.default,):
        path = bundle.path(precision)
        try:
            arena = measure_arena(path).bytes_used
        except MissingPackageError as error:
            common.note(f"The arena was not measured: {error}")
            arena = None
        size = path.stat().st_size
        fits.extend(fit_tflm(one, precision, size, arena) for one in chosen)
    return fits


def _memory(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"


def _verdict(fit: Fit) -> str:
    short = [
        f"{name} {-need.spare:,} B"
        for name, need in (("flash", fit.flash), ("RAM", fit.ram))
        if need is not None and need.spare < 0
    ]
    if short:
        return f"short: {', '.join(short)}"
    if fit.ram is None:
        return "flash fits, RAM unknown"
    return f"fits, {fit.ram.spare:,} B of RAM spare"


def _print_all(chosen: list[Board], fits: list[Fit]) -> None:
    headers = ["board", "name", "core", "clock\nMHz", "flash", "RAM"]
    rows = [
        [
            one.id,
            one.name,
            one.core,
            f"{one.clock_hz / 1e6:.0f}",
            _memory(one.flash_bytes),
            _memory(one.ram_bytes),
        ]
        for one in chosen
    ]
    parts: list[Part] = [
        Table(headers, rows, text=3),
        "clock, flash and RAM: what an application gets with the board's usual build."
        "\n--board ID shows every detail, and where each figure is from.",
    ]
    if fits:
        precisions = list(dict.fromkeys(fit.precision for fit in fits))
        verdicts = {(fit.board, fit.precision): _verdict(fit) for fit in fits}
        rows = [[one.id, *(verdicts[one.id, each] for each in precisions)] for one in chosen]
        parts += [Table(["board", *precisions], rows, text=3), *_bars(fits), *_estimate(fits)]
    show(parts)


def _bars(fits: list[Fit]) -> list[Part]:
    """What int8 takes of each board."""
    bars: dict[str, list[Bar]] = {"flash": [], "RAM": []}
    for fit in fits:
        for memory, need in (("flash", fit.flash), ("RAM", fit.ram)):
            if fit.precision == "int8" and need is not None:
                share = need.total / need.available
                bars[memory].append(Bar(fit.board, share, f"{100 * share:.0f} %"))
    return [
        Bars(f"{memory} that int8 takes, of the board's", rows)
        for memory, rows in bars.items()
        if rows
    ]


def _estimate(fits: list[Fit]) -> list[Part]:
    from edgecxr.core.board import BASES

    used = {
        part.basis
        for fit in fits
        for need in (fit.flash, fit.ram)
        for part in (need.parts if need is not None else ())
    }
    meanings = [(basis, text) for basis, text in BASES.items() if basis in used]
    return ["An estimate for TFLM, made of these parts:", _parts(fits), _said(meanings, 11)]


def _said(rows: Sequence[tuple[str, str]], indent: int, *, title: str = "") -> Table:
    """Names and words, in plain text each in lines of its own column."""
    lines = [title] if title else []
    lines += [_item(f"  {name}" if title else name, text, indent) for name, text in rows]
    return Table((title, "") if title else (), rows, text=2, plain="\n".join(lines))


def _item(name: str, text: str, indent: int) -> str:
    """``name``, then ``text`` in lines of its own column."""
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{name:<{indent}}",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _parts(fits: list[Fit]) -> Table:
    """Every part of the estimates once, with its bytes per precision; what more share is first."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    shared: Counter[tuple[str, str, str]] = Counter()
    for fit in fits:
        for memory, need in (("flash", fit.flash), ("RAM", fit.ram)):
            for part in need.parts if need is not None else ():
                key = (memory, part.what, part.basis)
                found.setdefault(key, {})[fit.precision] = part.bytes
                shared[key] += 1
    precisions = list(dict.fromkeys(fit.precision for fit in fits))
    rows = [
        [*key, *(f"{sizes[name]:,}" if name in sizes else "-" for name in precisions)]
        for key, sizes in sorted(
            found.items(), key=lambda item: (item[0][0] != "flash", -shared[item[0]])
        )
    ]
    headers = ["memory", "part", "basis", *(f"{precision}\nbytes" for precision in precisions)]
    return Table(headers, rows, text=3)


def _print_one(board: Board, fits: list[Fit]) -> None:
    extras = {"dsp": "DSP instructions", "mve": "Helium (MVE)"}
    fpu = "no FPU" if board.fpu == "none" else f"{board.fpu}-precision FPU"
    has = [words for name, words in extras.items() if getattr(board, name)]
    emulator = f"qemu-system-arm -M {board.emulator}" if board.emulator else "none"
    known = (
        (board.id, board.name),
        ("chip", f"{board.mcu}: {', '.join([board.core, fpu, *has])}"),
        ("clock", f"{board.clock_hz / 1e6:g} MHz"),
        ("flash", f"{board.flash_bytes:,} bytes"),
        ("RAM", f"{board.ram_bytes:,} bytes"),
        ("taken of these", _taken(board)),
        ("USB", ", ".join(f"{one} ({one.role})" for one in board.usb) or "none"),
        ("build", f"{board.build_system}, {board.build_target}"),
        ("flasher", board.flasher),
        ("emulator", emulator),
    )
    sources = list(board.sources.items())
    parts: list[Part] = [_said(known, _INDENT), _said(sources, 24, title="Sources")]
    if fits:
        sums = [
            _sum(f"{fit.precision} {memory}", need)
            for fit in fits
            for memory, need in (("flash", fit.flash), ("RAM", fit.ram))
        ]
        parts += [*_bars(fits), *_estimate(fits), "\n".join(sums)]
    show(parts)


def _taken(board: Board) -> str:
    if not board.platform_flash_bytes and not board.platform_ram_bytes:
        return "nothing: the start-up code is ours"
    return (
        f"{board.platform_flash_bytes:,} bytes of flash and {board.platform_ram_bytes:,} of RAM,"
        f" by a minimal program ({board.platform})"
    )


def _sum(what: str, need: Need | None) -> str:
    if need is None:
        return f"{what}: not known, since the arena was not measured."
    spare = f"{need.spare:,} spare" if need.spare >= 0 else f"short by {-need.spare:,}"
    return f"{what}: {need.total:,} of {need.available:,} bytes, {spare}."
