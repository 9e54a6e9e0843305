# SPDX-License-Identifier: Apache-2.0
"""An image with the heat of an explanation over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

OPACITY = 0.65
_STEPS = (0.0, 0.5, 1.0)
_COLOURS = ((120, 0, 30), (255, 90, 0), (255, 240, 60))
"""From dark red over orange to yellow."""


def over_image(
    pixels: NDArray[np.uint8], heat: NDArray[np.float32], scale: int
) -> NDArray[np.float32]:
    """RGB from 0 to 255, float32 (height × scale, width × scale, 3).

    Args:
        pixels: (height, width).
        heat: 0 to 1, (height, width).
        scale: how much larger the result is; both are enlarged smoothly.
    """
    size = (pixels.shape[1] * scale, pixels.shape[0] * scale)
    bicubic = Image.Resampling.BICUBIC
    gray = np.asarray(Image.fromarray(pixels).resize(size, bicubic), np.float32)
    large = np.clip(np.asarray(Image.fromarray(heat).resize(size, bicubic)), 0, 1)
    channels = [np.interp(large, _STEPS, channel) for channel in zip(*_COLOURS, strict=True)]
    share = OPACITY * large[..., np.newaxis]
    mixed: NDArray[np.float64] = (1 - share) * gray[..., np.newaxis] + share * np.stack(
        channels, axis=-1
    )
    return mixed.astype(np.float32)
