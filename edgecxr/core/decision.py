# SPDX-License-Identifier: Apache-2.0
"""From scores to a decision: calibrated confidence, "uncertain", and the set of possible classes.

Everything is chosen on validation images. The rules look at the scores as the model gives them, so
that a board needs two integers and no exponential; the temperature only changes the confidence
that is shown. docs/uncertainty.md says what each figure means and what it does not.

Sources: temperature and calibration error, Guo et al. 2017 (On Calibration of Modern Neural
Networks, eq. 3 and section 4.2); equal-mass bins, Nguyen and O'Connor 2015; conformal sets,
Sadinle et al. 2019 (least ambiguous sets) with the quantile of Angelopoulos and Bates 2021,
section 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.model_selection import KFold

from edgecxr.core.metrics import DecisionEvaluation, DecisionFigures, wilson
from edgecxr.core.quant import dequantize
from edgecxr.errors import DataError, ModelError, UsageError

COVERAGE = 0.9
LEVEL = 0.98
BINS = 15
FOLDS = 5
FEWEST = 10
"""Images below which nothing is chosen."""
NEVER = 2.0
"""A threshold that no score reaches."""
_SEED = 1
_COLDEST, _HOTTEST = 0.05, 20.0
_SUM_TOLERANCE = 0.05

Floats = NDArray[np.float32]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Frozen):
    """What was chosen for one model file.

    Attributes:
        temperature: divides the logits before the softmax that gives the confidence.
        threshold: an image whose top score is below it is uncertain.
        included: a class with at least this score is in the set, and the top class always.
        step: of the scores, 1/256 for an int8 softmax; 0 for float32.
    """

    temperature: float = Field(gt=0)
    threshold: float
    included: float
    step: float = Field(ge=0)


class Calibration(Rule):
    """A rule, and its figures on validation, cross-fitted: each image was judged by a rule that
    was chosen without it."""

    validation: DecisionFigures


class Decision(_Frozen):
    """The manifest's section: what was wanted, and what came of it for each precision.

    Attributes:
        images: validation images that all was chosen on.
        coverage, max_error: what the threshold was chosen for; one of them is None.
        level: of the sets: the share that holds the true class, at least.
        folds: of the cross-fitting.
    """

    images: int
    coverage: float | None
    max_error: float | None
    level: float
    folds: int
    float32: Calibration
    int8: Calibration


@dataclass(frozen=True)
class Wish:
    """What to choose rules for: a share of images to answer, or an error among those answered.

    Raises:
        UsageError: if both or none are given, or a share is not between 0 and 1.
    """

    coverage: float | None = COVERAGE
    max_error: float | None = None
    level: float = LEVEL

    def __post_init__(self) -> None:
        if (self.coverage is None) == (self.max_error is None):
            raise UsageError("expected a coverage or a largest error, found both or none; give one")
        if self.coverage is not None and not 0 < self.coverage <= 1:
            raise UsageError(f"expected a coverage above 0 and up to 1, found {self.coverage:g}")
        if self.max_error is not None and not 0 <= self.max_error < 1:
            raise UsageError(f"expected an error from 0 to below 1, found {self.max_error:g}")
        if not 0 < self.level < 1:
            raise UsageError(f"expected a level between 0 and 1, found {self.level:g}")


@dataclass(frozen=True)
class Verdict:
    """What is said of one image. ``confidence`` is calibrated; ``included`` are class indices."""

    top: int
    confidence: float
    uncertain: bool
    included: tuple[int, ...]


@dataclass(frozen=True)
class _Outcomes:
    """For each of N images; ``sets`` is bool (N, classes), the others (N,)."""

    before: NDArray[np.float64]
    after: NDArray[np.float64]
    right: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    sets: NDArray[np.bool_]


def calibrated(scores: Floats, temperature: float, step: float) -> NDArray[np.float64]:
    """Confidences, float64 (N, classes), from softmax scores, float32 (N, classes).

    The logarithm of a probability is its logit but for a constant that the softmax removes. A
    quantized 0 is anything below half a step, so a quarter step stands for it; that bounds how
    certain an int8 model can be.
    """
    return np.asarray(softmax(_logits(scores, step) / temperature, axis=1))


def _logits(scores: Floats, step: float) -> NDArray[np.float64]:
    floor = step / 4 if step else float(np.finfo(np.float32).tiny)
    return np.log(np.maximum(scores.astype(np.float64), floor))


def fit_temperature(scores: Floats, truth: NDArray[np.int64], step: float) -> float:
    """The temperature of least negative log-likelihood, from 0.05 to 20.

    The likelihood has one maximum, since it is concave in the inverse of the temperature.
    """
    logits = _logits(scores, step)

    def loss(log_temperature: float) -> float:
        chances = log_softmax(logits / math.exp(log_temperature), axis=1)
        return float(-chances[np.arange(len(truth)), truth].mean())

    bounds = (math.log(_COLDEST), math.log(_HOTTEST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def calibration_error(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], *, adaptive: bool = False
) -> float:
    """Expected calibration error: over 15 bins, the mean of |accuracy − mean confidence|, weighted
    by images.

    Args:
        confidence: of the top class, (N,), 0 to 1.
        right: whether that class is the true one, (N,).
        adaptive: bins of equally many images in place of equal width.
    """
    if adaptive:
        parts = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    else:
        bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        parts = [np.flatnonzero(bins == each) for each in range(BINS)]
    gaps = [abs(float((confidence[part] - right[part]).sum())) for part in parts]
    return sum(gaps) / len(confidence)


def certain_threshold(top: Floats, right: NDArray[np.bool_], wish: Wish) -> float:
    """The largest threshold that leaves the wanted coverage, or the smallest that keeps the error
    of the images at or above it; ``NEVER`` if none does.

    Args:
        top: the top scores, (N,).
        right: whether the top class is the true one, (N,).
    """
    order = np.argsort(-top, kind="stable")
    if wish.coverage is not None:
        return float(top[order[math.ceil(wish.coverage * len(top) - 1e-9) - 1]])
    errors = np.cumsum(~right[order]) / np.arange(1, len(top) + 1)
    # A threshold takes all images of one score, so it is judged after the last of them.
    last = np.append(np.diff(top[order]) != 0, True)
    allowed = np.flatnonzero(last & (errors <= (wish.max_error or 0)))
    return float(top[order[allowed[-1]]]) if len(allowed) else NEVER


def set_threshold(of_truth: Floats, level: float) -> float:
    """The score that a class needs to be in the set, so that a further image's true class is in
    it with a chance of at least ``level``, if it is drawn as these were.

    It is the ⌊(n + 1)(1 − level)⌋-th smallest score of a true class; 0 for too few images, and
    every class is then in every set.

    Args:
        of_truth: the scores of the true classes, (N,).
    """
    rank = math.floor((len(of_truth) + 1) * (1 - level) + 1e-9)
    return float(np.sort(of_truth)[rank - 1]) if rank else 0.0


def fit(scores: Floats, truth: NDArray[np.int64], wish: Wish, step: float) -> Rule:
    """Choose all three on the same images."""
    called = scores.argmax(axis=1)
    return Rule(
        temperature=fit_temperature(scores, truth, step),
        threshold=certain_threshold(scores.max(axis=1), called == truth, wish),
        included=set_threshold(scores[np.arange(len(truth)), truth], wish.level),
        step=step,
    )


def decide(rule: Rule, scores: Floats) -> Verdict:
    """The verdict on one image from its scores, float32 (classes,)."""
    truth = np.zeros(1, np.int64)
    found = _outcomes(rule, scores[np.newaxis], truth)
    return Verdict(
        top=int(scores.argmax()),
        confidence=float(found.after[0]),
        uncertain=not found.certain[0],
        included=tuple(int(index) for index in np.flatnonzero(found.sets[0])),
    )


def _outcomes(rule: Rule, scores: Floats, truth: NDArray[np.int64]) -> _Outcomes:
    rows, called = np.arange(len(scores)), scores.argmax(axis=1)
    sets = scores >= np.float32(rule.included)
    sets[rows, called] = True
    return _Outcomes(
        before=scores[rows, called].astype(np.float64),
        after=calibrated(scores, rule.temperature, rule.step)[rows, called],
        right=called == truth,
        certain=scores[rows, called] >= np.float32(rule.threshold),
        sets=sets,
    )


def measure(rule: Rule, scores: Floats, truth: NDArray[np.int64]) -> DecisionFigures:
    """What a rule does on images that it was not chosen on.

    Args:
        scores: float32 (N, classes).
        truth: class indices, (N,).
    """
    return _figures(_outcomes(rule, scores, truth), truth)


def _figures(found: _Outcomes, truth: NDArray[np.int64]) -> DecisionFigures:
    images, certain = len(truth), int(found.certain.sum())
    right = int((found.certain & found.right).sum())
    held = int(found.sets[np.arange(images), truth].sum())
    sizes = found.sets.sum(axis=1)
    return DecisionFigures(
        images=images,
        ece_before=calibration_error(found.before, found.right),
        ece_after=calibration_error(found.after, found.right),
        adaptive_ece_before=calibration_error(found.before, found.right, adaptive=True),
        adaptive_ece_after=calibration_error(found.after, found.right, adaptive=True),
        coverage=certain / images,
        coverage_ci95=wilson(certain, images),
        accuracy_if_certain=right / certain if certain else None,
        accuracy_if_certain_ci95=wilson(right, certain) if certain else None,
        set_coverage=held / images,
        set_coverage_ci95=wilson(held, images),
        set_size=float(sizes.mean()),
        single=float((sizes == 1).mean()),
    )


def calibrate(scores: Floats, truth: NDArray[np.int64], wish: Wish, step: float) -> Calibration:
    """Choose a rule on validation images, and say honestly what it does there.

    Args:
        scores: what the softmax gave, float32 (N, classes).
        truth: class indices, (N,).
        step: of quantized scores; 0 for float32.

    Raises:
        DataError: if there are fewer than 10 images, or no threshold keeps the wanted error.
        ModelError: if the scores are no probabilities.
    """
    if len(truth) < FEWEST:
        raise DataError(
            f"expected at least {FEWEST} validation images to choose thresholds on, found "
            f"{len(truth)}; train with a larger --validation-share"
        )
    _check_probabilities(scores)
    rule = fit(scores, truth, wish, step)
    if rule.threshold == NEVER:
        raise DataError(
            f"expected a threshold above which at most {100 * (wish.max_error or 0):g} % of the "
            "validation images are wrong, found none; allow a larger --max-error"
        )
    return Calibration(**rule.model_dump(), validation=_cross_fitted(scores, truth, wish, step))


def _cross_fitted(
    scores: Floats, truth: NDArray[np.int64], wish: Wish, step: float
) -> DecisionFigures:
    parts, order = [], []
    for rest, held_out in KFold(FOLDS, shuffle=True, random_state=_SEED).split(scores):
        rule = fit(scores[rest], truth[rest], wish, step)
        parts.append(_outcomes(rule, scores[held_out], truth[held_out]))
        order.append(held_out)
    return _figures(
        _Outcomes(
            before=np.concatenate([part.before for part in parts]),
            after=np.concatenate([part.after for part in parts]),
            right=np.concatenate([part.right for part in parts]),
            certain=np.concatenate([part.certain for part in parts]),
            sets=np.concatenate([part.sets for part in parts]),
        ),
        truth[np.concatenate(order)],
    )


def _check_probabilities(scores: Floats) -> None:
    sums = scores.sum(axis=1)
    if scores.min() < 0 or not np.allclose(sums, 1, atol=_SUM_TOLERANCE):
        raise ModelError(
            "expected scores of a softmax, which are not negative and add up to 1, found sums of "
            f"{sums.min():.3g} to {sums.max():.3g}; end the model with a softmax"
        )


def choose(
    float32: Floats, int8: Floats, truth: NDArray[np.int64], wish: Wish, int8_step: float
) -> Decision:
    """The manifest's section from the scores of both models on the same validation images.

    Raises:
        DataError, ModelError: as :func:`calibrate` does.
    """
    return Decision(
        images=len(truth),
        coverage=wish.coverage,
        max_error=wish.max_error,
        level=wish.level,
        folds=FOLDS,
        float32=calibrate(float32, truth, wish, 0.0),
        int8=calibrate(int8, truth, wish, int8_step),
    )


def evaluate_decision(
    decision: Decision, float32: Floats, int8: Floats, truth: NDArray[np.int64]
) -> DecisionEvaluation:
    """What the rules of both models do on other images."""
    return DecisionEvaluation(
        level=decision.level,
        float32=measure(decision.float32, float32, truth),
        int8=measure(decision.int8, int8, truth),
    )


def smallest_int8(score: float, scale: float, zero_point: int) -> int:
    """The least int8 value, from -128, that stands for ``score`` or more; 128 if none does.

    Comparing with it is the same as comparing dequantized scores with ``score``.
    """
    values = dequantize(np.arange(-128, 128), scale, zero_point)
    return -128 + int(np.searchsorted(values, np.float32(score)))
