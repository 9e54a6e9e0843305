# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecxr.core import tflm
from edgecxr.errors import MissingPackageError, ModelError
from edgecxr.export.arena import ALIGNMENT, arena_for, with_margin
from tests.export.flat import small_classifier


@given(st.integers(0, 2**24))
def test_the_margin_is_five_percent_and_at_least_a_kibibyte(measured: int) -> None:
    size = with_margin(measured)
    assert size % ALIGNMENT == 0
    assert size - measured >= max(1024, measured / 20)
    assert size - measured < max(1024, measured / 20) + ALIGNMENT + 1


def test_the_arena_is_measured(small_int8: Path) -> None:
    pytest.importorskip("tflite_micro")
    arena = arena_for(small_int8)
    assert arena.measured == tflm.measure_arena(small_int8).bytes_used
    assert arena.size == with_margin(arena.measured)
    assert arena.margin == arena.size - arena.measured
    assert "tflite-micro" in arena.how


def test_a_given_size_is_taken_as_it_is(small_int8: Path) -> None:
    arena = arena_for(small_int8, 12345)
    assert (arena.size, arena.measured, arena.margin) == (12345, None, None)


def test_a_given_size_that_cannot_hold_the_activations_is_refused(small_int8: Path) -> None:
    pytest.importorskip("tflite_micro")
    with pytest.raises(ModelError, match=r"--arena of at least [\d,]+ bytes.*found 5;"):
        arena_for(small_int8, 5)


def test_without_tflite_micro_both_ways_out_are_named(
    small_int8: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflm, "PACKAGE", "tflite-micro-that-nobody-has")
    with pytest.raises(MissingPackageError, match=r"pip install .*--arena BYTES"):
        arena_for(small_int8)


def test_a_model_that_tflm_refuses_is_one_sentence(small_int8: Path) -> None:
    pytest.importorskip("tflite_micro")
    flat = small_classifier()
    flat.graph.tensors[8].quantization.scale = [0.5]  # TFLM's SOFTMAX gives 1/256 only
    small_int8.write_bytes(flat.pack())
    with pytest.raises(ModelError, match="TFLM could not run") as caught:
        arena_for(small_int8)
    assert "\n" not in str(caught.value)
