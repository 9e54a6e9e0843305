# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.data.dataset import Dataset, Sample
from edgecxr.data.split import assign_splits, draw, with_validation
from edgecxr.errors import DataError, UsageError
from tests.data.folders import sample

SHARES = st.floats(0.05, 0.5)
SEEDS = st.integers(0, 2**31)


@st.composite
def patients(draw_: st.DrawFn) -> list[Sample]:
    """Two to four classes; each patient has one class and one to six images."""
    samples = []
    for label in "abcd"[: draw_(st.integers(2, 4))]:
        sizes = draw_(st.lists(st.integers(1, 6), min_size=3, max_size=40))
        for number, size in enumerate(sizes):
            who = f"{label}{number}"
            samples += [sample(f"{label}/{who}_{i}.png", label, who) for i in range(size)]
    return samples


def dataset(samples: Sequence[Sample], split_seed: int | None = None) -> Dataset:
    labels = tuple(sorted({s.label for s in samples}))
    return Dataset(Path("/nowhere"), labels, tuple(samples), False, split_seed)


def largest_patient(samples: Sequence[Sample], label: str) -> int:
    return max(Counter(s.patient for s in samples if s.label == label).values())


@given(patients(), SHARES, SEEDS)
@settings(deadline=None)
def test_no_patient_is_on_two_sides(samples: list[Sample], share: float, seed: int) -> None:
    chosen = draw(samples, share, seed)
    sides = defaultdict(set)
    for s in samples:
        sides[s.patient].add(s.name in chosen)
    assert all(len(side) == 1 for side in sides.values())


@given(patients(), SHARES, SEEDS)
@settings(deadline=None)
def test_each_class_has_its_share(samples: list[Sample], share: float, seed: int) -> None:
    chosen = draw(samples, share, seed)
    for label, count in Counter(s.label for s in samples).items():
        inside = sum(s.name in chosen for s in samples if s.label == label)
        assert 0 < inside < count
        bound = largest_patient(samples, label)
        assert abs(inside - share * count) <= bound


@given(st.integers(20, 300), st.integers(20, 300), SHARES, SEEDS)
@settings(deadline=None, max_examples=30)
def test_single_images_are_split_to_the_image(a: int, b: int, share: float, seed: int) -> None:
    samples = [sample(f"a/{i}", "a") for i in range(a)] + [sample(f"b/{i}", "b") for i in range(b)]
    counts = Counter(name[0] for name in draw(samples, share, seed))
    assert abs(counts["a"] - share * a) <= 0.5
    assert abs(counts["b"] - share * b) <= 0.5


@given(patients(), SHARES, SEEDS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_samples_does_not_matter(
    samples: list[Sample], share: float, seed: int, chance: object
) -> None:
    shuffled = samples.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert draw(samples, share, seed) == draw(shuffled, share, seed)


@given(patients(), SHARES, SHARES, SEEDS)
@settings(deadline=None)
def test_three_splits_hold_every_image_once(
    samples: list[Sample], val: float, test: float, seed: int
) -> None:
    if val + test >= 0.95:
        return
    assigned = assign_splits(samples, val_share=val, test_share=test, seed=seed)
    assert [s.name for s in assigned] == [s.name for s in samples]
    splits = defaultdict(set)
    for s in assigned:
        splits[s.patient].add(s.split)
    assert {s.split for s in assigned} == {"train", "val", "test"}
    assert all(len(found) == 1 for found in splits.values())


def test_another_seed_gives_another_split() -> None:
    samples = [sample(f"{label}/{i}", label) for label in "ab" for i in range(50)]
    assert draw(samples, 0.2, 1) != draw(samples, 0.2, 2)
    assert draw(samples, 0.2, 1) == draw(samples, 0.2, 1)


def test_a_seed_keeps_its_meaning_between_versions() -> None:
    samples = [sample(f"{label}/{i}", label) for label in "ab" for i in range(5)]
    assert draw(samples, 0.4, 0) == {"a/1", "a/4", "b/1", "b/4"}


def test_the_same_picture_under_two_names_stays_together() -> None:
    copies = [sample(f"a/{i}", "a", sha256="ff" * 32) for i in range(2)]
    others = [sample(f"{label}/x{i}", label) for label in "ab" for i in range(30)]
    for seed in range(30):
        chosen = draw([*copies, *others], 0.3, seed)
        assert len({s.name in chosen for s in copies}) == 1


def test_a_patient_with_two_classes_stays_together() -> None:
    samples = [
        sample(f"{label}/{i}_{label}.png", label, f"p{i}") for i in range(40) for label in "ab"
    ]
    chosen = draw(samples, 0.25, 3)
    assert Counter(name[0] for name in chosen) == {"a": 10, "b": 10}


def test_small_classes_are_on_both_sides() -> None:
    samples = [sample(f"a/{i}", "a") for i in range(100)] + [sample(f"b/{i}", "b") for i in (1, 2)]
    chosen = draw(samples, 0.1, 0)
    assert sum(name.startswith("b/") for name in chosen) == 1


def test_one_patient_in_a_class_is_one_sentence() -> None:
    samples = [sample(f"a/{i}", "a") for i in range(9)] + [
        sample(f"b/{i}", "b", "Ann") for i in range(9)
    ]
    with pytest.raises(DataError, match=r"2 splits need .* class 'b' has 1 \(Ann\); add"):
        draw(samples, 0.2, 0)


def test_two_patients_are_too_few_for_three_splits() -> None:
    samples = [sample(f"{label}/{i}", label) for label in "ab" for i in (1, 2)]
    with pytest.raises(DataError, match="3 splits need at least 3 patients of each class"):
        assign_splits(samples, val_share=0.2, test_share=0.2, seed=0)


def test_validation_is_carved_out_of_train_only() -> None:
    train = [sample(f"train/{label}/{i}", label) for label in "ab" for i in range(20)]
    test = [
        replace(sample(f"test/{label}/{i}", label), split="test") for label in "ab" for i in (1, 2)
    ]
    carved = with_validation(dataset([*train, *test]), 0.25, 7)
    assert carved.counts() == {
        "train": {"a": 15, "b": 15},
        "val": {"a": 5, "b": 5},
        "test": {"a": 2, "b": 2},
    }
    assert [s.name for s in carved.samples] == [s.name for s in (*train, *test)]


def test_a_val_of_the_source_is_replaced_and_not_merged() -> None:
    train = [sample(f"train/{label}/{i}", label) for label in "ab" for i in range(20)]
    val = [
        replace(sample(f"val/{label}/{i}", label), split="val") for label in "ab" for i in (1, 2)
    ]
    carved = with_validation(dataset([*train, *val]), 0.25, 7)
    assert {s.name for s in carved.samples} == {s.name for s in train}
    assert "val" in carved.splits


def test_a_val_that_was_drawn_goes_back_to_train_first() -> None:
    samples = [sample(f"{label}/{i}", label) for label in "ab" for i in range(40)]
    drawn = assign_splits(samples, val_share=0.25, test_share=0.25, seed=0)
    carved = with_validation(dataset(drawn, split_seed=0), 0.1, 7)
    assert len(carved.samples) == len(samples)
    assert carved.counts()["val"] == {"a": 3, "b": 3}
    assert carved.counts()["test"] == {"a": 10, "b": 10}


def test_without_train_there_is_nothing_to_carve() -> None:
    only = dataset([replace(sample(f"{label}/1", label), split="test") for label in "ab"])
    with pytest.raises(DataError, match="has only test; add a 'train' split"):
        with_validation(only, 0.2, 0)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_out_of_range_is_a_usage_error(share: float) -> None:
    with pytest.raises(UsageError, match="must lie between 0 and 1"):
        with_validation(dataset([sample("a/1", "a")]), share, 0)
