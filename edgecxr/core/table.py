# SPDX-License-Identifier: Apache-2.0
"""Tables and bars as values: what a command shows, before it is known where.

:func:`plain` is their text for pipes and files; ``cli/terminal.py`` draws them on a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edgecxr.core.text import code, lines, one_line
from edgecxr.core.text import markdown as as_markdown


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
        headers: one for each column, of one line or two; none for a list of facts.
        rows: any text: :func:`plain` and the terminal make it safe.
        text: the first so many columns are words, which begin at the left; the rest are figures,
            which end at the right.
        flush_left: in plain text all columns begin at the left.
        plain: the plain text, where it is not a grid.
        code: columns that Markdown shows as code.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: int = 1
    flush_left: bool = False
    plain: str | None = None
    code: Sequence[int] = ()


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
    rows = [(one_line(name), one_line(value)) for name, value in rows]
    width = max(len(name) for name, _ in rows) + 2
    lines = "\n".join(f"{name:<{width}}{value}".rstrip() for name, value in rows)
    return Table((), rows, text=2, plain=lines)


def plain(parts: Part | Iterable[Part], *, markdown: bool = False) -> str:
    """The text of parts, with an empty line between them; tables as GitHub's if wanted.

    Whatever of it strangers wrote is safe for a terminal or, as Markdown, for a page.
    """
    several = [parts] if isinstance(parts, str | Table | Bars) else parts
    shown = (
        _text(part, markdown) if isinstance(part, str) else _plain(part, markdown)
        for part in several
        if not isinstance(part, Bars)
    )
    return "\n\n".join(shown)


def safe(part: Part) -> Part:
    """The same, safe for a terminal: lines break where we broke them, and nothing else moves."""
    if isinstance(part, str):
        return lines(part)
    if isinstance(part, Bars):
        rows = [replace(bar, label=one_line(bar.label)) for bar in part.rows]
        return Bars(one_line(part.title), rows)
    return replace(
        part,
        headers=[lines(head) for head in part.headers],
        rows=[[one_line(cell) for cell in row] for row in part.rows],
        plain=None if part.plain is None else lines(part.plain),
    )


def _text(text: str, markdown: bool) -> str:
    """Lines of text; in Markdown a list stays one."""
    if not markdown:
        return lines(text)
    marks = (re.match(r"(?:- )?", line) for line in text.split("\n"))
    return "\n".join(m[0] + as_markdown(m.string[m.end() :]) for m in marks if m is not None)


def _plain(table: Table, markdown: bool) -> str:
    from tabulate import tabulate

    if table.plain is not None and not markdown:
        return lines(table.plain)
    headers = [as_markdown(head).strip() for head in table.headers]
    sides = ["left" if i < table.text else "right" for i in range(len(table.headers))]
    cells = [
        [_cell(cell, markdown, i in table.code) for i, cell in enumerate(row)] for row in table.rows
    ]
    return tabulate(
        cells,
        headers=headers if markdown else [lines(head) for head in table.headers],
        tablefmt="github" if markdown else "simple",
        colalign=None if table.flush_left else sides,
        disable_numparse=True,
    )


def _cell(cell: str, markdown: bool, is_code: bool) -> str:
    if not markdown:
        return one_line(cell)
    return code(cell) if is_code and cell else as_markdown(cell)
