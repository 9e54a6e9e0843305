# SPDX-License-Identifier: Apache-2.0
"""Tables and bars as values: what a command shows, before it is known where.

:func:`plain` is their text for pipes and files; ``cli/terminal.py`` draws them on a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
        headers: one for each column, of one line or two; none for a list of facts.
        text: the first so many columns are words, which begin at the left; the rest are figures,
            which end at the right.
        flush_left: in plain text all columns begin at the left.
        plain: the plain text, where it is not a grid.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: int = 1
    flush_left: bool = False
    plain: str | None = None


@dataclass(frozen=True)
class Bar:
    """A share of the whole length, and the figure at its end. Above 1 it is over a limit."""

    label: str
    share: float
    figure: str


@dataclass(frozen=True)
class Bars:
    """For the eye, beside a table with the same figures; plain text leaves them out."""

    title: str
    rows: Sequence[Bar]


Part = str | Table | Bars


def facts(rows: Sequence[tuple[str, str]]) -> Table:
    """What is said of one thing: names and words."""
    width = max(len(name) for name, _ in rows) + 2
    lines = "\n".join(f"{name:<{width}}{value}".rstrip() for name, value in rows)
    return Table((), rows, text=2, plain=lines)


def plain(parts: Part | Iterable[Part], *, markdown: bool = False) -> str:
    """The text of parts, with an empty line between them; tables as GitHub's if wanted."""
    several = [parts] if isinstance(parts, str | Table | Bars) else parts
    shown = (
        part if isinstance(part, str) else _plain(part, markdown)
        for part in several
        if not isinstance(part, Bars)
    )
    return "\n\n".join(shown)


def _plain(table: Table, markdown: bool) -> str:
    from tabulate import tabulate

    if table.plain is not None and not markdown:
        return table.plain
    headers = [head.replace("\n", " ").strip() for head in table.headers]
    sides = ["left" if i < table.text else "right" for i in range(len(table.headers))]
    return tabulate(
        table.rows,
        headers=headers if markdown else table.headers,
        tablefmt="github" if markdown else "simple",
        colalign=None if table.flush_left else sides,
        disable_numparse=True,
    )
