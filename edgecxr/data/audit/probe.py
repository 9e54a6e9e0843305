# SPDX-License-Identifier: Apache-2.0
"""Small classifiers that try to tell classes from what they should not be told from."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgecxr.data.audit.finding import Told

_FOLDS: Final = 5
_FEWEST: Final = 10  # groups of images per class; with fewer there is nothing to say
_COMPONENTS: Final = 40


def told_by_table(
    features: NDArray[np.float32], target: NDArray[np.int64], together: NDArray[np.int64]
) -> Told | None:
    """How well a few figures per image tell the target: a small decision tree, cross-validated.

    Args:
        features: float32 (N, F).
        target: int64 (N,).
        together: int64 (N,); equal values stay in one fold, so that copies and images of one
            patient are not learnt and asked.

    Returns:
        None where the features are all equal, or a class has too few images.
    """
    from sklearn.tree import DecisionTreeClassifier

    if not _can_be_asked(features, target, together):
        return None
    model = DecisionTreeClassifier(
        max_depth=5, min_samples_leaf=5, class_weight="balanced", random_state=0
    )
    return _told(model, features, target, together)


def told_by_pixels(
    pixels: NDArray[np.float32],
    seen: NDArray[np.bool_],
    target: NDArray[np.int64],
    together: NDArray[np.int64],
) -> Told | None:
    """How well pixels tell the target: 40 principal components, regularised logistic regression.

    A network would tell more, so this is what can be told at least.

    Args:
        pixels: float32 (N, H, W).
        seen: bool (H, W), the pixels that it may use.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chosen = pixels[:, seen]
    if not _can_be_asked(chosen, target, together):
        return None
    components = min(_COMPONENTS, chosen.shape[1], len(chosen) // 4)
    model = make_pipeline(
        PCA(components, svd_solver="randomized", random_state=0),
        StandardScaler(),
        LogisticRegression(C=0.1, class_weight="balanced", max_iter=300),
    )
    return _told(model, chosen, target, together)


def _can_be_asked(
    features: NDArray[np.float32], target: NDArray[np.int64], together: NDArray[np.int64]
) -> bool:
    """Two classes at least, each with enough groups of images, and features that are not equal."""
    classes = np.unique(target)
    if len(classes) < 2:
        return False
    fewest = min(len(np.unique(together[target == c])) for c in classes)
    return fewest >= _FEWEST and bool(np.ptp(features, axis=0).any())


def _told(
    model: Any,
    features: NDArray[np.float32],
    target: NDArray[np.int64],
    together: NDArray[np.int64],
) -> Told:
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    classes = np.unique(target)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    said = cross_val_predict(model, features, target, groups=together, cv=folds)
    right = said == target
    counts = np.array([np.sum(target == c) for c in classes])
    recalls = np.array([right[target == c].mean() for c in classes])
    value = recalls.mean()
    # A recall of 0 or 1 is not certain either: two images more, one of them wrong.
    smooth = (recalls * counts + 1) / (counts + 2)
    spread = 1.96 * np.sqrt(np.sum(smooth * (1 - smooth) / counts)) / len(classes)
    return Told(
        balanced_accuracy=round(float(value), 4),
        ci95=(
            round(float(max(0, value - spread)), 4),
            round(float(min(1, value + spread)), 4),
        ),
        chance=1 / len(classes),
        accuracy=round(float(right.mean()), 4),
        majority=round(float(counts.max() / counts.sum()), 4),
        images=len(target),
    )
