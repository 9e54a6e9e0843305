# SPDX-License-Identifier: Apache-2.0
"""ROC, precision-recall and reliability of both precisions. The arithmetic is scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from edgecxr.core.bundle import Manifest
from edgecxr.core.decision import BINS, calibrated
from edgecxr.report import plots
from edgecxr.report.seen import Seen


@dataclass(frozen=True)
class Area:
    """Under the curves of one class against the rest; None where one side has no image."""

    label: str
    precision: str
    roc: float | None
    average_precision: float | None


def against_rest(scores: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    """What a curve sweeps over: the class's score; for two classes, its lead over the other."""
    if scores.shape[1] == 2:
        return scores[:, index] - scores[:, 1 - index]
    return scores[:, index]


def areas(seen: Seen, labels: tuple[str, ...]) -> list[Area]:
    """One row for each class and precision."""
    rows = []
    for index, label in enumerate(labels):
        truth = seen.truth == index
        both_sides = 0 < truth.sum() < len(truth)
        for name, scores in (("float32", seen.float32), ("int8", seen.int8)):
            swept = against_rest(scores, index)
            roc = float(sk.roc_auc_score(truth, swept)) if both_sides else None
            mean = float(sk.average_precision_score(truth, swept)) if both_sides else None
            rows.append(Area(label, name, roc, mean))
    return rows


def curve_figures(seen: Seen, labels: tuple[str, ...], key: str) -> list[str]:
    """ROC and precision-recall, two figures for each class; int8 over float32."""
    figures = []
    for index, label in enumerate(labels):
        truth = seen.truth == index
        if not 0 < truth.sum() < len(truth):
            continue
        roc, recall = [], []
        for name, colour, style in plots.PRECISIONS:
            swept = against_rest(seen.float32 if name == "float32" else seen.int8, index)
            x, y, _ = sk.roc_curve(truth, swept)
            roc.append((f"{name}, AUC {sk.auc(x, y):.3f}", colour, style, x, y))
            p, r, _ = sk.precision_recall_curve(truth, swept)
            mean = sk.average_precision_score(truth, swept)
            recall.append((f"{name}, AP {mean:.3f}", colour, style, r, p))
        share = float(truth.mean())
        title = f"{label} against the rest"
        figures.append(
            plots.curve_plot(
                f"{key}roc-{index}",
                f"ROC: {title}",
                roc,
                axes=("1 − specificity", "sensitivity"),
                chance=(0, 1),
            )
        )
        figures.append(
            plots.curve_plot(
                f"{key}pr-{index}",
                f"Precision-recall: {title}",
                recall,
                axes=("recall", "precision"),
                chance=(share, share),
            )
        )
    return figures


def reliability(
    confidence: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean confidence, accuracy and share of the images of each of the 15 bins of equal width that
    has an image."""
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    used = np.unique(bins)
    means = np.array([confidence[bins == each].mean() for each in used])
    right_of = np.array([right[bins == each].mean() for each in used])
    return means, right_of, np.array([(bins == each).mean() for each in used])


def reliability_figures(seen: Seen, manifest: Manifest, key: str) -> list[str]:
    """Confidence against accuracy, for each precision, before and after the temperature."""
    if manifest.decision is None:
        return []
    figures = []
    for name, colour, _ in plots.PRECISIONS:
        scores = seen.float32 if name == "float32" else seen.int8
        rule = manifest.decision.float32 if name == "float32" else manifest.decision.int8
        called = scores.argmax(axis=1)
        rows = np.arange(len(scores))
        after = calibrated(scores, rule.temperature, rule.step)[rows, called]
        before = scores[rows, called].astype(np.float64)
        right = called == seen.truth
        found = [reliability(each, right) for each in (before, after)]
        lines = [
            ("before", plots.MUTED, "--", *found[0][:2]),
            (f"after, temperature {rule.temperature:.2f}", colour, "-", *found[1][:2]),
        ]
        figures.append(
            plots.curve_plot(
                f"{key}reliability-{name}",
                f"Reliability, {name}",
                lines,
                axes=("confidence", "accuracy"),
                chance=(0, 1),
                weights=[each[2] for each in found],
            )
        )
    return figures
