# SPDX-License-Identifier: Apache-2.0
"""Offline half of the fast kernels: a two-instruction requantization, proved, and their packing.

TFLite requantizes a sum in two roundings. Where the output has zero point -128 and the whole range
[-128, 127] (every ReLU and ReLU6 layer), negative sums all give -128, and what remains is a
staircase of at most 255 steps. The fast kernels climb it with

    q = saturate8((((sum * multiplier) >> 32) + offset) >> shift)

which is exact if, and only if, every step lies at the same sum. ``Staircase`` holds the steps that
the layer can reach; ``Staircase.windows`` finds the multipliers that meet all of them, with the
range of constants each one tolerates. No rounding error is estimated anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

SHIFTS = (4, 7)
"""Final shifts of the pointwise kernels: 7 where the scales are small, for more precision."""
DEPTHWISE_SHIFT = 4
_NEIGHBOURHOODS = (0, 8, 64, 512, 4096, 32768)
"""Distances from the real multiplier between which exact ones are looked for in one go."""
_SEARCHES = ((1 << 10, 64), (1 << 14, 256), (1 << 17, 1024))
"""(bias steps, multipliers) that are tried in turn, from the cheap to the thorough."""

Ints = NDArray[np.int64]
PairConstants = tuple[int, int, int, int, int]
"""Of two channels: bias of both and of the second, their multipliers, what the kernel adds."""


@dataclass(frozen=True)
class Window:
    """``multiplier`` is exact for every constant c in [low, high): step k at sum*multiplier + c."""

    multiplier: int
    low: int
    high: int


@dataclass(frozen=True)
class Staircase:
    """The sums at which the exact output steps up: ``sums[i]`` is the least one that gives
    ``outputs[i] - 128``. Only steps that lie in the reachable range of the sum."""

    outputs: Ints
    sums: Ints
    real: float

    @classmethod
    def of(cls, multiplier: int, right_shift: int, low: int, high: int) -> Staircase:
        """Steps of TFLite's requantization for sums in [low, high] (``right_shift`` >= 1).

        With v = (sum * multiplier + 2**30) >> 31, the output reaches k - 128 where
        v + 2**(right_shift - 1) >= k * 2**right_shift.
        """
        outputs, sums = [], []
        least = 0  # the output below the first step
        for k in range(1, 256):
            need = (((k << right_shift) - (1 << (right_shift - 1))) << 31) - (1 << 30)
            first = -(-need // multiplier)
            if first <= low:
                least = k
            elif first <= high:
                outputs.append(k)
                sums.append(first)
        if not outputs and least == 0:  # a channel that is always off: no step before its end
            outputs, sums = [1], [high + 1]
        real = multiplier * 2.0 ** (-31 - right_shift)
        return cls(np.array(outputs, np.int64), np.array(sums, np.int64), real)

    def windows(self, shift: int) -> Iterator[Window]:
        """All exact multipliers near the real one, roughly nearest first."""
        one = 1 << (32 + shift)
        nearest = round(self.real * one)
        if self.outputs.size == 0:
            return
        for near, far in pairwise(_NEIGHBOURHOODS):
            distance = np.arange(near, far, dtype=np.int64)
            exact = self._exact(one, np.concatenate([nearest + distance, nearest - distance]))
            yield from exact
            if not exact and far >= _NEIGHBOURHOODS[3]:
                return  # exact multipliers are neighbours of each other

    def _exact(self, one: int, multipliers: Ints) -> list[Window]:
        possible = multipliers[(multipliers > 0) & (multipliers < 1 << 31)]
        if possible.size == 0:
            return []
        steps = self.outputs[:, None] * one
        low = np.max(steps - self.sums[:, None] * possible, axis=0)
        high = np.min(steps - (self.sums[:, None] - 1) * possible, axis=0)
        good = np.flatnonzero(low < high).tolist()
        return [Window(int(possible[i]), int(low[i]), int(high[i])) for i in good]


@dataclass(frozen=True)
class Requantization:
    """``bias`` is added to the sum before the multiplication, ``offset`` after it."""

    bias: int
    multiplier: int
    offset: int


def plain(steps: Staircase, shift: int) -> Requantization | None:
    """For a sum as it is: q = sat8((((sum + bias) * multiplier >> 32) + offset) >> shift)."""
    for biases, multipliers in _SEARCHES:
        trial = np.arange(biases, dtype=np.int64)
        for window in islice(steps.windows(shift), multipliers):
            # bias * multiplier + offset * 2**32 must fall into [low, high).
            above = (trial * window.multiplier - window.low) % (1 << 32)
            hits = np.flatnonzero(above < window.high - window.low)
            if hits.size:
                bias = int(hits[0])
                offset = (window.low + int(above[bias]) - bias * window.multiplier) >> 32
                return Requantization(bias, window.multiplier, offset - (128 << shift))
    return None


def scaled(steps: Staircase, shift: int) -> Requantization | None:
    """For a sum times 256: q = sat8(((256 * sum + bias) * multiplier >> 32) >> (shift + 8)).

    The bias has eight bits of fraction, so it takes the place of an offset."""
    zero_point = 128 << (40 + shift)
    for window in steps.windows(shift):
        bias = -(-(256 * window.low - zero_point) // window.multiplier)
        if bias * window.multiplier + zero_point < 256 * window.high:
            return Requantization(bias, window.multiplier, 0)
    return None


@dataclass(frozen=True)
class Sums:
    """The sums of one layer, per output channel, and how TFLite requantizes them.

    ``taps`` int8 [out_c][taps]; ``bias`` with the input's zero point folded in; ``multiplier`` and
    ``right_shift`` as in TFLite.
    """

    taps: NDArray[np.int8]
    bias: Ints
    multiplier: Ints
    right_shift: Ints

    def reach(self, channel: int) -> tuple[int, int]:
        """The least and the greatest sum that any input gives."""
        taps = self.taps[channel].astype(np.int64)
        up, down = int(taps[taps > 0].sum()), int(taps[taps < 0].sum())
        bias = int(self.bias[channel])
        return bias - 128 * up + 127 * down, bias + 127 * up - 128 * down

    @property
    def fits(self) -> bool:
        """Every sum times 256 fits into 32 bits."""
        ends = [end for channel in range(len(self.taps)) for end in self.reach(channel)]
        return max(map(abs, ends)) < 1 << 23

    def scaled(self, channel: int, shift: int) -> Requantization | None:
        """``scaled`` with the layer's bias in it, if every sum times 256 fits into 32 bits."""
        exact = scaled(self.staircase(channel), shift)
        if exact is None:
            return None
        low, high = (256 * end + exact.bias for end in self.reach(channel))
        if low < -(1 << 31) or high >= 1 << 31:
            return None
        bias = 256 * int(self.bias[channel]) + exact.bias
        return Requantization(bias, exact.multiplier, exact.offset)

    def staircase(self, channel: int) -> Staircase:
        multiplier, shift = int(self.multiplier[channel]), int(self.right_shift[channel])
        return Staircase.of(multiplier, shift, *self.reach(channel))


@dataclass(frozen=True)
class PackedDepthwise:
    """``ecx_fast_depthwise`` of a 3x3 layer."""

    stream: NDArray[np.uint32]
    channels: int

    def initializer(
        self,
        names: tuple[str, str],
        out_w: int,
        strides: tuple[int, int, int],
        stride: int,
        pad_left: int,
    ) -> str:
        """C initializer. ``names``: of the stream and of the cells of a padding row (as many as a
        channel has); ``strides``: in_stride, pixel_stride, channel_stride."""
        numbers = (self.channels, out_w, *strides, stride, 1 - pad_left)
        return f"{{{', '.join((*names, *map(str, numbers)))}}}"


def pack_depthwise(sums: Sums) -> PackedDepthwise | None:
    """Pack a 3x3 layer, or None where a channel has no exact form."""
    channels = len(sums.taps)
    constants = np.zeros((channels, 2), np.uint32)
    for channel in range(channels):
        exact = sums.scaled(channel, DEPTHWISE_SHIFT)
        if exact is None:
            return None
        constants[channel] = exact.bias % (1 << 32), exact.multiplier
    taps = np.zeros(-(-9 * channels // 4) * 4, np.int8)
    taps[: 9 * channels] = sums.taps.reshape(-1)
    return PackedDepthwise(np.concatenate([constants.reshape(-1), taps.view(np.uint32)]), channels)


@dataclass(frozen=True)
class PackedPointwise:
    """``ecx_fast_pointwise``: its stream and the final shift, 0 for the exact kernel."""

    stream: NDArray[np.uint32]
    shift: int
    output_zero: int

    @property
    def kernel(self) -> str:
        return "ecx_fast_pointwise_s8" if self.shift else "ecx_exact_pointwise_s8"

    @property
    def writes_planes(self) -> bool:
        """The kernels fill the cells outside the map with -128."""
        return self.output_zero == -128

    def initializer(
        self, name: str, in_c: int, out_c: int, pixel_stride: int, channel_stride: int
    ) -> str:
        """C initializer; ``name`` is that of the stream."""
        numbers = (in_c, out_c, pixel_stride, channel_stride, self.shift)
        return f"{{{', '.join((name, *map(str, numbers)))}}}"


def pack_pointwise(sums: Sums, output_zero: int = -128) -> PackedPointwise | None:
    """The first of SHIFTS with an exact form for every channel, else the exact kernel, which takes
    any output zero point; None for weights or sums that do not fit its words."""
    channels, count = sums.taps.shape
    padded = np.zeros((channels, -(-count // 8) * 8), np.int32)
    padded[:, :count] = sums.taps
    halves = 256 * padded[0::2] + padded[1::2]
    if channels % 2 or halves.min() < -(1 << 15):
        return None
    words = halves.astype(np.int16).view(np.uint32)
    for shift in SHIFTS if output_zero == -128 else ():
        exact = _pairs(sums, shift)
        if exact is not None:
            return PackedPointwise(_stream(words, exact), shift, output_zero)
    if not sums.fits:
        return None
    return PackedPointwise(_stream(words, _exact_pairs(sums, output_zero)), 0, output_zero)


def _exact_pairs(sums: Sums, output_zero: int) -> list[PairConstants]:
    pairs = []
    for a in range(0, len(sums.taps), 2):
        b = a + 1
        low = int(sums.bias[b])
        shifts = int(sums.right_shift[a]) | int(sums.right_shift[b]) << 8
        last = shifts | (output_zero & 255) << 16
        multipliers = int(sums.multiplier[a]), int(sums.multiplier[b])
        pairs.append((256 * int(sums.bias[a]) + low, low, *multipliers, last))
    return pairs


def _pairs(sums: Sums, shift: int) -> list[PairConstants] | None:
    pairs = []
    for channel in range(0, len(sums.taps), 2):
        a = sums.scaled(channel, shift)
        b = None if a is None else plain(sums.staircase(channel + 1), shift)
        if a is None or b is None:
            return None
        low = int(sums.bias[channel + 1]) + b.bias
        pairs.append((a.bias + low, low, a.multiplier, b.multiplier, b.offset))
    return pairs


def _stream(words: NDArray[np.uint32], pairs: list[PairConstants]) -> NDArray[np.uint32]:
    stream = np.zeros((len(words), words.shape[1] + 5), np.uint32)
    stream[:, 2:-3] = words
    stream[:, [0, 1, -3, -2, -1]] = np.array(pairs, np.int64).astype(np.uint32)
    return stream.reshape(-1)
