# SPDX-License-Identifier: Apache-2.0
"""What tells the classes of a set although it is no finding of a lung."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.filters import frame
from edgecxr.core.lungs import lung_zone
from edgecxr.core.preprocess import ImageHeader

Table = NDArray[np.float32]

_SIDE: Final = 128
_SMALL: Final = 32  # pixels along an edge of what a probe sees
BORDER: Final = 16  # of 128 pixels, on each side: what the probe of the borders sees
_CHUNK: Final = 512

# Letters and markers: small, bright, on an even ground and towards the edges. In pixels of 128 and
# grey levels. Of 80 pictures looked at, about half of the markers were found, and one rib.
_MARK_STROKE: Final = 9
_MARK_LEVELS: Final = 45
_MARK_GRAY: Final = 100
_MARK_HEIGHT: Final = 12
_MARK_WIDTH: Final = 26
_MARK_PIXELS: Final = 4
_MARK_ZONE: Final = 28
_EVEN_LEVELS: Final = 20
_EVEN_SHARE: Final = 0.8


def shape(headers: Sequence[ImageHeader]) -> Table:
    """Width, height, their ratio and orientation, as stored; float32 (N, 4)."""
    rows = [(h.width, h.height, h.width / h.height, h.turned) for h in headers]
    return np.array(rows, np.float32).reshape(-1, 4)


def file_format(headers: Sequence[ImageHeader]) -> Table:
    """Format, mode of the pixels and how coarse JPEG was; float32 (N, 3)."""
    formats = sorted({header.format for header in headers})
    modes = sorted({header.mode for header in headers})
    rows = [(formats.index(h.format), modes.index(h.mode), h.coarseness) for h in headers]
    return np.array(rows, np.float32).reshape(-1, 3)


def brightness(images: NDArray[np.uint8]) -> Table:
    """Mean and standard deviation of the pixels; float32 (N, 2)."""
    pixels = images.reshape(len(images), -1)
    return np.stack([pixels.mean(axis=1), pixels.std(axis=1)], axis=1).astype(np.float32)


def sharpness(images: NDArray[np.uint8]) -> Table:
    """Deviation of the Laplacian over that of the pixels, as they are, at a half and a quarter of
    the resolution; float32 (N, 3). An even picture has 0."""
    from scipy.ndimage import convolve1d

    found = []
    for start in range(0, len(images), _CHUNK):
        part = images[start : start + _CHUNK].astype(np.float32)
        spread = np.maximum(part.std(axis=(1, 2)), 1e-6)
        columns = []
        for _ in range(3):
            bends = sum(convolve1d(part, (1, -2, 1), axis=axis) for axis in (1, 2))
            columns.append(np.std(bends, axis=(1, 2)) / spread)
            height, width = part.shape[1] // 2, part.shape[2] // 2
            part = part.reshape(len(part), height, 2, width, 2).mean(axis=(2, 4))
        found.append(np.stack(columns, axis=1))
    return np.concatenate(found).astype(np.float32)


def frames(images: NDArray[np.uint8]) -> Table:
    """Thickness of a black or white frame: left, top, right, bottom; float32 (N, 4)."""
    boxes = np.array([frame(image) for image in images], np.float32).reshape(-1, 4)
    boxes[:, 2:] = _SIDE - boxes[:, 2:]
    return boxes


def marks(images: NDArray[np.uint8]) -> Table:
    """Pixels of letters and markers in the four quarters; float32 (N, 4)."""
    from scipy.ndimage import find_objects, label, white_tophat

    counts = np.zeros((len(images), 2, 2), np.float32)
    in_plane = np.zeros((3, 3, 3), bool)
    in_plane[1] = True
    for start in range(0, len(images), _CHUNK):
        part = images[start : start + _CHUNK]
        raised = white_tophat(part, size=(1, _MARK_STROKE, _MARK_STROKE))
        parts, _ = label((raised > _MARK_LEVELS) & (part >= _MARK_GRAY), in_plane)
        for number, place in enumerate(find_objects(parts), 1):
            image, y, x = place
            if _could_be_mark(y, x):
                box = slice(max(0, y.start - 2), y.stop + 2), slice(max(0, x.start - 2), x.stop + 2)
                inside = parts[image.start][box] == number
                if _stands_out(part[image.start][box], inside):
                    quarter = y.start >= _SIDE // 2, x.start >= _SIDE // 2
                    counts[(start + image.start, *map(int, quarter))] += inside.sum()
    return counts.reshape(-1, 4)


def _could_be_mark(y: slice, x: slice) -> bool:
    height, width = y.stop - y.start, x.stop - x.start
    central = all(_MARK_ZONE < (s.start + s.stop) / 2 < _SIDE - _MARK_ZONE for s in (y, x))
    return 2 <= height <= _MARK_HEIGHT and 2 <= width <= _MARK_WIDTH and not central


def _stands_out(box: NDArray[np.uint8], inside: NDArray[np.bool_]) -> bool:
    """Brighter than the edge of the box around it, which is nearly of one grey."""
    edge = np.concatenate([box[0], box[-1], box[:, 0], box[:, -1]]).astype(np.int64)
    ground = np.median(edge)
    even = np.mean(np.abs(edge - ground) <= _EVEN_LEVELS) >= _EVEN_SHARE
    brighter = box[inside].mean() - ground > _MARK_LEVELS
    return bool(inside.sum() >= _MARK_PIXELS and even and brighter)


def has_frame(found: Table) -> NDArray[np.bool_]:
    """Images whose frame takes more than 2 of 128 pixels on some side."""
    return np.asarray(found.max(axis=1) > 2)


def has_mark(found: Table) -> NDArray[np.bool_]:
    return np.asarray(found.max(axis=1) >= _MARK_PIXELS)


def small(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means of 4×4 pixels, float32 (N, 32, 32)."""
    step = _SIDE // _SMALL
    means = images.reshape(len(images), _SMALL, step, _SMALL, step).mean((2, 4), dtype=np.float32)
    return np.asarray(means)


def border_mask() -> NDArray[np.bool_]:
    """What the probe of the borders sees, bool (32, 32)."""
    edge = BORDER * _SMALL // _SIDE
    mask = np.ones((_SMALL, _SMALL), bool)
    mask[edge:-edge, edge:-edge] = False
    return mask


def no_lungs_mask() -> NDArray[np.bool_]:
    """Where no image has its lungs, bool (32, 32)."""
    return ~lung_zone(_SMALL, _SMALL)
