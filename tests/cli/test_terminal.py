# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from edgecxr.cli.terminal import fitted, show
from edgecxr.core.table import Bar, Bars, Part, Table, facts, plain

TABLE = Table(["model", "score"], [["int8", "0.9"], ["float32", "0.95 (0.9–1.0)"]])
BARS = Bars("Memory", [Bar("a board", 0.5, "50 %"), Bar("a small one", 1.5, "150 %")])
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)


def on_terminal(parts: Part | Sequence[Part], styles: Mapping[str, str] | None = None) -> str:
    with contextlib.redirect_stdout(Terminal()) as shown:
        show(parts, styles=styles)
    return shown.getvalue()


def test_a_terminal_gets_colours() -> None:
    assert "\x1b[36m██\x1b[0m··" in on_terminal("a: Normal\n  x ██··", {"█+": "cyan"})


def test_a_table_has_a_bold_heading_and_figures_that_end_together() -> None:
    shown = on_terminal(TABLE)
    assert "\x1b[1mmodel" in shown
    lines = [line.rstrip() for line in _ESCAPES.sub("", shown).splitlines()]
    assert "─" in lines[1]
    assert lines[2].endswith("0.9")
    assert lines[3].endswith("0.95 (0.9–1.0)")
    assert len(lines[2]) == len(lines[3])


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    colours = re.compile(r"\x1b\[[0-9;]*[34][0-7]m")
    assert not colours.search(on_terminal(["a ██", TABLE, BARS], {"█+": "cyan"}))


def test_bars_end_at_their_limit() -> None:
    lines = _ESCAPES.sub("", on_terminal(BARS)).splitlines()
    assert lines[0].strip() == "Memory"
    assert lines[1].count("█") == pytest.approx(lines[2].count("█") / 2, abs=1)
    assert "▏" in lines[1]
    assert "▶" in lines[2]
    assert lines[2].rstrip().endswith("150 %")


@pytest.mark.parametrize("markdown", [False, True])
def test_a_pipe_gets_plain_text(capsys: pytest.CaptureFixture[str], markdown: bool) -> None:
    show(["a", TABLE, BARS], markdown=markdown)
    assert capsys.readouterr().out == plain(["a", TABLE], markdown=markdown) + "\n"


def test_markdown_is_the_same_on_a_terminal() -> None:
    with contextlib.redirect_stdout(Terminal()) as shown:
        show(TABLE, markdown=True)
    assert shown.getvalue() == plain(TABLE, markdown=True) + "\n"


def test_long_words_are_left_to_the_terminal_and_lines_fold_at_spaces() -> None:
    assert on_terminal("x" * 500) == "x" * 500 + "\n"
    lines = on_terminal("  " + "word " * 40).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("    word") for line in lines[1:])


def test_facts_keep_their_words_whole() -> None:
    shown = _ESCAPES.sub("", on_terminal(facts([("SHA-256", "a" * 64)])))
    assert "a" * 64 in shown


cells = st.text("ab 1(é漢", max_size=30).map(str.strip)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.integers(1, 12), st.integers(1, 3), st.integers(20, 140))
def test_a_fitted_table_keeps_every_figure_and_its_width(
    data: st.DataObject, columns: int, text: int, width: int
) -> None:
    heads = data.draw(st.lists(cells, min_size=columns, max_size=columns))
    rows = data.draw(st.lists(st.lists(cells, min_size=columns, max_size=columns), max_size=4))
    table = Table(heads, rows, text=text)
    blocks = fitted(table, width)
    assert _figures(blocks) == _figures([table])
    for block in blocks:
        columns_of = zip(block.headers, *block.rows, strict=True)
        wide = sum(2 + max(map(cell_len, "\n".join(each).split("\n"))) for each in columns_of)
        # Words fold, and one column of figures always stands.
        assert wide <= width or len(block.headers) <= text + 1


def _figures(blocks: Sequence[Table]) -> list[list[str]]:
    """Each column of figures, header first, without line ends."""
    return [
        [row[i].replace("\n", " ") for row in (block.headers, *block.rows)]
        for block in blocks
        for i in range(block.text, len(block.headers))
    ]
