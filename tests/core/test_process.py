# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess

import pytest

from edgecxr.core.process import (
    how_it_ended,
    module_command,
    module_environment,
    why_it_ended,
)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "ended with code 1"),
        (-6, "was ended by SIGABRT"),
        (-11, "was ended by SIGSEGV"),
        (-250, "was ended by signal 250"),
    ],
)
def test_return_codes_are_put_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words


def test_silent_death_says_so() -> None:
    cause = why_it_ended(-6, "\nINFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
    assert cause == "its process was ended by SIGABRT without a message"


def test_c_code_names_the_cause_first() -> None:
    cause = why_it_ended(
        1, "Didn't find op for builtin opcode 'GELU'\nFailed to get registration\n"
    )
    assert cause.endswith(": Didn't find op for builtin opcode 'GELU'")


def test_a_traceback_names_the_cause_last() -> None:
    text = 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: no good\n'
    assert why_it_ended(1, text) == "its process ended with code 1: ValueError: no good"


def test_the_package_is_found_from_any_folder(tmp_path, monkeypatch) -> None:
    (tmp_path / "edgecxr.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        module_command("edgecxr.core.tflm", str(tmp_path / "none.tflite")),
        env=module_environment(),
        capture_output=True,
        text=True,
    )
    assert "none.tflite could not be read" in done.stderr
