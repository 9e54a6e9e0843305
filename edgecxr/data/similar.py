# SPDX-License-Identifier: Apache-2.0
"""Pictures that show the same X-ray, although neither their files nor their pixels are equal.

All chest X-rays look alike at a coarse scale, so that difference hashes call thousands of unrelated
pairs equal. What two pictures of one exposure share is fine detail: ribs, vessels, markers. So the
score is the correlation of high-passed pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.preprocess import Preprocessing

# What a picture must be decoded with before it is compared.
VIEW: Final = Preprocessing(height=128, width=128)

# Pairs above it are near-duplicates; few pairs of public sets lie between 0.60 and 0.75.
THRESHOLD: Final = 0.70

_BORDER: Final = 16  # pixels cut off on each side: markers, frames and the edge of the collimator
_SIGMA: Final = 4.0  # pixels; what is coarser than this is anatomy that everyone has
# The sharp edge of a black frame inside a picture is much stronger than any detail, and alike in
# all pictures from one machine. Values beyond so many medians are therefore cut.
_CLIP: Final = 6.0
_FLAT: Final = 0.5  # grey levels; below it there is nothing but rounding
_DETAILED: Final = 0.25  # share of a picture that is not flat, at least
_BLOCK: Final = 1024  # pictures; two blocks as float32 take 75 MB


@dataclass(frozen=True, order=True)
class Pair:
    """Positions of two pictures and their correlation, −1 to 1; below 0, one is a negative."""

    first: int
    second: int
    score: float


@dataclass(frozen=True)
class Signatures:
    """What is compared of N pictures: 9 KB each.

    Attributes:
        details: int8 (N, 9216), high-passed pixels in units of the picture's own contrast.
        scale: float32 (N,), one over the norm of each row; 0 for a picture without detail, which
            is then like no other.
    """

    details: NDArray[np.int8]
    scale: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scale)

    def unit(self, rows: slice) -> NDArray[np.float32]:
        """Rows of length 1, float32, so that a product of two is their correlation."""
        return self.details[rows].astype(np.float32) * self.scale[rows, None]


def signatures(images: NDArray[np.uint8]) -> Signatures:
    """Signatures of uint8 (N, 128, 128) pictures that were decoded with ``VIEW``."""
    side = VIEW.height - 2 * _BORDER
    details = np.zeros((len(images), side * side), np.int8)
    scale = np.zeros(len(images), np.float32)
    for start in range(0, len(images), _BLOCK // 4):
        rows = slice(start, start + _BLOCK // 4)
        details[rows], scale[rows] = _details(images[rows])
    return Signatures(details, scale)


def _details(images: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    from scipy.ndimage import gaussian_filter

    pixels = images.astype(np.float32)
    high = pixels - gaussian_filter(pixels, (0, _SIGMA, _SIGMA), mode="nearest")
    inner = slice(_BORDER, -_BORDER)
    high = high[:, inner, inner].reshape(len(images), -1)
    high -= high.mean(axis=1, keepdims=True)
    size = np.abs(high)
    seen = size > _FLAT
    limits = np.array(
        [
            _CLIP * np.median(row[mask]) if mask.any() else 0
            for row, mask in zip(size, seen, strict=True)
        ],
        np.float32,
    )[:, None]
    # A picture that is flat but for a few pixels, such as a blank with a burnt-in letter, would
    # match any other with the same letter.
    limits[seen.mean(axis=1) < _DETAILED] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        details = np.where(limits > 0, np.clip(high / limits, -1, 1) * 127, 0).round()
    norms = np.linalg.norm(details, axis=1)
    scale = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
    return details.astype(np.int8), scale.astype(np.float32)


def pairs_within(found: Signatures, threshold: float = THRESHOLD) -> list[Pair]:
    """All pairs that score above the threshold in either direction; ``first < second``, sorted."""
    return sorted(
        pair
        for start in range(0, len(found), _BLOCK)
        for pair in _above(found, start, found, start, threshold)
        if pair.first < pair.second
    )


def pairs_between(left: Signatures, right: Signatures, threshold: float = THRESHOLD) -> list[Pair]:
    """All pairs of one picture from each side; ``first`` counts in ``left``. Sorted."""
    return sorted(
        pair
        for start in range(0, len(left), _BLOCK)
        for pair in _above(left, start, right, 0, threshold)
    )


def _above(
    left: Signatures, start: int, right: Signatures, begin: int, threshold: float
) -> Iterator[Pair]:
    block = left.unit(slice(start, start + _BLOCK))
    for other in range(begin, len(right), _BLOCK):
        scores = block @ right.unit(slice(other, other + _BLOCK)).T
        for i, j in zip(*np.nonzero(np.abs(scores) > threshold), strict=True):
            yield Pair(start + int(i), other + int(j), float(scores[i, j]))


def groups(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Positions below ``count`` that pairs connect, directly or through others; each sorted."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array([*pairs], np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(count, count))
    component = connected_components(graph, directed=False)[1]
    members = defaultdict(list)
    for position in sorted(set(ends.ravel().tolist())):
        members[component[position]].append(position)
    return sorted(members.values())
