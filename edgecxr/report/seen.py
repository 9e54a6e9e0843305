# SPDX-License-Identifier: Apache-2.0
"""What needs the images themselves: scores, a map of the features, and the worst mistakes."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from edgecxr.core.metrics import Evaluation

THUMBNAIL_BYTES = 1_300_000
"""For all thumbnails of a page together, as they stand in it, so that it stays below 3 MB."""
_QUALITIES = (70, 45, 25, 10)


@dataclass(frozen=True)
class Seen:
    """A split, as both models see it.

    Attributes:
        split: its name.
        names: N, as the data set names its files.
        images: uint8 (N, height, width).
        truth: int64 (N,), class indices.
        float32, int8: scores, float32 (N, classes).
        features: float32 (N, features) of the float32 model, before its last layer; None where
            they could not be computed.
        why_not: a sentence on what the features and the heat would need; empty if they are there.
        heat: (index, heat float32 (height, width) from 0 to 1) of the images that are shown.
        evaluation: the figures of these scores.
    """

    split: str
    names: tuple[str, ...]
    images: NDArray[np.uint8]
    truth: NDArray[np.int64]
    float32: NDArray[np.float32]
    int8: NDArray[np.float32]
    evaluation: Evaluation
    features: NDArray[np.float32] | None = None
    why_not: str = ""
    heat: tuple[tuple[int, NDArray[np.float32]], ...] = ()


def worst_mistakes(scores: NDArray[np.float32], truth: NDArray[np.int64], most: int) -> list[int]:
    """Images that are called wrong, the most confident first; equal ones in their order.

    Args:
        scores: (N, classes).
        truth: (N,).
    """
    wrong = np.flatnonzero(scores.argmax(axis=1) != truth)
    order = np.argsort(-scores[wrong].max(axis=1), kind="stable")
    return [int(index) for index in wrong[order][:most]]


def projected(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Two principal components of the standardised features, (N, 2), scaled to 0…1, and the share
    of the variance that each explains.

    The sign of a component is arbitrary: it is chosen so that its largest loading is positive.
    """
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    found = PCA(2, svd_solver="full").fit(scaled)
    points = found.transform(scaled)
    largest = np.abs(found.components_).argmax(axis=1)
    points *= np.sign(found.components_[np.arange(2), largest])
    low, high = points.min(axis=0), points.max(axis=0)
    first, second = (float(share) for share in found.explained_variance_ratio_)
    return (points - low) / np.maximum(high - low, 1e-12), (first, second)


def data_uri(image: Image.Image, quality: int) -> str:
    """An image as a WebP ``data:`` URI, without any metadata."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def thumbnails(images: NDArray[np.uint8], first: Sequence[int], budget: int) -> dict[int, str]:
    """``data:`` URIs by index, within a budget of bytes.

    If they are too many even at a low quality, ``first`` get one and then the others, spread evenly
    over the set.

    Args:
        images: uint8 (N, height, width).
    """
    chosen = list(range(len(images)))
    for quality in _QUALITIES:
        some = [
            data_uri(Image.fromarray(images[i]), quality) for i in chosen[:: len(chosen) // 40 or 1]
        ]
        mean = sum(map(len, some)) / max(1, len(some))
        if mean * len(chosen) <= 0.9 * budget:
            break
    ordered = list(dict.fromkeys([*first, *_spread(len(images))]))
    found: dict[int, str] = {}
    for index in ordered:
        uri = data_uri(Image.fromarray(images[index]), quality)
        if len(uri) > budget:
            break
        budget -= len(uri)
        found[index] = uri
    return found


def _spread(count: int) -> list[int]:
    """0 … count − 1 in an order of which every beginning is spread evenly (bits reversed)."""
    bits = max(1, (count - 1).bit_length())
    turned = (int(f"{i:0{bits}b}"[::-1], 2) for i in range(2**bits))
    return [i for i in turned if i < count]
