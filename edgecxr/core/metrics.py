# SPDX-License-Identifier: Apache-2.0
"""Classification figures with honest intervals. The arithmetic is scikit-learn's and scipy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.stats import binomtest
from sklearn import metrics as sk

from edgecxr.errors import DataError

Interval = tuple[float, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassFigures(_Frozen):
    label: str
    images: int
    sensitivity: float | None
    sensitivity_ci95: Interval | None
    specificity: float | None
    specificity_ci95: Interval | None
    precision: float | None
    f1: float


class Figures(_Frozen):
    """One classifier on one split. ``confusion[i][j]``: images of class i that were called j."""

    accuracy: float
    accuracy_ci95: Interval
    balanced_accuracy: float
    macro_f1: float
    auc: float | None
    confusion: tuple[tuple[int, ...], ...]
    classes: tuple[ClassFigures, ...]


class Baselines(_Frozen):
    """What needs no picture: always the commonest class, and a coin with the classes' shares."""

    majority_label: str
    majority_accuracy: float
    random_accuracy: float


class DecisionFigures(_Frozen):
    """What a rule of :mod:`edgecxr.core.decision` does on some images.

    Attributes:
        ece_before, ece_after: expected calibration error of the top class, 15 bins of equal width,
            without and with the temperature.
        adaptive_ece_before, adaptive_ece_after: the same with 15 bins of equally many images.
        coverage: share of the images that are not uncertain.
        accuracy_if_certain: of those; None if there are none.
        set_coverage: share of the images whose class is in the set.
        set_size: mean number of classes in the set.
        single: share of the images with one class in the set.
    """

    images: int
    ece_before: float
    ece_after: float
    adaptive_ece_before: float
    adaptive_ece_after: float
    coverage: float
    coverage_ci95: Interval
    accuracy_if_certain: float | None
    accuracy_if_certain_ci95: Interval | None
    set_coverage: float
    set_coverage_ci95: Interval
    set_size: float
    single: float


class DecisionEvaluation(_Frozen):
    """``level``: of the sets, as it was wanted."""

    level: float
    float32: DecisionFigures
    int8: DecisionFigures


class Evaluation(_Frozen):
    """float32 and int8 on the same images, and the paired comparison of the two.

    ``decision`` is None for a bundle without rules of its own.
    """

    split: str
    images: int
    skipped_unreadable: int = 0
    dataset_fingerprint: str
    interpreter: str
    float32: Figures
    int8: Figures
    baselines: Baselines
    agreement: float
    only_float32_right: int
    only_int8_right: int
    mcnemar_p: float
    difference_ci95: Interval
    verdict: str
    decision: DecisionEvaluation | None = None


def wilson(successes: int, trials: int) -> Interval:
    """The 95 % Wilson score interval of a proportion (Wilson 1927), by scipy."""
    interval = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def figures(
    scores: NDArray[np.float32], truth: NDArray[np.int64], labels: tuple[str, ...]
) -> Figures:
    """All figures of one classifier.

    Args:
        scores: (N, classes), the larger the likelier; ties go to the lower index.
        truth: (N,), class indices.
        labels: one name for each class.

    Raises:
        DataError: if there is no image.
    """
    if len(truth) == 0:
        raise DataError("expected at least one image to evaluate on, found none")
    called = scores.argmax(axis=1)
    confusion = sk.confusion_matrix(truth, called, labels=range(len(labels)))
    right = int(np.trace(confusion))
    present = np.unique(truth)
    f1 = sk.f1_score(truth, called, labels=range(len(labels)), average=None, zero_division=0)
    return Figures(
        accuracy=right / len(truth),
        accuracy_ci95=wilson(right, len(truth)),
        balanced_accuracy=float(sk.recall_score(truth, called, labels=present, average="macro")),
        macro_f1=float(f1[present].mean()),
        auc=_auc(scores, truth),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        classes=tuple(
            _class_figures(confusion, i, label, float(f1[i])) for i, label in enumerate(labels)
        ),
    )


def _auc(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> float | None:
    """Area under the ROC curve; for more than two classes the mean of one-against-rest areas."""
    if len(np.unique(truth)) < scores.shape[1]:
        return None
    if scores.shape[1] == 2:
        return float(sk.roc_auc_score(truth, scores[:, 1] - scores[:, 0]))
    areas = [sk.roc_auc_score(truth == i, scores[:, i]) for i in range(scores.shape[1])]
    return float(np.mean(areas))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _class_figures(confusion: NDArray[Any], i: int, label: str, f1: float) -> ClassFigures:
    total = int(confusion.sum())
    hit = int(confusion[i, i])
    positives = int(confusion[i].sum())
    called = int(confusion[:, i].sum())
    negatives = total - positives
    rejected = negatives - (called - hit)
    return ClassFigures(
        label=label,
        images=positives,
        sensitivity=_share(hit, positives),
        sensitivity_ci95=wilson(hit, positives) if positives else None,
        specificity=_share(rejected, negatives),
        specificity_ci95=wilson(rejected, negatives) if negatives else None,
        precision=_share(hit, called),
        f1=f1,
    )


def only_answer(figures: Figures) -> str | None:
    """The class that a classifier gives for every image, or None if it gives several."""
    given = [c.label for i, c in enumerate(figures.classes) if any(r[i] for r in figures.confusion)]
    return given[0] if len(given) == 1 else None


def baselines(truth: NDArray[np.int64], labels: tuple[str, ...]) -> Baselines:
    """Majority-class accuracy, and the expected accuracy of guessing with the classes' shares."""
    shares = np.bincount(truth, minlength=len(labels)) / len(truth)
    return Baselines(
        majority_label=labels[int(shares.argmax())],
        majority_accuracy=float(shares.max()),
        random_accuracy=float((shares**2).sum()),
    )


def paired_difference(only_first: int, only_second: int, images: int) -> Interval:
    """95 % interval of (second − first) accuracy on the same images.

    Newcombe's method for paired proportions needs the whole 2×2 table; with Agresti and Min's
    adjustment (Statistics in Medicine 24, 2005: add 0.5 to each cell) the Wald interval keeps its
    level with the few discordant pairs that are usual here.
    """
    b, c, n = only_second + 0.5, only_first + 0.5, images + 2
    difference = (b - c) / n
    spread = 1.959964 * float(np.sqrt(b + c - (b - c) ** 2 / n)) / n
    return max(-1.0, difference - spread), min(1.0, difference + spread)


def compare(
    float32: NDArray[np.float32],
    int8: NDArray[np.float32],
    truth: NDArray[np.int64],
    labels: tuple[str, ...],
    *,
    split: str,
    fingerprint: str,
    interpreter: str,
    skipped: int = 0,
) -> Evaluation:
    """int8 against float32 on the same images.

    Args:
        float32: (N, classes) scores of the float32 model.
        int8: (N, classes) dequantized scores of the int8 model.
        truth: (N,) class indices.
        skipped: unreadable images that were left out.
    """
    both = figures(float32, truth, labels), figures(int8, truth, labels)
    float32_called, int8_called = float32.argmax(axis=1), int8.argmax(axis=1)
    float32_right, int8_right = float32_called == truth, int8_called == truth
    lost = int((float32_right & ~int8_right).sum())
    won = int((int8_right & ~float32_right).sum())
    # McNemar's exact test: under "no difference" the discordant pairs are coin tosses.
    p = float(binomtest(lost, lost + won).pvalue) if lost + won else 1.0
    interval = paired_difference(lost, won, len(truth))
    return Evaluation(
        split=split,
        images=len(truth),
        skipped_unreadable=skipped,
        dataset_fingerprint=fingerprint,
        interpreter=interpreter,
        float32=both[0],
        int8=both[1],
        baselines=baselines(truth, labels),
        agreement=float((float32_called == int8_called).mean()),
        only_float32_right=lost,
        only_int8_right=won,
        mcnemar_p=p,
        difference_ci95=interval,
        verdict=verdict(lost, won, len(truth), p, interval),
    )


def verdict(lost: int, won: int, images: int, p: float, interval: Interval) -> str:
    """In words: did quantization cost anything that this many images can show?"""
    points = f"{100 * (won - lost) / images:+.1f} points"
    span = f"95 % interval {100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}"
    if p < 0.05 and lost > won:
        return f"Quantization cost accuracy: {points} ({span}; McNemar p = {p:.3g})."
    if p < 0.05:
        return f"int8 is better than float32 here: {points} ({span}; McNemar p = {p:.3g})."
    return (
        f"These {images} images do not show that quantization changed accuracy: {points} "
        f"({span}; McNemar p = {p:.2g}); a loss beyond {max(0.0, -100 * interval[0]):.1f} points "
        "is unlikely."
    )
