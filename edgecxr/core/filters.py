# SPDX-License-Identifier: Apache-2.0
"""What the steps of preprocessing do to 8-bit gray pixels; ``preprocess.py`` names them.

Integer arithmetic wherever the result is to be the same on every machine.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# A row or column belongs to a frame if nearly all of it is nearly black, or nearly white. Letters
# burnt into a frame and the noise of JPEG must not stop the crop.
FRAME_LEVELS: Final = 10
FRAME_SHARE: Final = 0.98
FRAME_LEFT: Final = 0.25  # of each side, at least; a picture that is darker still is no frame

CLAHE_TILES: Final = 8  # along each side
CLAHE_SLOPE: Final = 2  # contrast grows by it at most, and by 1 more from what was cut and spread


def frame(pixels: Pixels) -> tuple[int, int, int, int]:
    """What is inside a black or white frame of uint8 (H, W): left, top, right, bottom.

    The whole picture if there is no frame, or if less than a quarter of a side would be left.
    """
    height, width = pixels.shape
    box = whole = (0, 0, width, height)
    while True:
        left, top, right, bottom = box
        first, last = _inside(pixels[top:bottom, left:right])
        begin, end = _inside(pixels[top + first : top + last, left:right].T)
        if end - begin < FRAME_LEFT * width or last - first < FRAME_LEFT * height:
            return whole
        found = (left + begin, top + first, left + end, top + last)
        if found == box:
            return box
        box = found


def _inside(pixels: Pixels) -> tuple[int, int]:
    """The first row that is no frame, and the one after the last; (0, 0) if there is none."""
    if not pixels.size:
        return 0, 0
    dark = np.mean(pixels <= FRAME_LEVELS, axis=1)
    bright = np.mean(pixels >= 255 - FRAME_LEVELS, axis=1)
    content = np.flatnonzero(np.maximum(dark, bright) < FRAME_SHARE)
    return (int(content[0]), int(content[-1]) + 1) if len(content) else (0, 0)


def pad_to(pixels: Pixels, height: int, width: int, *, reflect: bool) -> Pixels:
    """uint8 (height, width) with the pixels in the middle; around them zeros or their mirror."""
    down, right = height - pixels.shape[0], width - pixels.shape[1]
    around = ((down // 2, down - down // 2), (right // 2, right - right // 2))
    return np.pad(pixels, around, mode="reflect") if reflect else np.pad(pixels, around)


def gaussian_3x3(pixels: Pixels) -> Pixels:
    """A Gaussian of σ = 1 pixel cut to 3×3, mirrored at the edges; rounded half up."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(pixels.astype(np.float64), sigma=1, radius=1, mode="mirror")
    rounded: Pixels = (smooth + 0.5).astype(np.uint8)
    return rounded


def clahe(pixels: Pixels) -> Pixels:
    """Contrast-limited adaptive histogram equalization (Zuiderveld, Graphics Gems IV, 1994).

    The histogram of each of 8×8 tiles is cut at ``CLAHE_SLOPE`` times its mean, what was cut is
    spread over all grey levels, and its sum maps grey levels; between the centres of the tiles
    the maps are interpolated. Own code, in integers: OpenCV's is 40 to 60 MB for this one function,
    is not packaged for 32-bit Raspberry Pi, and works in floats.
    """
    height, width = (side + -side % CLAHE_TILES for side in pixels.shape)
    grown = np.pad(
        pixels, ((0, height - pixels.shape[0]), (0, width - pixels.shape[1])), mode="symmetric"
    )
    maps = _tile_maps(grown)
    rows, row_weights = _neighbours(pixels.shape[0], height // CLAHE_TILES)
    columns, column_weights = _neighbours(pixels.shape[1], width // CLAHE_TILES)
    total = np.zeros(pixels.shape, np.int64)
    for row, row_weight in zip(rows, row_weights, strict=True):
        for column, column_weight in zip(columns, column_weights, strict=True):
            mapped = maps[row[:, None], column[None, :], pixels]
            total += mapped * row_weight[:, None] * column_weight[None, :]
    scale = 4 * (height // CLAHE_TILES) * (width // CLAHE_TILES)
    rounded: Pixels = ((total + scale // 2) // scale).astype(np.uint8)
    return rounded


def _tile_maps(pixels: Pixels) -> NDArray[np.int64]:
    """The grey level that each tile gives to each grey level, int64 (8, 8, 256)."""
    height, width = (side // CLAHE_TILES for side in pixels.shape)
    area = height * width
    tiles = pixels.reshape(CLAHE_TILES, height, CLAHE_TILES, width).swapaxes(1, 2)
    offsets = 256 * np.arange(CLAHE_TILES**2).reshape(CLAHE_TILES, CLAHE_TILES, 1, 1)
    counts = np.bincount((tiles + offsets).ravel(), minlength=256 * CLAHE_TILES**2)
    # In 1/256 of a pixel, so that the limit and what each grey level gets back are whole numbers.
    parts = 256 * counts.reshape(CLAHE_TILES, CLAHE_TILES, 256)
    cut = np.minimum(parts, CLAHE_SLOPE * area)
    returned = (parts - cut).sum(axis=2, keepdims=True) * np.arange(1, 257)
    reached = 256 * cut.cumsum(axis=2) + returned
    whole = 65536 * area
    mapped: NDArray[np.int64] = (255 * reached + whole // 2) // whole
    return mapped


def _neighbours(length: int, tile: int) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """The tile before and after each pixel's centre, and their weights, which sum to 2 × tile."""
    ahead = 2 * np.arange(length) + 1 - tile
    before, after_weight = np.divmod(ahead, 2 * tile)
    tiles = [before.clip(0, CLAHE_TILES - 1), (before + 1).clip(0, CLAHE_TILES - 1)]
    return tiles, [2 * tile - after_weight, after_weight]
