# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite's integer arithmetic, bit for bit.

Sources: ``QuantizeMultiplier`` in tensorflow/lite/kernels/internal/quantization_util.cc,
``MultiplyByQuantizedMultiplier`` in tensorflow/lite/kernels/internal/common.cc (the two roundings
that TFLM uses unless it is built with TFLITE_SINGLE_ROUNDING), and
``CalculateActivationRangeQuantized`` in tensorflow/lite/kernels/kernel_util.cc.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.pixels import RANGES, PixelRange, pixel_reals
from edgecxr.errors import ModelError

_TIE = 2.0**-12
_ACTIVATION_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


def quantize_multiplier(value: float) -> tuple[int, int]:
    """``value`` as a fixed-point number: ``multiplier / 2**31 * 2**shift``.

    ``value`` is a double; 2**30 <= abs(multiplier) <= 2**31, or it is 0 where abs(value) is below
    2**-32 and every product would round to 0.

    Raises:
        ModelError: if ``value`` is infinite or not a number.
    """
    if not math.isfinite(value):
        raise ModelError(
            f"a requantization factor is {value}, expected a finite number; "
            "quantize the model again, its scales are out of range"
        )
    if value == 0.0:
        return 0, 0
    fraction, shift = math.frexp(value)
    multiplier = _round_half_away(fraction * 2.0**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def multiply_by_quantized_multiplier(
    x: NDArray[np.int32], multiplier: NDArray[np.int32] | int, shift: NDArray[np.int32] | int
) -> NDArray[np.int32]:
    """``x * multiplier / 2**31 * 2**shift`` with TFLM's two roundings; arguments broadcast.

    First ``x * 2**shift`` for a positive shift, then the doubled high half of the product, rounded
    to nearest with ties upwards and saturated; then a right shift for a negative one, rounded to
    nearest with ties away from zero. ``shift`` is -31 to 30.
    """
    factor = np.asarray(multiplier, np.int64)
    shifts = np.asarray(shift, np.int64)
    # The left shift happens in 32 bits in C, so it wraps here as it does there.
    widened = (x.astype(np.int64) << np.maximum(shifts, 0)).astype(np.int32).astype(np.int64)
    high = np.minimum((widened * factor + 2**30) >> 31, 2**31 - 1)
    right = np.maximum(-shifts, 0)
    mask = (np.int64(1) << right) - 1
    threshold = (mask >> 1) + (high < 0)
    rounded: NDArray[np.int64] = (high >> right) + ((high & mask) > threshold)
    return rounded.astype(np.int32)


def activation_range(
    activation: str, scale: float, zero_point: int, dtype: str = "int8"
) -> tuple[int, int]:
    """Smallest and largest integer that a fused activation lets through, in ``dtype``'s range.

    ``scale`` (a float32) and ``zero_point`` are those of the output.

    Raises:
        ModelError: if ``activation`` has no integer form, or the bounds overflow 32 bits.
    """
    if activation not in _ACTIVATION_BOUNDS:
        raise ModelError(
            f"the fused activation {activation} is not supported on integers, supported are "
            f"{', '.join(_ACTIVATION_BOUNDS)}; convert the model without it"
        )
    limits = np.iinfo(dtype)
    low, high = _ACTIVATION_BOUNDS[activation]
    least = limits.min if low is None else max(limits.min, _quantized(low, scale, zero_point))
    most = limits.max if high is None else min(limits.max, _quantized(high, scale, zero_point))
    return int(least), int(most)


def pixel_values(
    dtype: str, scale: float, zero_point: int, pixels: PixelRange | None = None
) -> NDArray[np.int8]:
    """Pixels, 0 to 255, in an input's quantization: the bits of each value, shape (256,).

    Where nobody says otherwise, a pixel means (pixel - 128) / 128, as in all models that are
    trained here. But an input whose quantization spans just 0 to 1, 0 to 255, or -1 to 1, was
    trained on pixels of that range (Edge Impulse scales to 0 to 1), so there it means that.

    Args:
        dtype: "int8" or "uint8".
        pixels: the range that the file's metadata name.
    """
    limits = np.iinfo(dtype)
    if pixels is None:
        pixels = _spanned(scale, scale * (limits.min - zero_point))
    real = pixel_reals(pixels).astype(np.float64)
    # Where -1..1 meets a scale of 2/255 every value is a tie, which floating point misses by a bit
    # on either side: all of them go up, so that no two pixels get one value.
    steps = np.floor(real / scale + 0.5 + _TIE) + zero_point
    bits: NDArray[np.int8] = np.clip(steps, limits.min, limits.max).astype(dtype).view(np.int8)
    return bits


def _spanned(scale: float, low: float) -> PixelRange | None:
    """The range that 256 steps from ``low`` on span; None for ours, -1 to 127/128, and others."""
    for each in RANGES:
        bottom, top = (float(end) for end in pixel_reals(each)[[0, 255]])
        # Ours is one step shorter than -1 to 1. The others may miss their brightest pixels.
        slack = scale / 2 if each == "-1..1" else 2 * scale
        if abs(low - bottom) <= scale and abs(255 * scale - (top - bottom)) <= slack:
            return each
    return None


def dequantize(values: NDArray[np.integer], scale: float, zero_point: int) -> NDArray[np.float32]:
    """``scale * (values - zero_point)`` as float32, of the shape of ``values``."""
    return np.float32(scale) * (values.astype(np.int32) - zero_point).astype(np.float32)


def _quantized(real: float, scale: float, zero_point: int) -> int:
    with np.errstate(over="ignore"):
        steps = float(np.float32(real) / np.float32(scale))
    if not abs(steps) < 2**31:
        raise ModelError(
            f"the scale {scale} is too small for an activation bound of {real}; "
            "quantize the model again"
        )
    return zero_point + _round_half_away(steps)


def _round_half_away(value: float) -> int:
    """C's ``round``; exact, unlike ``floor(value + 0.5)``, which errs just below one half."""
    whole = math.floor(abs(value))
    whole += abs(value) - whole >= 0.5
    return int(math.copysign(whole, value))
