# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_rel

from edgecxr.core.evidence import evidence, over_images, spread
from edgecxr.core.metrics import Evaluation, compare
from edgecxr.errors import DataError

SHARES = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=12)
LABELS = ("no", "yes")


def evaluation(
    float32_right: np.ndarray, int8_right: np.ndarray, *, fingerprint: str = "f"
) -> Evaluation:
    """Of as many images as the arrays of bool are long, half of each class."""
    truth = np.arange(len(float32_right)) % 2
    scores = [
        np.eye(2, dtype=np.float32)[np.where(right, truth, 1 - truth)]
        for right in (float32_right, int8_right)
    ]
    return compare(*scores, truth, LABELS, split="test", fingerprint=fingerprint, interpreter="i")


def drawn(seed: int, images: int = 80) -> Evaluation:
    rng = np.random.default_rng(seed)
    float32 = rng.random(images) < 0.9
    return evaluation(float32, float32 ^ (rng.random(images) < 0.05))


def test_the_t_interval_of_a_worked_example() -> None:
    # Student 1908, section IX: the gain in sleep from the second drug over the first, ten patients.
    gains = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    found = spread(gains)
    assert (found.n, round(found.mean, 2), round(found.sd or 0, 2)) == (10, 1.58, 1.23)
    assert found.ci95 is not None
    assert [round(end, 2) for end in found.ci95] == [0.70, 2.46]


@given(SHARES)
def test_the_interval_is_that_of_the_t_test(values: list[float]) -> None:
    found = spread(values)
    assert found.ci95 is not None
    low, high = found.ci95
    assert low <= found.mean <= high
    if np.ptp(values) > 1e-6:
        reference = ttest_1samp(values, 0).confidence_interval(0.95)
        assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-9)


@given(SHARES, st.floats(-5, 5), st.floats(0.1, 10))
def test_the_interval_moves_and_grows_with_the_values(
    values: list[float], shift: float, scale: float
) -> None:
    before, after = spread(values), spread([scale * value + shift for value in values])
    assert before.ci95 is not None
    assert after.ci95 is not None
    assert after.ci95 == pytest.approx([scale * end + shift for end in before.ci95], abs=1e-6)
    assert after.sd == pytest.approx(scale * (before.sd or 0), abs=1e-6)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    intervals = [spread(list(values)).ci95 for values in rng.normal(0.9, 0.02, (2000, 5))]
    covered = np.mean([end is not None and end[0] <= 0.9 <= end[1] for end in intervals])
    # Three standard errors of 2000 draws are 1.5 points.
    assert covered == pytest.approx(0.95, abs=0.015)


def test_one_seed_has_no_spread_and_none_is_an_error() -> None:
    one = spread([0.9])
    assert (one.mean, one.sd, one.ci95) == (0.9, None, None)
    with pytest.raises(DataError, match="at least one seed"):
        spread([])


def test_the_difference_is_paired_by_seed() -> None:
    seeds = [drawn(seed) for seed in range(5)]
    found = evidence(seeds)
    first = [each.float32.accuracy for each in seeds]
    second = [each.int8.accuracy for each in seeds]
    reference = ttest_rel(second, first).confidence_interval(0.95)
    assert found.difference.accuracy.ci95 == pytest.approx((reference.low, reference.high))
    assert found.difference.accuracy.mean == pytest.approx(
        found.int8.accuracy.mean - found.float32.accuracy.mean
    )
    assert (found.seeds, found.images, found.split) == (5, (80,) * 5, "test")


@settings(max_examples=10)
@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=4))
def test_over_images_is_the_mean_of_the_seeds_intervals(seeds: list[int]) -> None:
    each = [drawn(seed) for seed in seeds]
    low, high = over_images(each)
    assert (low, high) == pytest.approx(np.mean([one.difference_ci95 for one in each], axis=0))
    assert min(one.difference_ci95[0] for one in each) - 1e-12 <= low < high


def test_seeds_that_err_on_the_same_images_are_no_more_evidence_than_one() -> None:
    one = drawn(3)
    assert over_images([one] * 5) == pytest.approx(over_images([one]))


def test_over_images_covers_the_truth_even_where_seeds_share_their_errors() -> None:
    # The images are drawn anew each time; the five "seeds" differ little on them.
    rng, one = np.random.default_rng(2), drawn(1, images=100)
    missed = 0
    for _ in range(400):
        hard = rng.random(100) < 0.1
        lost = [int((hard & (rng.random(100) < 0.8)).sum()) for _ in range(5)]
        low, high = over_images(
            [one.model_copy(update={"only_float32_right": n, "only_int8_right": 0}) for n in lost]
        )
        missed += not low <= -0.08 <= high
    # 5 % of 400, and two standard errors more; hardly less, for the seeds share most of it.
    assert 5 <= missed <= 28


def test_an_auc_that_a_seed_lacks_is_not_averaged() -> None:
    only_one_class = compare(
        np.eye(2, dtype=np.float32)[[0, 0]],
        np.eye(2, dtype=np.float32)[[0, 1]],
        np.zeros(2, np.int64),
        LABELS,
        split="test",
        fingerprint="f",
        interpreter="i",
    )
    found = evidence([drawn(1), only_one_class])
    assert found.float32.auc is None
    assert found.difference.auc is None


def test_seeds_of_other_images_are_refused() -> None:
    right = np.ones(10, bool)
    with pytest.raises(DataError, match="same split of the same source"):
        evidence([evaluation(right, right), evaluation(right, right, fingerprint="g")])
    with pytest.raises(DataError, match="several or none"):
        evidence([])
