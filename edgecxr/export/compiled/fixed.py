# SPDX-License-Identifier: Apache-2.0
"""gemmlowp's fixed-point functions on Python integers, for tables and constants made at export.

Every function gives the bits of its namesake in gemmlowp's fixedpoint.h or TFLite's
quantization_util.cc. Requantization itself is in ``edgecxr.core.quant``.
"""

from __future__ import annotations

import math

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def wrap32(value: int) -> int:
    """The int32 that two's complement leaves of ``value``."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def high_mul(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul of two int32."""
    if a == INT32_MIN and b == INT32_MIN:
        return INT32_MAX
    return (a * b + (1 << 30)) >> 31


def rounding_shift(value: int, right: int) -> int:
    """RoundingDivideByPOT: ``value / 2**right``, halves away from zero."""
    mask = (1 << right) - 1
    return (value >> right) + ((value & mask) > (mask >> 1) + (value < 0))


def saturating_shift(value: int, exponent: int) -> int:
    """SaturatingRoundingMultiplyByPOT with int32 saturation."""
    if exponent < 0:
        return rounding_shift(value, -exponent)
    return clamp(value << exponent, INT32_MIN, INT32_MAX)


def input_radius(integer_bits: int, left_shift: int) -> int:
    """CalculateInputRadius for 31 signed bits."""
    return math.floor(((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / (1 << left_shift))


def _exp_on_interval(a: int) -> int:
    """exp(a) for a in [-1/4, 0), Q0.31 in and out (gemmlowp)."""
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4 = high_mul(x2, x2)
    x4_over_4 = saturating_shift(x4, -2)
    third = saturating_shift(high_mul(x4_over_4 + x3, 715827883) + x2, -1)
    return 1895147668 + high_mul(1895147668, x + third)


_EXP_OF_BITS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)


def exp_on_negative(a: int, integer_bits: int) -> int:
    """exp of a fixed-point number ``a <= 0`` with ``integer_bits``, as Q0.31 (gemmlowp)."""
    if a == 0:
        return INT32_MAX
    fractional = 31 - integer_bits
    quarter = 1 << (fractional - 2)
    remainder = (a & (quarter - 1)) - quarter
    result = _exp_on_interval(saturating_shift(remainder, integer_bits))
    whole = remainder - a
    for exponent, factor in _EXP_OF_BITS:
        if integer_bits > exponent and whole & (1 << (fractional + exponent)):
            result = high_mul(result, factor)
    if integer_bits > 5 and a < -(1 << (fractional + 5)):
        return 0
    return result


def one_over_one_plus(a: int) -> int:
    """1 / (1 + a) for a in [0, 1], Q0.31 in and out, three Newton steps (gemmlowp)."""
    total = a + INT32_MAX
    half = (total + 1) // 2
    x = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        rest = (1 << 29) - high_mul(half, x)
        x += saturating_shift(high_mul(x, rest), 2)
    return saturating_shift(x, 1)


def logistic(a: int, integer_bits: int) -> int:
    """1 / (1 + exp(-a)) as Q0.31 (gemmlowp)."""
    if a == 0:
        return 1 << 30
    positive = one_over_one_plus(exp_on_negative(-abs(a), integer_bits))
    return positive if a > 0 else INT32_MAX - positive
