# SPDX-License-Identifier: Apache-2.0
"""The estimate of the lungs against phantoms, whose generator knows them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edgecxr.core.lungs import lung_region, lung_zone
from edgecxr.data.anatomy import OPACITIES, draw, draw_with_lungs


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize("label", OPACITIES)
@pytest.mark.parametrize("size", [96, 150])
def test_the_lungs_of_phantoms_are_found(label: str, size: int) -> None:
    drawn = [draw_with_lungs(label, np.random.default_rng(seed), size) for seed in range(12)]
    found = [overlap(lung_region(pixels), lungs) for pixels, lungs in drawn]
    assert np.mean(found) > 0.65
    assert min(found) > 0.45


def test_it_is_better_than_the_same_place_for_every_image() -> None:
    drawn = [draw_with_lungs("normal", np.random.default_rng(seed), 96) for seed in range(20)]
    fixed = lung_region(np.zeros((96, 96), np.uint8))
    found = np.mean([overlap(lung_region(pixels), lungs) for pixels, lungs in drawn])
    assert found > np.mean([overlap(fixed, lungs) for _, lungs in drawn]) + 0.05


def test_the_known_lungs_are_those_of_the_picture() -> None:
    pixels, lungs = draw_with_lungs("normal", np.random.default_rng(4), 96)
    assert (pixels == draw("normal", np.random.default_rng(4), 96)).all()
    assert pixels[lungs].mean() < pixels[20:80, 44:52].mean()


@settings(max_examples=30)
@given(arrays(np.uint8, st.tuples(st.integers(8, 70), st.integers(8, 70))))
def test_any_picture_has_a_region(pixels: NDArray[np.uint8]) -> None:
    region = lung_region(pixels)
    assert region.shape == pixels.shape
    assert region.dtype == bool
    assert 0.02 < region.mean() < 0.75
    assert not (region & ~lung_zone(*pixels.shape)).any()
