# SPDX-License-Identifier: Apache-2.0
"""What boards have of flash and RAM, and what the runtimes need of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecxr.core.board import Board, Fit, boards
from edgecxr.report import plots
from edgecxr.report.inputs import EngineRow

CUT = 150.0
"""Where an axis of per cent ends."""


@dataclass(frozen=True)
class Bar:
    """One runtime on one board, in one kind of memory; parts are (what, bytes)."""

    board: str
    runtime: str
    memory: str
    parts: tuple[tuple[str, int], ...]
    available: int
    basis: str

    @property
    def total(self) -> int:
        return sum(size for _, size in self.parts)


def of_fits(fits: Sequence[Fit]) -> list[Bar]:
    """TFLM's int8 estimates, by core/board.py."""
    rows = []
    for fit in fits:
        if fit.precision != "int8":
            continue
        for memory, need in (("flash", fit.flash), ("RAM", fit.ram)):
            if need is None:
                continue
            parts = tuple((_kind(part.what), part.bytes) for part in need.parts)
            rows.append(Bar(fit.board, "TFLM", memory, parts, need.available, "estimate"))
    return rows


def _kind(what: str) -> str:
    """TFLM's parts have names of their own for each board; in a figure they share a colour."""
    if what.startswith("TFLM"):
        return "runtime"
    if what in ("model", "arena", "stack"):
        return what
    return "buffers" if "buffers" in what else "platform"


def of_engine(counted: Sequence[EngineRow]) -> list[Bar]:
    """The compiled runtime, int8, on each board with the core that it was measured on.

    The runtime was measured; that the board's own start-up code comes on top of it, is an estimate.
    """
    rows = []
    measured = [row for row in counted if row.precision == "int8"]
    for board in boards().values():
        row = next((row for row in measured if _suits(row, board)), None)
        if row is None:
            continue
        basis = "measured" if row.board == board.id else f"measured on {row.board}, and platform"
        flash = (
            ("model", row.flash_bytes - row.code_bytes),
            ("runtime", row.code_bytes),
            ("platform", board.platform_flash_bytes),
        )
        ram = (
            ("arena", row.ram_bytes - row.stack_bytes),
            ("stack", row.stack_bytes),
            ("platform", board.platform_ram_bytes),
        )
        rows.append(Bar(board.id, "compiled", "flash", flash, board.flash_bytes, basis))
        rows.append(Bar(board.id, "compiled", "RAM", ram, board.ram_bytes, basis))
    return rows


def _suits(row: EngineRow, board: Board) -> bool:
    """The same core, and kernels that it has the instructions for."""
    core = board.core.lower().rstrip("f+")
    return core == row.core and (row.kernels != "dsp" or board.dsp)


_COLOURS = dict(
    zip(
        ("model", "arena", "runtime", "stack", "buffers", "platform"),
        (
            plots.PARTS[0],
            plots.PARTS[0],
            plots.PARTS[1],
            plots.PARTS[2],
            plots.PARTS[3],
            plots.PARTS[4],
        ),
        strict=True,
    )
)


def figures(bars: Sequence[Bar], key: str) -> list[str]:
    """Flash and RAM, in per cent of what the board has."""
    order = {board: place for place, board in enumerate(boards())}
    found = []
    for memory in ("flash", "RAM"):
        chosen = sorted(
            (bar for bar in bars if bar.memory == memory),
            key=lambda bar: (order[bar.board], bar.runtime),
        )
        if not chosen:
            continue
        rows = [
            (
                f"{bar.board}, {bar.runtime}",
                [(100 * size / bar.available, _COLOURS[what]) for what, size in bar.parts],
            )
            for bar in chosen
        ]
        used = dict.fromkeys(what for bar in chosen for what, size in bar.parts if size)
        found.append(
            plots.bars(
                f"{key}memory-{memory}",
                f"{memory}, % of the board's (line: 100 %)",
                rows,
                unit=f"% of the board's {memory}",
                limit=100,
                most=CUT,
                legend=[(what, _COLOURS[what]) for what in used],
            )
        )
    return found
