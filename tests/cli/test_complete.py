# SPDX-License-Identifier: Apache-2.0
"""What the shell is offered, as the shell asks for it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from edgecxr.cli.main import app


def offered(line: str) -> list[str]:
    """Answers to the Tab key at the end of a line, in bash."""
    words = line.split(" ")
    asked = {
        "_EDGECXR_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    return CliRunner().invoke(app, prog_name="edgecxr", env=asked).output.split()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("edgecxr quan", ["quantize"]),
        ("edgecxr report --mark", ["--markdown"]),
        ("edgecxr export --format ei", ["eim"]),
        ("edgecxr flash --board micro", ["microbit"]),
        ("edgecxr boards --board pic", ["pico"]),
        ("edgecxr emulate --board ho", ["host"]),
        ("edgecxr bench x --device emulator:stm", ["emulator:stm32f405"]),
        ("edgecxr classify --device ser", ["serial"]),
        ("edgecxr demo --device emulator:ho", ["emulator:host"]),
    ],
)
def test_commands_options_and_boards_are_completed(line: str, answer: list[str]) -> None:
    assert offered(line) == answer


def test_boards_without_an_emulator_are_not_offered_for_one() -> None:
    assert "nano33" in offered("edgecxr flash --board ")
    assert "nano33" not in offered("edgecxr emulate --board ")
