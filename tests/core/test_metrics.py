# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecxr.core.metrics import (
    baselines,
    compare,
    figures,
    only_answer,
    paired_difference,
    verdict,
    wilson,
)
from edgecxr.errors import DataError

LABELS = ("a", "b", "c")


def one_hot(called: list[int], classes: int = 3) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[called]


def test_wilson_matches_the_worked_example_of_newcombe_1998() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), Table I, method 3: 81 of 263.
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_proportion_and_stays_in_range(pair: tuple[int, int]) -> None:
    low, high = wilson(*pair)
    assert 0 <= low <= pair[0] / pair[1] <= high <= 1


def test_figures_of_a_small_confusion_matrix_by_hand() -> None:
    truth = np.array([0, 0, 0, 1, 1, 2])
    result = figures(one_hot([0, 0, 1, 1, 1, 0]), truth, LABELS)
    assert result.confusion == ((2, 1, 0), (0, 2, 0), (1, 0, 0))
    assert result.accuracy == pytest.approx(4 / 6)
    assert result.balanced_accuracy == pytest.approx((2 / 3 + 1 + 0) / 3)
    a, b, c = result.classes
    assert (a.sensitivity, a.specificity) == pytest.approx((2 / 3, 2 / 3))
    assert (b.sensitivity, b.specificity) == pytest.approx((1, 3 / 4))
    assert (c.sensitivity, c.specificity, c.precision) == (0, 1, None)
    assert (a.f1, b.f1, c.f1) == pytest.approx((2 / 3, 4 / 5, 0))
    assert result.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 3)


def test_auc_is_one_against_rest_and_missing_without_all_classes() -> None:
    scores = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]], np.float32)
    assert figures(scores, np.array([0, 1, 2]), LABELS).auc == 1.0
    assert figures(scores, np.array([0, 1, 1]), LABELS).auc is None
    two = np.array([[0.8, 0.2], [0.6, 0.4], [0.7, 0.3], [0.1, 0.9]], np.float32)
    assert figures(two, np.array([0, 0, 1, 1]), ("no", "yes")).auc == pytest.approx(3 / 4)


def test_no_image_is_an_error() -> None:
    with pytest.raises(DataError, match="at least one image"):
        figures(np.zeros((0, 3), np.float32), np.zeros(0, np.int64), LABELS)


def test_baselines() -> None:
    result = baselines(np.array([0, 0, 0, 1]), ("no", "yes"))
    assert (result.majority_label, result.majority_accuracy) == ("no", 0.75)
    assert result.random_accuracy == pytest.approx(0.75**2 + 0.25**2)


def compared(float32: list[int], int8: list[int], truth: list[int]) -> object:
    return compare(
        one_hot(float32),
        one_hot(int8),
        np.array(truth),
        LABELS,
        split="test",
        fingerprint="f",
        interpreter="i",
    )


def test_equal_models_show_no_difference() -> None:
    result = compared([0, 1, 2] * 40, [0, 1, 2] * 40, [0, 1, 1] * 40)
    assert (result.agreement, result.mcnemar_p) == (1.0, 1.0)
    assert result.verdict.startswith("These 120 images do not show")


def test_a_clear_loss_is_called_one() -> None:
    result = compared([0] * 100, [0] * 88 + [1] * 12, [0] * 100)
    assert (result.only_float32_right, result.only_int8_right) == (12, 0)
    # Twelve tosses that all fall the same way: 2 * 0.5**12.
    assert result.mcnemar_p == pytest.approx(2 * 0.5**12)
    assert result.verdict.startswith("Quantization cost accuracy: -12.0 points")
    assert result.difference_ci95[1] < 0


def test_a_clear_gain_is_not_called_a_loss() -> None:
    assert verdict(0, 12, 100, 0.0005, (0.05, 0.19)).startswith("int8 is better")


@given(st.integers(0, 30), st.integers(0, 30), st.integers(60, 500))
def test_the_paired_interval_is_symmetric_and_never_empty(lost: int, won: int, n: int) -> None:
    low, high = paired_difference(lost, won, n)
    mirrored = paired_difference(won, lost, n)
    assert low < high
    assert (low, high) == pytest.approx((-mirrored[1], -mirrored[0]))


def test_a_model_with_one_answer_is_seen() -> None:
    truth = np.array([0, 1, 2, 2])
    assert only_answer(figures(one_hot([1, 1, 1, 1]), truth, LABELS)) == "b"
    assert only_answer(figures(one_hot([1, 1, 1, 0]), truth, LABELS)) is None
