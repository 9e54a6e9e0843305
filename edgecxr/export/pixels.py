# SPDX-License-Identifier: Apache-2.0
"""From a pixel, 0 to 255, to the value of a quantized input tensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOAT_PIXEL = "((float)pixels[i] - 128.0f) * (1.0f / 128.0f)"
"""The same for float32, in C."""


def pixel_values(dtype: str, scale: float, zero_point: int) -> NDArray[np.int8]:
    """(pixel - 128) / 128 in the input's quantization: the bits of each value, shape (256,).

    Args:
        dtype: "int8" or "uint8".
    """
    steps = np.rint((np.arange(256) - 128) / (128 * scale)) + zero_point
    limits = np.iinfo(dtype)
    return np.clip(steps, limits.min, limits.max).astype(dtype).view(np.int8)
