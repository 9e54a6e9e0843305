# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import io

import pytest

from edgecxr.cli import common

TABLE = "model  score\n-----  -----\nint8     0.9"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)


def on_terminal(text: str, styles: dict[str, str]) -> str:
    with contextlib.redirect_stdout(Terminal()) as shown:
        common.show(text, styles)
    return shown.getvalue()


def test_a_terminal_gets_colours() -> None:
    assert "\x1b[36m██\x1b[0m··" in on_terminal("a: Normal\n  x ██··", {"█+": "cyan"})


def test_a_table_s_heading_is_bold() -> None:
    shown = on_terminal(TABLE, common.TABLE)
    assert shown.startswith("\x1b[1mmodel  score\x1b[0m\n\x1b[2m-----  -----")


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "36m" not in on_terminal("a ██", {"█+": "cyan"})


def test_a_pipe_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    common.show(TABLE, common.TABLE)
    assert capsys.readouterr().out == TABLE + "\n"


def test_long_lines_are_left_to_the_terminal() -> None:
    assert on_terminal("x" * 500, {}) == "x" * 500 + "\n"
