# SPDX-License-Identifier: Apache-2.0
"""From a pixel, 0 to 255, to the value of a float32 input tensor; int8 is in ``core.quant``."""

from __future__ import annotations

from edgecxr.core.pixels import PixelRange

FLOAT_PIXEL: dict[PixelRange | None, str] = {
    None: "((float)pixels[i] - 128.0f) * (1.0f / 128.0f)",
    "0..1": "(float)pixels[i] / 255.0f",
    "-1..1": "(float)pixels[i] / 127.5f - 1.0f",
    "0..255": "(float)pixels[i]",
}
"""``core.pixels.pixel_reals`` in C. Dividing rounds once; a reciprocal would round twice."""
PIXEL_TEXT: dict[PixelRange | None, str] = {
    None: "(pixel - 128) / 128",
    "0..1": "pixel / 255",
    "-1..1": "pixel / 127.5 - 1",
    "0..255": "pixel",
}
"""The same for people."""
