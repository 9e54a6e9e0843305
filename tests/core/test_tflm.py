# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgecxr.core import tflm
from edgecxr.core.tflm import TflmInterpreter, load_tflm, measure_arena
from edgecxr.errors import ModelError

PYTHON_THAT_ABORTS = [sys.executable, "-c", "import os; os.abort()"]


def runs_in(model: Path, arena: int) -> bool:
    try:
        load_tflm().Interpreter.from_bytes(model.read_bytes(), arena_size=arena).invoke()
    except RuntimeError:
        return False
    return True


def test_tflm_needs_exactly_the_measured_arena(tiny_int8, tiny_float32) -> None:
    for model in (tiny_int8, tiny_float32):
        needed = measure_arena(model).bytes_used
        assert runs_in(model, needed)
        assert not runs_in(model, needed - 16)


def test_the_measurement_repeats_and_adds_up(tiny_int8) -> None:
    found = measure_arena(tiny_int8)
    assert found == measure_arena(tiny_int8)
    assert found.head + found.tail == found.bytes_used
    assert found.pointer_bytes == 8


def test_the_largest_activations_set_the_head(tiny_int8) -> None:
    # The depthwise layer reads 48×48×8 and writes 24×24×8; the first layer reads 96×96×1 and
    # writes 48×48×8, which is more: 9,216 + 18,432 bytes.
    assert measure_arena(tiny_int8).head == 96 * 96 + 48 * 48 * 8


def test_a_process_that_dies_is_one_sentence(monkeypatch, tiny_int8) -> None:
    monkeypatch.setattr(tflm, "module_command", lambda *_: PYTHON_THAT_ABORTS)
    with pytest.raises(ModelError, match="was ended by SIGABRT") as caught:
        measure_arena(tiny_int8)
    assert "\n" not in str(caught.value)


def test_a_truncated_model_is_one_sentence(tmp_path: Path, tiny_int8: Path) -> None:
    path = tmp_path / "short.tflite"
    path.write_bytes(tiny_int8.read_bytes()[:2000])
    with pytest.raises(ModelError, match="is not a whole"):
        measure_arena(path)


def test_a_process_that_hangs_is_ended(monkeypatch, tiny_int8) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("tflm", 120)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(ModelError, match="did not finish one run"):
        measure_arena(tiny_int8)


def test_the_interpreter_says_what_it_is(tiny_int8) -> None:
    interpreter = TflmInterpreter(tiny_int8)
    assert (interpreter.name, interpreter.version) == ("tflite-micro", tflm.tflm_version())
    assert (interpreter.precision, interpreter.classes) == ("int8", 3)
