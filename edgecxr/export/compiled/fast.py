# SPDX-License-Identifier: Apache-2.0
"""Offline half of the fast kernels: a two-instruction requantization, proved, and their packing.

TFLite requantizes a sum in two roundings. Where the output has zero point -128 and the whole range
[-128, 127] (every ReLU and ReLU6 layer), negative sums all give -128, and what remains is a
staircase of at most 255 steps. The fast kernels climb it with

    q = saturate8(((sum * multiplier) >> 32) + offset) >> FAST_SHIFT)

which is exact if, and only if, every step lies at the same sum. ``Staircase`` holds the steps that
the layer can reach; ``Staircase.windows`` finds the multipliers that meet all of them, with the
range of constants each one tolerates. No rounding error is estimated anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FAST_SHIFT = 5
"""Final shift of the fast kernels for sums; sums kept times 256 shift by 8 more."""
SCALED_OFFSET = (1 << (FAST_SHIFT + 7)) - (128 << (FAST_SHIFT + 8))
"""The offset of every sum kept times 256: half a step, and the zero point of -128."""
_ONE = 1 << (32 + FAST_SHIFT)
_NEIGHBOURS = 512
_MAX_BIAS_STEP = 1 << 15

Ints = NDArray[np.int64]


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
        for k in range(1, 256):
            need = (((k << right_shift) - (1 << (right_shift - 1))) << 31) - (1 << 30)
            first = -(-need // multiplier)
            if low < first <= high:
                outputs.append(k)
                sums.append(first)
        real = multiplier * 2.0 ** (-31 - right_shift)
        return cls(np.array(outputs, np.int64), np.array(sums, np.int64), real)

    def windows(self) -> tuple[Window, ...]:
        """All exact multipliers near the real one, nearest first; empty if there is none."""
        nearest = round(self.real * _ONE)
        if not 0 < nearest < (1 << 31) - _NEIGHBOURS:
            return ()
        if self.outputs.size == 0:
            # The output is constant: any constant that keeps every reachable sum on its step does;
            # callers fall back to the generic kernels for such a degenerate channel.
            return ()
        distance = np.arange(_NEIGHBOURS, dtype=np.int64)
        signed = np.stack([nearest + distance, nearest - distance]).T.reshape(-1)[1:]
        signed = signed[signed > 0]
        steps = self.outputs[:, None] * _ONE
        low = np.max(steps - self.sums[:, None] * signed, axis=0)
        high = np.min(steps - (self.sums[:, None] - 1) * signed, axis=0)
        good = np.flatnonzero(low < high)
        return tuple(Window(int(signed[i]), int(low[i]), int(high[i])) for i in good)


@dataclass(frozen=True)
class Requantization:
    """``bias`` is added to the sum before the multiplication, ``offset`` after it."""

    bias: int
    multiplier: int
    offset: int


def plain(steps: Staircase) -> Requantization | None:
    """For a sum as it is: q = sat8((((sum + bias) * multiplier >> 32) + offset) >> FAST_SHIFT)."""
    trial = np.arange(_MAX_BIAS_STEP, dtype=np.int64)
    best: Requantization | None = None
    for window in steps.windows():
        # bias * multiplier + offset * 2**32 must fall into [low, high).
        rest = (window.low - trial * window.multiplier) % (1 << 32)
        hits = np.flatnonzero(rest < window.high - window.low)
        if hits.size and (best is None or hits[0] < best.bias):
            bias = int(hits[0])
            offset = (window.low - bias * window.multiplier + int(rest[bias])) >> 32
            best = Requantization(bias, window.multiplier, offset - (128 << FAST_SHIFT))
        if best is not None and best.bias < 64:
            break
    return best


def scaled(steps: Staircase) -> Requantization | None:
    """For a sum times 256: q = sat8((((256 * sum + bias) * multiplier >> 32) + SCALED_OFFSET)
    >> (FAST_SHIFT + 8)). The bias has eight bits of fraction, so one offset serves all."""
    half = 1 << (FAST_SHIFT + 7 + 32)
    for window in steps.windows():
        bias = -(-(256 * window.low - half) // window.multiplier)
        if bias * window.multiplier + half < 256 * window.high:
            return Requantization(bias, window.multiplier, SCALED_OFFSET)
    return None
