# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecxr.errors import DataError
from edgecxr.training.quantize import representative_indices, representative_inputs

LABELS = np.array([0] * 50 + [1] * 30 + [2] * 4)


@given(st.integers(1, len(LABELS)), st.integers(0, 1000))
def test_the_draw_is_stratified_seeded_and_without_repeats(size: int, seed: int) -> None:
    chosen = representative_indices(LABELS, size, seed)
    assert len(chosen) == len(set(chosen.tolist())) == size
    counts = np.bincount(LABELS[chosen], minlength=3)
    share = size // 3
    assert all(counts >= np.minimum(share, np.bincount(LABELS)))
    np.testing.assert_array_equal(chosen, representative_indices(LABELS, size, seed))


def test_too_large_a_draw_is_refused() -> None:
    with pytest.raises(DataError, match=r"at least 85 training images .*found 84"):
        representative_indices(LABELS, 85, 0)


def test_the_representative_inputs_span_the_whole_pixel_range() -> None:
    pixels = np.full((3, 8, 8), 100, np.uint8)
    inputs = [values for (values,) in representative_inputs(pixels)]
    assert {values.shape for values in inputs} == {(1, 8, 8, 1)}
    assert (inputs[0].min(), inputs[0].max()) == (-1.0, 127 / 128)
    np.testing.assert_array_equal(np.sort(inputs[0].ravel())[1:-1], (100 - 128) / 128)
    np.testing.assert_array_equal(inputs[1], (100 - 128) / 128)
