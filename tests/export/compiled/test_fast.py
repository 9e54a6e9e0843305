# SPDX-License-Identifier: Apache-2.0
"""The fast requantization equals TFLite's for every sum that a channel can reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.export.compiled import fast


def tflite(sums: fast.Ints, multiplier: int, right_shift: int) -> fast.Ints:
    """TFLite's double rounding to zero point -128, clamped to int8."""
    high = (sums * multiplier + (1 << 30)) >> 31
    mask = (1 << right_shift) - 1
    rounded = (high >> right_shift) + ((high & mask) > (mask >> 1) + (high < 0))
    return np.clip(rounded - 128, -128, 127)


def fast_output(sums: fast.Ints, exact: fast.Requantization, shift: int, scale: int) -> fast.Ints:
    high = ((scale * sums + exact.bias) * exact.multiplier) >> 32
    return np.clip((high + exact.offset) >> shift, -128, 127)


channels = st.tuples(
    st.integers(1 << 30, (1 << 31) - 1),
    st.integers(6, 12),
    st.integers(-200_000, 100_000),
    st.integers(1, 300_000),
)


@settings(max_examples=150, deadline=None)
@given(channels, st.sampled_from(fast.SHIFTS))
def test_every_reachable_sum_is_exact(channel: tuple[int, int, int, int], shift: int) -> None:
    multiplier, right_shift, low, span = channel
    steps = fast.Staircase.of(multiplier, right_shift, low, low + span)
    sums = np.arange(low, low + span + 1, dtype=np.int64)
    expected = tflite(sums, multiplier, right_shift)
    times_256, plain = fast.scaled(steps, shift), fast.plain(steps, shift)
    if times_256 is not None:
        np.testing.assert_array_equal(fast_output(sums, times_256, shift + 8, 256), expected)
    if plain is not None:
        np.testing.assert_array_equal(fast_output(sums, plain, shift, 1), expected)


@pytest.mark.parametrize("right_shift", [7, 8, 9])
def test_usual_scales_have_an_exact_form(right_shift: int) -> None:
    random = np.random.default_rng(right_shift)
    for multiplier in random.integers(1 << 30, 1 << 31, 20).tolist():
        steps = fast.Staircase.of(multiplier, right_shift, -100_000, 150_000)
        assert fast.scaled(steps, fast.DEPTHWISE_SHIFT) is not None
        assert fast.plain(steps, fast.DEPTHWISE_SHIFT) is not None


def test_a_channel_that_is_always_off_is_constant() -> None:
    steps = fast.Staircase.of(1 << 30, 8, -5000, -1)
    for exact, scale, shift in ((fast.plain(steps, 4), 1, 4), (fast.scaled(steps, 4), 256, 12)):
        assert exact is not None
        sums = np.arange(-5000, 0, dtype=np.int64)
        assert set(fast_output(sums, exact, shift, scale).tolist()) == {-128}


def test_weights_that_do_not_share_a_word_are_refused() -> None:
    taps = np.full((2, 8), -128, np.int8)
    layer = fast.Sums(taps, np.zeros(2, np.int64), np.full(2, 1 << 30), np.full(2, 8))
    assert fast.pack_pointwise(layer) is None


def test_a_layer_without_relu_takes_the_exact_kernel() -> None:
    random = np.random.default_rng(3)
    taps = random.integers(-127, 128, (4, 10)).astype(np.int8)
    shifts = np.array([7, 8, 9, 10])
    layer = fast.Sums(taps, np.arange(4), np.full(4, 1 << 30), shifts)
    packed = fast.pack_pointwise(layer, output_zero=-5)
    assert packed is not None
    assert (packed.kernel, packed.writes_planes) == ("ecx_exact_pointwise_s8", False)
    assert packed.stream.reshape(2, 13)[:, -1].tolist() == [0xFB0807, 0xFB0A09]


def test_an_odd_number_of_channels_is_refused() -> None:
    taps = np.ones((3, 8), np.int8)
    layer = fast.Sums(taps, np.zeros(3, np.int64), np.full(3, 1 << 30), np.full(3, 8))
    assert fast.pack_pointwise(layer) is None


def test_sums_too_large_to_keep_times_256_are_refused() -> None:
    taps = np.full((2, 600), 127, np.int8)
    layer = fast.Sums(taps, np.zeros(2, np.int64), np.full(2, 1 << 30), np.full(2, 14))
    assert fast.pack_pointwise(layer) is None
