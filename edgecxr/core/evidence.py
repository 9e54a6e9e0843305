# SPDX-License-Identifier: Apache-2.0
"""What several seeds show together. The quantiles are scipy's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import t

from edgecxr.core.metrics import Evaluation, Figures, Interval, paired_difference
from edgecxr.errors import DataError


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(_Frozen):
    """Figures of several seeds. ``sd`` and the interval of the mean need two of them."""

    n: int
    mean: float
    sd: float | None
    ci95: Interval | None


class PrecisionSpread(_Frozen):
    """``auc`` is None if it is of some seed."""

    accuracy: Spread
    balanced_accuracy: Spread
    auc: Spread | None


class Evidence(_Frozen):
    """One setting on one split, over its seeds.

    Attributes:
        images: of each seed. A seed that carves its own validation images has its own number.
        difference: int8 − float32 of the same seed, and so paired.
        over_images_ci95: of the mean difference of accuracy, over images; see
            :func:`over_images`.
    """

    split: str
    images: tuple[int, ...]
    seeds: int
    float32: PrecisionSpread
    int8: PrecisionSpread
    difference: PrecisionSpread
    over_images_ci95: Interval


def spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation (n − 1) and the 95 % t-interval of the mean.

    mean ± t(0.975, n − 1) · sd / √n (Student, Biometrika 6, 1908). For the differences of pairs it
    is the interval of the paired t-test. It speaks of other seeds on the same images, not of other
    images.

    Raises:
        DataError: if there is no value.
    """
    n = len(values)
    if n == 0:
        raise DataError("expected the figures of at least one seed, found none")
    mean = float(np.mean(values))
    if n == 1:
        return Spread(n=1, mean=mean, sd=None, ci95=None)
    sd = float(np.std(values, ddof=1))
    half = float(t.ppf(0.975, n - 1)) * sd / math.sqrt(n)
    return Spread(n=n, mean=mean, sd=sd, ci95=(mean - half, mean + half))


def over_images(evaluations: Sequence[Evaluation]) -> Interval:
    """95 % interval, over images, of the seeds' mean (int8 − float32) accuracy.

    Each seed has Agresti and Min's interval for paired proportions
    (:func:`edgecxr.core.metrics.paired_difference`). All seeds see the same images, so they are not
    independent. Whatever their dependence, the standard deviation of a mean is at most the mean of
    the standard deviations (Minkowski's inequality), so the mean of the seeds' intervals is wide
    enough: it is exact where all seeds err on the same images, and otherwise too wide.
    """
    ends = [
        paired_difference(each.only_float32_right, each.only_int8_right, each.images)
        for each in evaluations
    ]
    low, high = np.mean(ends, axis=0)
    return float(low), float(high)


def evidence(evaluations: Sequence[Evaluation]) -> Evidence:
    """What the evaluations of one setting's seeds on one split show.

    Raises:
        DataError: if there is none, or if they are not of one split of one source.
    """
    if len({(each.split, each.dataset_fingerprint) for each in evaluations}) != 1:
        raise DataError(
            "expected evaluations of the same split of the same source, found several or none; "
            "do the sweep again in a new folder"
        )
    float32 = [each.float32 for each in evaluations]
    int8 = [each.int8 for each in evaluations]
    return Evidence(
        split=evaluations[0].split,
        images=tuple(each.images for each in evaluations),
        seeds=len(evaluations),
        float32=_of_precision(float32),
        int8=_of_precision(int8),
        difference=_difference(float32, int8),
        over_images_ci95=over_images(evaluations),
    )


def _of_precision(figures: Sequence[Figures]) -> PrecisionSpread:
    areas = [each.auc for each in figures if each.auc is not None]
    return PrecisionSpread(
        accuracy=spread([each.accuracy for each in figures]),
        balanced_accuracy=spread([each.balanced_accuracy for each in figures]),
        auc=spread(areas) if len(areas) == len(figures) else None,
    )


def _difference(first: Sequence[Figures], second: Sequence[Figures]) -> PrecisionSpread:
    pairs = list(zip(first, second, strict=True))
    areas = [b.auc - a.auc for a, b in pairs if a.auc is not None and b.auc is not None]
    return PrecisionSpread(
        accuracy=spread([b.accuracy - a.accuracy for a, b in pairs]),
        balanced_accuracy=spread([b.balanced_accuracy - a.balanced_accuracy for a, b in pairs]),
        auc=spread(areas) if len(areas) == len(pairs) else None,
    )
