# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import sys

import pytest

from edgecxr.cli import common

TABLE = "model  score\n-----  -----\nint8     0.9"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    return shown


def test_a_terminal_gets_colours(terminal: Terminal) -> None:
    common.show("a: Normal\n  x ██··", {"█+": "cyan"})
    assert "\x1b[36m██\x1b[0m··" in terminal.getvalue()


def test_a_table_s_heading_is_bold(terminal: Terminal) -> None:
    common.show(TABLE, common.TABLE)
    assert terminal.getvalue().startswith("\x1b[1mmodel  score\x1b[0m\n\x1b[2m-----  -----")


def test_no_color_is_honoured(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    common.show("a ██", {"█+": "cyan"})
    assert "36m" not in terminal.getvalue()


def test_a_pipe_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    common.show(TABLE, common.TABLE)
    assert capsys.readouterr().out == TABLE + "\n"


def test_long_lines_are_left_to_the_terminal(terminal: Terminal) -> None:
    common.show("x" * 500, {})
    assert terminal.getvalue() == "x" * 500 + "\n"
