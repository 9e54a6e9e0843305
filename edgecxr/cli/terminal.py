# SPDX-License-Identifier: Apache-2.0
"""Where results are shown: tables and bars on a terminal, the plain text anywhere else."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from edgecxr.core.table import Bars, Part, Table, plain, safe

if TYPE_CHECKING:
    from rich.console import Console

GAP = 2
"""Columns of the terminal between those of a table."""
WIDEST_BARS = 100


def show(
    parts: Part | Iterable[Part], *, markdown: bool = False, styles: Mapping[str, str] | None = None
) -> None:
    """Print on stdout. A terminal gets tables that fit its width, colours unless ``NO_COLOR`` is
    set, and bars; a pipe or a file gets :func:`edgecxr.core.table.plain`.

    Args:
        markdown: GitHub's tables, which a terminal gets as they are too.
        styles: for text on a terminal: regular expressions, and the rich style of what each finds.
    """
    several = [parts] if isinstance(parts, str | Table | Bars) else list(parts)
    if markdown or not sys.stdout.isatty():
        typer.echo(plain(several, markdown=markdown))
        return
    from rich.console import Console

    console = Console(highlight=False)
    for place, part in enumerate(map(safe, several)):
        if place:
            console.print()
        if isinstance(part, Table):
            _show_table(console, part)
        elif isinstance(part, Bars):
            _show_bars(console, part)
        else:
            _show_text(console, part, styles or {})


def _show_text(console: Console, text: str, styles: Mapping[str, str]) -> None:
    from rich.text import Text

    shown = Text("\n".join(_folded(line, console.width) for line in text.split("\n")))
    for pattern, style in styles.items():
        shown.highlight_regex(pattern, style)
    console.print(shown, soft_wrap=True)


def _folded(line: str, width: int) -> str:
    """At spaces, further lines of an indented one a little to the right; long words stay whole, so
    that a path or a command can be copied."""
    if len(line) <= width:
        return line
    begin = len(line) - len(line.lstrip())
    lead = " " * (begin + 2 if begin else 0)
    return textwrap.fill(
        line, width, subsequent_indent=lead, break_long_words=False, break_on_hyphens=False
    )


def _show_table(console: Console, table: Table) -> None:
    for place, block in enumerate(fitted(table, console.width)):
        if place:
            console.print()
        console.print(_drawn(block))


def fitted(table: Table, width: int) -> list[Table]:
    """The table if it fits; else with intervals in a second line; else with words folded; else in
    several tables, each with the columns of words."""
    if not table.headers or sum(_widths(table)) <= width:
        return [table]
    table = _narrow(table)
    widths = _widths(table)
    if sum(_widths(_folded_words(table))) <= width:
        return [table]
    keys = range(min(table.text, len(widths)))
    room = width - sum(widths[i] for i in keys)
    blocks: list[list[int]] = [[]]
    left = room
    for column in range(len(keys), len(widths)):
        if blocks[-1] and widths[column] > left:
            blocks.append([])
            left = room
        blocks[-1].append(column)
        left -= widths[column]
    return [_only(table, [*keys, *block]) for block in blocks]


def _folded_words(table: Table) -> Table:
    """As narrow as its words allow: what :mod:`rich` can make of it."""
    rows = [
        [cell.replace(" ", "\n") if i < table.text else cell for i, cell in enumerate(row)]
        for row in table.rows
    ]
    return replace(table, rows=rows)


def _only(table: Table, columns: Sequence[int]) -> Table:
    return replace(
        table,
        headers=[table.headers[i] for i in columns],
        rows=[[row[i] for i in columns] for row in table.rows],
    )


def _narrow(table: Table) -> Table:
    """With what stands in brackets after a figure below it."""
    head, *rows = (
        [cell if i < table.text else cell.replace(" (", "\n(") for i, cell in enumerate(row)]
        for row in (table.headers, *table.rows)
    )
    return replace(table, headers=head, rows=rows)


def _widths(table: Table) -> list[int]:
    """Of each column with its gap, in columns of the terminal."""
    from rich.cells import cell_len

    cells = [table.headers, *table.rows]
    return [
        GAP + max(cell_len(line) for row in cells for line in row[i].split("\n"))
        for i in range(len(table.headers))
    ]


def _drawn(table: Table) -> Any:
    from rich import box
    from rich.table import Table as Rich
    from rich.text import Text

    drawn = Rich(
        box=box.SIMPLE_HEAD if table.headers else None,
        show_header=bool(table.headers),
        show_edge=False,
        pad_edge=False,
        padding=(0, 1),  # and the box's own column between them make the gap
        collapse_padding=bool(table.headers),
        border_style="dim",
    )
    for place in range(len(table.headers or table.rows[0])):
        words = place < table.text
        drawn.add_column(
            Text(table.headers[place]) if table.headers else "",
            justify="left" if words else "right",
            overflow="fold",
            no_wrap=not words,
            style="" if table.headers or place else "bold",
            vertical="top",
        )
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def _show_bars(console: Console, bars: Bars) -> None:
    from rich.progress_bar import ProgressBar
    from rich.table import Table as Rich
    from rich.text import Text

    grid = Rich.grid(padding=(0, 1), expand=True)
    grid.add_column(overflow="fold")
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    for bar in bars.rows:
        over = bar.share > 1
        style = "red" if over else "cyan"
        drawn = ProgressBar(1, min(bar.share, 1), complete_style=style, finished_style=style)
        end = Text("▶" if over else "▏", "red" if over else "dim")
        grid.add_row(Text(bar.label), drawn, end, Text(bar.figure, "red" if over else ""))
    console.print(Text(bars.title, "bold"))
    console.print(grid, width=min(console.width, WIDEST_BARS))
