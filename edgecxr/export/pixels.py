# SPDX-License-Identifier: Apache-2.0
"""From a pixel, 0 to 255, to the value of a float32 input tensor; int8 is in ``core.quant``."""

from __future__ import annotations

FLOAT_PIXEL = "((float)pixels[i] - 128.0f) * (1.0f / 128.0f)"
"""(pixel - 128) / 128, in C."""
