# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.special import softmax

from edgecxr.core.decision import (
    FEWEST,
    NEVER,
    Rule,
    Wish,
    calibrate,
    calibrated,
    calibration_error,
    certain_threshold,
    choose,
    decide,
    fit,
    fit_temperature,
    measure,
    set_threshold,
    smallest_int8,
)
from edgecxr.core.quant import dequantize
from edgecxr.errors import DataError, ModelError, UsageError

STEP = 1 / 256
temperatures = st.floats(0.05, 20)
int8_scores = arrays(np.int8, st.integers(2, 6))
probabilities = arrays(np.float64, st.integers(2, 6), elements=st.floats(-20, 20)).map(
    lambda logits: softmax(logits).astype(np.float32)
)


def drawn(
    images: int, heat: float, seed: int, classes: int = 3
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores, and truths drawn from the scores at another temperature: known to be miscalibrated
    by the factor ``heat``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (images, classes))
    chances = softmax(logits / heat, axis=1)
    truth = np.array([rng.choice(classes, p=each) for each in chances])
    return softmax(logits, axis=1).astype(np.float32), truth


def quantized(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(np.rint(scores * 256), 0, 255).astype(np.float32) / 256


@given(probabilities, temperatures)
def test_the_temperature_leaves_the_top_class(scores: NDArray[np.float32], heat: float) -> None:
    after = calibrated(scores[np.newaxis], heat, 0.0)[0]
    assert after[scores.argmax()] == pytest.approx(after.max())
    assert after.sum() == pytest.approx(1)


@given(int8_scores, temperatures)
def test_it_leaves_it_for_quantized_scores_too(raw: NDArray[np.int8], heat: float) -> None:
    scores = dequantize(raw, STEP, -128)
    after = calibrated(scores[np.newaxis], heat, STEP)[0]
    assert after[scores.argmax()] == pytest.approx(after.max())


@pytest.mark.parametrize("heat", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("step", [0.0, STEP])
def test_a_known_miscalibration_is_found(heat: float, step: float) -> None:
    scores, truth = drawn(4000, heat, seed=3)
    found = fit_temperature(quantized(scores) if step else scores, truth, step)
    assert found == pytest.approx(heat, rel=0.1)


def test_the_temperature_mends_the_calibration_error_of_other_images() -> None:
    rule = fit(*drawn(2000, 3.0, seed=1), Wish(), 0.0)
    found = measure(rule, *drawn(4000, 3.0, seed=2))
    assert found.ece_before > 0.2
    assert found.ece_after < 0.03
    assert found.adaptive_ece_after < 0.03


@given(st.data())
def test_a_calibration_error_is_a_share(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 60))
    confidence = data.draw(arrays(np.float64, count, elements=st.floats(0, 1)))
    right = data.draw(arrays(np.bool_, count))
    whole = abs(float(confidence.mean() - right.mean()))
    for adaptive in (False, True):
        error = calibration_error(confidence, right, adaptive=adaptive)
        assert whole - 1e-9 <= error <= 1  # one bin for all would be the least


def test_a_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.61, 0.65])
    right = np.array([True, True, True, False])
    assert calibration_error(confidence, right) == pytest.approx((0.1 + 0.26) / 4)


@given(arrays(np.int8, st.integers(1, 80)), st.floats(0.01, 1), st.integers(0, 2**32 - 1))
def test_the_threshold_leaves_the_wanted_coverage_and_no_larger_one_does(
    raw: NDArray[np.int8], coverage: float, seed: int
) -> None:
    top = dequantize(raw, STEP, -128)
    right = np.random.default_rng(seed).random(len(top)) < 0.8
    threshold = certain_threshold(top, right, Wish(coverage=coverage))
    assert (top >= threshold).mean() >= coverage - 1e-9
    larger = [each for each in np.unique(top) if each > threshold]
    assert all((top >= each).mean() < coverage for each in larger)


@given(arrays(np.int8, st.integers(1, 80)), st.floats(0, 0.5), st.integers(0, 2**32 - 1))
def test_the_threshold_keeps_the_error_and_no_smaller_one_does(
    raw: NDArray[np.int8], error: float, seed: int
) -> None:
    top = dequantize(raw, STEP, -128)
    right = np.random.default_rng(seed).random(len(top)) < 0.7
    threshold = certain_threshold(top, right, Wish(None, error))
    if threshold != NEVER:
        assert (~right[top >= threshold]).mean() <= error
    smaller = [each for each in np.unique(top) if each < threshold]
    assert all((~right[top >= each]).mean() > error for each in smaller)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.98])
@pytest.mark.parametrize("step", [0.0, STEP])
def test_sets_hold_the_true_class_as_often_as_promised(level: float, step: float) -> None:
    """Over many draws of calibration images: the guarantee is about their mean."""
    scores, truth = drawn(300 * 100, 1.7, seed=5)
    scores = quantized(scores) if step else scores
    covered = []
    for at in range(0, len(truth), 100):
        known, later = slice(at, at + 60), slice(at + 60, at + 100)
        rule = fit(scores[known], truth[known], Wish(level=level), step)
        covered.append(measure(rule, scores[later], truth[later]).set_coverage)
    spread = np.std(covered) / math.sqrt(len(covered))
    assert np.mean(covered) >= level - 3 * spread
    if step == 0.0 and level == 0.9:
        assert np.mean(covered) <= level + 1 / 61 + 0.02 + 3 * spread  # the top class always counts


def test_too_few_images_put_every_class_in_the_set() -> None:
    assert set_threshold(np.full(48, 0.9, np.float32), 0.98) == 0
    assert set_threshold(np.full(49, 0.9, np.float32), 0.98) == pytest.approx(0.9)


@given(st.floats(-1, 3), st.floats(1e-4, 1), st.integers(-128, 127), int8_scores)
def test_the_integer_rule_is_the_rule(
    score: float, scale: float, zero_point: int, raw: NDArray[np.int8]
) -> None:
    integer = smallest_int8(score, scale, zero_point)
    at_least = dequantize(raw, scale, zero_point) >= np.float32(score)
    assert (at_least == (raw.astype(int) >= integer)).all()


@given(probabilities, st.floats(0, 1), st.floats(0, 1))
def test_a_verdict_holds_the_top_class_and_what_reaches_the_limit(
    scores: NDArray[np.float32], threshold: float, included: float
) -> None:
    found = decide(Rule(temperature=1, threshold=threshold, included=included, step=0), scores)
    assert found.uncertain == bool(scores.max() < np.float32(threshold))
    reached = set(np.flatnonzero(scores >= np.float32(included)).tolist())
    assert set(found.included) == reached | {found.top}


def test_both_precisions_are_chosen_and_survive_json() -> None:
    scores, truth = drawn(200, 0.7, seed=9)
    decision = choose(scores, quantized(scores), truth, Wish(), STEP)
    assert type(decision).model_validate_json(decision.model_dump_json()) == decision
    assert decision.int8.threshold == quantized(np.float32([decision.int8.threshold]))[0]
    assert decision.float32.validation.images == 200
    assert decision.float32.validation.coverage == pytest.approx(0.9, abs=0.03)


def test_too_few_images_are_refused() -> None:
    scores, truth = drawn(FEWEST - 1, 1, seed=1)
    with pytest.raises(DataError, match="at least 10 validation images"):
        calibrate(scores, truth, Wish(), 0.0)


def test_an_error_that_no_threshold_keeps_is_refused() -> None:
    scores = np.tile(np.float32([0.9, 0.1]), (20, 1))
    truth = np.arange(20) % 2
    with pytest.raises(DataError, match="at most 2 % of the validation"):
        calibrate(scores, truth, Wish(None, 0.02), 0.0)


def test_scores_that_are_no_probabilities_are_refused() -> None:
    with pytest.raises(ModelError, match="end the model with a softmax"):
        calibrate(np.full((20, 3), 2, np.float32), np.zeros(20, np.int64), Wish(), 0.0)


@pytest.mark.parametrize(
    "wish", [(0.9, 0.02), (None, None), (0, None), (1.5, None), (None, 1.0), (0.9, None, 1.0)]
)
def test_a_wish_that_cannot_be_meant_is_refused(wish: tuple[float | None, ...]) -> None:
    with pytest.raises(UsageError, match="expected a"):
        Wish(*wish)
