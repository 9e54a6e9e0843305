# SPDX-License-Identifier: Apache-2.0
"""Where the lungs are in a frontal chest X-ray: an estimate from the pixels, without a model.

It is made for one question: does a classifier look at the lungs at all? Lungs are darker than what
is around them; air beside the body is darker still, but reaches the border of the image. Where a
lung is not dark, as in consolidation, its usual place stands for it. docs/uncertainty.md says how
well that does on phantoms, whose lungs are known; on X-rays nobody has measured it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_erosion,
    binary_fill_holes,
    binary_opening,
    binary_propagation,
    gaussian_filter,
    label,
)

Mask = NDArray[np.bool_]

# The usual place of each lung, an ellipse, in shares of the image: measured by eye on X-rays that
# show the chest from neck to diaphragm.
_CENTRES: Final = (0.30, 0.70)
_HEIGHT: Final = 0.465
_HALF_WIDTH: Final = 0.17
_HALF_HEIGHT: Final = 0.335
_AROUND: Final = 1.35  # a lung may reach so much farther
_CORE: Final = 0.55  # and always fills so much of it
_ENOUGH: Final = 0.35  # of the usual area must be dark to be believed
_BINS: Final = 64


def lung_zone(height: int, width: int) -> Mask:
    """Where lungs may be in any image: bool (height, width).

    Every :func:`lung_region` lies inside. It is the same for all images, so that its shape tells
    nothing about one of them; a lung that is not dark makes its own region smaller.
    """
    return np.logical_or(*_lungs(height, width, _AROUND))


def lung_region(pixels: NDArray[np.uint8]) -> Mask:
    """The estimated lungs of one image: bool, of the shape (height, width) of ``pixels``."""
    height, width = pixels.shape
    smooth = gaussian_filter(pixels.astype(np.float64), height / 64)
    around = _lungs(height, width, _AROUND)
    dark = smooth <= _threshold(smooth[around[0] | around[1]])
    reach = max(1, height // 20)
    dark &= ~_outside(dark, reach)
    found = np.zeros((height, width), bool)
    usual, core = _lungs(height, width, 1.0), _lungs(height, width, _CORE)
    for near, place, always in zip(around, usual, core, strict=True):
        lung = dark & near
        if lung.sum() < _ENOUGH * place.sum():
            lung = place
        found |= _smoothed(lung | always, reach)
    return found


def _lungs(height: int, width: int, scale: float) -> list[Mask]:
    """The usual place of each lung, its axes scaled."""
    y = (np.arange(height)[:, np.newaxis] + 0.5) / height
    x = (np.arange(width)[np.newaxis] + 0.5) / width
    return [
        np.hypot((x - centre) / (_HALF_WIDTH * scale), (y - _HEIGHT) / (_HALF_HEIGHT * scale)) <= 1
        for centre in _CENTRES
    ]


def _threshold(values: NDArray[np.float64]) -> float:
    """Otsu's (1979): between the two groups of values that are farthest apart."""
    counts, edges = np.histogram(values, _BINS)
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = below[-1] + counts[-1] - below
    sums = np.cumsum(counts * (edges[1:] + edges[:-1]) / 2)
    apart = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1 + int((below * above * apart**2).argmax())])


def _outside(dark: Mask, reach: int) -> Mask:
    """What is dark and joined to the border above or beside: air around the body. The thin wall
    between that and a lung may be dark too, so they are taken apart first."""
    apart = binary_erosion(dark, iterations=reach, border_value=1)
    seeds = np.zeros_like(dark)
    seeds[0] = seeds[:, 0] = seeds[:, -1] = True
    joined = binary_propagation(seeds & apart, mask=apart)
    return np.asarray(binary_dilation(joined, iterations=reach + 1)) & dark


def _smoothed(lung: Mask, reach: int) -> Mask:
    """One piece without holes: ribs and vessels are no gaps."""
    closed = binary_closing(np.pad(lung, reach), iterations=reach)[reach:-reach, reach:-reach]
    whole = binary_opening(binary_fill_holes(closed), iterations=max(1, reach // 2))
    pieces, _ = label(whole)
    return np.asarray(pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:]))
