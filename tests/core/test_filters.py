# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgecxr.core import filters
from edgecxr.core.filters import Pixels


def pictures(low: int = 1, high: int = 40) -> st.SearchStrategy[Pixels]:
    sides = st.tuples(st.integers(low, high), st.integers(low, high))
    return arrays(np.uint8, sides, elements=st.integers(0, 255))


def noise(seed: int, shape: tuple[int, int] = (96, 96)) -> Pixels:
    return np.random.default_rng(seed).integers(40, 210, shape, np.uint8)


def _slow_clahe(pixels: Pixels) -> Pixels:
    """From the definition, pixel by pixel, in fractions of one; no two lines are shared."""
    height, width = pixels.shape
    tall, wide = -(-height // 8), -(-width // 8)
    maps = {}
    grown = np.pad(pixels, ((0, 8 * tall - height), (0, 8 * wide - width)), mode="symmetric")
    for i in range(8):
        for j in range(8):
            tile = grown[i * tall : (i + 1) * tall, j * wide : (j + 1) * wide]
            share = np.array([np.mean(tile == level) for level in range(256)])
            limit = 2 / 256
            cut = np.where(share > limit, limit, share)
            maps[i, j] = np.round(255 * np.cumsum(cut + (1 - cut.sum()) / 256) + 1e-9)
    out = np.zeros(pixels.shape)
    for y in range(height):
        for x in range(width):
            v, u = (y + 0.5) / tall - 0.5, (x + 0.5) / wide - 0.5
            i, j = int(np.floor(v)), int(np.floor(u))
            for di, a in ((0, 1 - (v - i)), (1, v - i)):
                for dj, b in ((0, 1 - (u - j)), (1, u - j)):
                    tile_at = min(max(i + di, 0), 7), min(max(j + dj, 0), 7)
                    out[y, x] += a * b * maps[tile_at][pixels[y, x]]
    return np.floor(out + 0.5 + 1e-9).astype(np.uint8)


@given(pictures(high=30))
@settings(max_examples=8)
def test_clahe_is_what_its_definition_says(pixels: Pixels) -> None:
    found = filters.clahe(pixels).astype(int)
    # Rounding of a tie in floats; the integers know the exact half.
    assert np.abs(found - _slow_clahe(pixels)).max() <= 1


@given(pictures())
def test_filters_keep_shape_and_type_and_give_the_same_each_time(pixels: Pixels) -> None:
    before = pixels.copy()
    for function in (filters.clahe, filters.gaussian_3x3):
        found = function(pixels)
        assert (found.shape, found.dtype) == (pixels.shape, np.uint8)
        assert np.array_equal(found, function(pixels))
    assert np.array_equal(pixels, before)


@given(pictures())
def test_a_gaussian_stays_within_its_neighbours(pixels: Pixels) -> None:
    found = filters.gaussian_3x3(pixels)
    grown = np.pad(pixels, 1, mode="edge")
    height, width = pixels.shape
    shifted = [grown[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    assert np.all(np.min(shifted, axis=0) <= found)
    assert np.all(found <= np.max(shifted, axis=0))


def test_a_gaussian_has_its_weights() -> None:
    pixels = np.zeros((5, 5), np.uint8)
    pixels[2, 2] = 255
    weights = np.exp(-0.5 * np.array([1, 0, 1]))
    weights /= weights.sum()
    inner = np.floor(255 * np.outer(weights, weights) + 0.5)
    assert np.array_equal(filters.gaussian_3x3(pixels), np.pad(inner, 1))


@given(st.integers(0, 255), st.integers(1, 60), st.integers(1, 60))
def test_a_constant_picture_stays_constant(level: int, height: int, width: int) -> None:
    flat = np.full((height, width), level, np.uint8)
    assert np.array_equal(filters.gaussian_3x3(flat), flat)
    assert len(np.unique(filters.clahe(flat))) == 1
    assert filters.frame(flat) == (0, 0, width, height)


def test_clahe_raises_the_contrast_of_a_dull_part_and_not_without_limit() -> None:
    dull = (100 + noise(1).astype(int) // 20).astype(np.uint8)
    found = filters.clahe(dull)
    assert 2 < found.std() / dull.std() < 3.1  # rounding


@pytest.mark.parametrize("level", [0, 6, 250, 255])
@given(
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)),
    st.integers(0, 99),
)
@settings(max_examples=20)
def test_a_frame_is_cut_off_exactly(
    level: int, sides: tuple[int, int, int, int], seed: int
) -> None:
    left, top, right, bottom = sides
    framed = np.pad(noise(seed, (50, 60)), ((top, bottom), (left, right)), constant_values=level)
    assert filters.frame(framed) == (left, top, left + 60, top + 50)


def test_letters_in_a_frame_do_not_stop_the_crop() -> None:
    framed = np.pad(noise(3, (80, 80)), 20)
    framed[5:9, 4:6] = 255
    assert filters.frame(framed) == (20, 20, 100, 100)


def test_a_frame_of_two_kinds_goes_from_outside_inwards() -> None:
    framed = np.pad(np.pad(noise(3, (80, 80)), 8), 4, constant_values=255)
    assert filters.frame(framed) == (12, 12, 92, 92)


def test_what_would_leave_almost_nothing_is_no_frame() -> None:
    dark = np.zeros((100, 100), np.uint8)
    dark[40:60, 40:60] = 128
    assert filters.frame(dark) == (0, 0, 100, 100)


@given(pictures())
def test_any_box_is_inside_the_picture_and_what_it_leaves_has_no_frame(pixels: Pixels) -> None:
    left, top, right, bottom = filters.frame(pixels)
    height, width = pixels.shape
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    inner = pixels[top:bottom, left:right]
    assert filters.frame(inner) == (0, 0, right - left, bottom - top) or inner.shape != pixels.shape


@given(pictures(high=20), st.integers(0, 50), st.integers(0, 50), st.booleans())
def test_padding_keeps_the_picture_in_the_middle(
    pixels: Pixels, down: int, right: int, reflect: bool
) -> None:
    height, width = pixels.shape
    found = filters.pad_to(pixels, height + down, width + right, reflect=reflect)
    assert found.shape == (height + down, width + right)
    top, left = down // 2, right // 2
    assert np.array_equal(found[top : top + height, left : left + width], pixels)
    if not reflect:
        assert found.sum() == pixels.sum()
    else:
        assert set(np.unique(found)) == set(np.unique(pixels))
