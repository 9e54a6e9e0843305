# SPDX-License-Identifier: Apache-2.0
"""Text of strangers on a terminal and in Markdown, and what may be a name or a label."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecxr.core.table import Bar, Bars, Table, plain, safe
from edgecxr.core.text import (
    MOST_LABELS,
    code,
    fault_of_labels,
    fault_of_name,
    lines,
    listed,
    markdown,
    one_line,
)

TITLE = "a\x1b]0;owned\x07\x1b[2Jb\nedgecxr: all is well"
# Quotes, signs, other scripts, a joiner that Persian needs, a letter of two code points.
WELCOME = (
    '"a\'b"', "%s%n%d", "</svg>", "*/", "two words", "a\\nb", "??/", "正常", "می‌خواهم",
    "e\u0301", "🫁", "-v", "_", "=1+1", "a{b}", "$x$", "l'été", "b/c", "|", "`", "#",
)  # fmt: skip


def test_nothing_moves_the_cursor_and_no_line_is_forged() -> None:
    assert one_line(TITLE) == r"a\x1b]0;owned\x07\x1b[2Jb\nedgecxr: all is well"
    assert lines(TITLE) == "a\\x1b]0;owned\\x07\\x1b[2Jb\nedgecxr: all is well"


@given(st.text(st.characters(), max_size=30))
def test_any_text_is_printable_on_one_line(text: str) -> None:
    shown = one_line(text)
    shown.encode()  # no half of a pair is left
    # A joiner and a wide space are no controls, though Python counts them so.
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]", shown)


@pytest.mark.parametrize("text", WELCOME)
def test_what_can_be_printed_stays_as_it_is(text: str) -> None:
    assert one_line(text) == text


def rendered(source: str) -> str:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("table").render(source)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_markdown_shows_any_text_as_it_is(text: str) -> None:
    shown = " ".join(one_line(" ".join(text.splitlines())).split())
    page = rendered(markdown(text))
    assert not re.search(r"<(?!/?p>)", page)
    assert " ".join(unescape(re.sub(r"</?p>", "", page)).split()) == shown


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(str.strip))
def test_any_text_is_one_cell_of_a_markdown_table(text: str) -> None:
    page = rendered(plain(Table(["a", "b"], [[text, "end"]], code=(1,)), markdown=True))
    assert page.count("<tr>") == 2
    assert page.count("<td") == 2
    assert "<code>end</code>" in page
    assert not re.search(r"<(?!/?(?:table|thead|tbody|tr|t[hd]|code)[ >])", page)


@pytest.mark.parametrize("text", ["a|b", "`", "``x`", "\n```\n# forged"])
def test_code_in_a_cell_stays_in_it(text: str) -> None:
    page = rendered(f"| a |\n|---|\n| {code(text)} |\n")
    assert page.count("<td>") == page.count("<code>") == 1


def test_tables_bars_and_texts_are_safe_for_a_terminal() -> None:
    table = safe(Table(["one\ntwo"], [[TITLE]]))
    assert isinstance(table, Table)
    assert (table.headers, table.rows) == (["one\ntwo"], [[one_line(TITLE)]])
    bars = safe(Bars("t", [Bar(TITLE, 0.5, "1")]))
    assert isinstance(bars, Bars)
    assert bars.rows[0].label == one_line(TITLE)
    assert "\x1b" not in plain([TITLE, Table(["h"], [[TITLE]])])


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "/abs",
        "../x",
        "a\\b",
        "a\0b",
        "a\nb",
        "\x1b[2J",
        " ",
        "x" * 101,
        "-rf",
        "\u202ea",
    ],
)
def test_a_name_is_one_part_of_a_path_that_can_be_printed(name: str) -> None:
    assert fault_of_name(name)


@pytest.mark.parametrize("name", ["cxr3", "mon modèle", "a.b", "..a", "正常", "x" * 100])
def test_usual_names_are_welcome(name: str) -> None:
    assert fault_of_name(name) is None


def test_every_script_and_sign_may_be_a_label() -> None:
    assert fault_of_labels(WELCOME, len(WELCOME)) is None


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["a", "a"], "'a' twice"),
        (["é", "e\u0301"], "twice"),
        (["a b", "a  b"], "twice"),
        (["a", ""], "nothing is to be seen"),
        (["a", " \u3000"], "nothing is to be seen"),
        (["a", "\u200d"], "nothing is to be seen"),
        (["a", "\u3164"], "nothing is to be seen"),
        (["a", "b\nc"], "do not print"),
        (["a", "\ud83d"], "do not print"),
        (["a", "\u202eb"], "do not print"),
        (["a", "b\x9b"], "do not print"),
        (["a", "b" * 101], "101 characters"),
        (["a"], "1 labels"),
        ([str(i) for i in range(MOST_LABELS + 1)], "expected 2 to"),
        (["a", "b", "c"], "3 labels for a model of 2 outputs"),
    ],
)  # fmt: skip
def test_labels_that_mislead_are_refused(labels: list[str], why: str) -> None:
    assert why in (fault_of_labels(labels, 2) or "")


def test_a_thousand_names_are_not_all_shown() -> None:
    shown = listed([f"class{i}" for i in range(1000)])
    assert shown.endswith("class11, … (1,000 in all)")
