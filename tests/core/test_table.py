# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from edgecxr.core.table import Bar, Bars, Table, facts, plain

SCORES = Table(["model", "accuracy\n%"], [["int8", "96.3"], ["float32", "100"]])


def test_words_begin_at_the_left_and_figures_end_at_the_right() -> None:
    assert plain(SCORES).splitlines() == [
        "model      accuracy",
        "                  %",
        "-------  ----------",
        "int8           96.3",
        "float32         100",
    ]


def test_parts_stand_apart_and_bars_are_left_out() -> None:
    bars = Bars("a", [Bar("b", 0.5, "50 %")])
    assert plain(["one", bars, "two"]) == "one\n\ntwo"
    assert plain(bars) == ""


def test_markdown_has_one_line_for_the_headers() -> None:
    head, rule, *_ = plain(SCORES, markdown=True).splitlines()
    assert [cell.strip() for cell in head.split("|")[1:-1]] == ["model", "accuracy %"]
    assert set(rule) <= set("|-: ")


def test_facts_are_lines() -> None:
    assert plain(facts([("a", "1"), ("long", "2")])) == "a     1\nlong  2"


def test_an_empty_table_has_its_headers() -> None:
    assert plain(Table(["a", "b"], [])).split()[:2] == ["a", "b"]
