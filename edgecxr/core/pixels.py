# SPDX-License-Identifier: Apache-2.0
"""Which real number a pixel, 0 to 255, means to a model.

The models that are trained here take (pixel - 128) / 128. Other tools have other ranges, and a
``.tflite`` file has no field for that, so `edgecxr import` writes it into the file's metadata. What
reads the file knows it from there, wherever it goes.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.flatbuffer import FlatBuffer, Table, damaged

PixelRange = Literal["0..1", "-1..1", "0..255"]
RANGES: Final[tuple[PixelRange, ...]] = get_args(PixelRange)
METADATA: Final = "edgecxr pixel range"
"""Name of the entry in a file's metadata; its buffer holds one of ``RANGES`` in ASCII."""

_BUFFERS, _METADATA = 4, 6
"""Slots of a model in TensorFlow Lite's schema."""


def pixel_range(data: bytes) -> PixelRange | None:
    """What the metadata of a ``.tflite`` file says; None if they do not speak of it.

    Raises:
        ModelError: if the file is damaged, or names a range that is not known.
    """
    return pixel_range_of(FlatBuffer(data).root("the model"))


def pixel_range_of(model: Table) -> PixelRange | None:
    """The same of a model's table that is open already."""
    for i in range(model.length(_METADATA)):
        entry = model.entry(_METADATA, i, f"metadata {i}")
        if entry.string(0) != METADATA:
            continue
        index = entry.integer(1, "u4")
        if index >= model.length(_BUFFERS):
            damaged(f"metadata {i} is in buffer {index}, which does not exist")
        text = bytes(model.entry(_BUFFERS, index, f"buffer {index}").integers(0, "u1"))
        for known in RANGES:
            if text == known.encode():
                return known
        damaged(f"its pixels are said to have the range {text!r}")
    return None


def pixel_reals(pixels: PixelRange | None) -> NDArray[np.float32]:
    """The number that each pixel means, float32, shape (256,).

    ``FLOAT_PIXEL`` of ``export/pixels.py`` is the same in C, bit for bit.
    """
    values = np.arange(256, dtype=np.float32)
    match pixels:
        case "0..1":
            return values / np.float32(255)
        case "-1..1":
            return values / np.float32(127.5) - np.float32(1)
        case "0..255":
            return values
        case _:
            return (values - np.float32(128)) / np.float32(128)
