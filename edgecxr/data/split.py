# SPDX-License-Identifier: Apache-2.0
"""Seeded, stratified splits in which no patient and no picture is on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from edgecxr.errors import DataError, UsageError

if TYPE_CHECKING:
    from edgecxr.data.dataset import Dataset, Sample


def with_validation(dataset: Dataset, share: float, seed: int) -> Dataset:
    """Carve ``val`` out of ``train``: by patient, stratified by class, seeded.

    An existing ``val`` that came with the source is dropped, not merged: it was chosen by someone
    for some reason (Kermany's 16 images went through another resize), and mixing it into ``train``
    would carry that into the selection of the model. A ``val`` that edgecxr itself drew goes back
    to ``train`` first.

    Args:
        share: part of the images of each class in ``train`` that become ``val``, 0 < share < 1.

    Raises:
        UsageError: if ``share`` is out of range.
        DataError: if there is no ``train``, or a class in it has fewer than two patients.
    """
    _check_share(share, "validation share")
    drawn = dataset.split_seed is not None
    kept = []
    for sample in dataset.samples:
        if sample.split == "val":
            if drawn:
                kept.append(replace(sample, split="train"))
        else:
            kept.append(sample)
    train = [sample for sample in kept if sample.split == "train"]
    if not train:
        raise DataError(
            f"a validation split is carved out of 'train', and {dataset.root} has only "
            f"{', '.join(dataset.splits)}; add a 'train' split"
        )
    chosen = draw(train, share, seed)
    samples = tuple(
        replace(sample, split="val")
        if sample.split == "train" and sample.name in chosen
        else sample
        for sample in kept
    )
    return replace(dataset, samples=samples)


def assign_splits(
    samples: Sequence[Sample], *, val_share: float, test_share: float, seed: int
) -> tuple[Sample, ...]:
    """Draw train, val and test for samples that have no split yet. Order is kept.

    Raises:
        UsageError: if a share is out of range.
        DataError: if a class has too few patients.
    """
    _check_share(test_share, "test share")
    _check_share(val_share / (1 - test_share), "validation share beside this test share")
    test = draw(samples, test_share, seed, leave=2)
    rest = [sample for sample in samples if sample.name not in test]
    val = draw(rest, val_share / (1 - test_share), seed)

    def split_of(name: str) -> str:
        return "test" if name in test else "val" if name in val else "train"

    return tuple(replace(sample, split=split_of(sample.name)) for sample in samples)


def draw(samples: Sequence[Sample], share: float, seed: int, *, leave: int = 1) -> set[str]:
    """Names of about ``share`` of the samples of each class, whole patients at a time.

    Patients come in the order of a hash of seed and patient. So the choice does not depend on the
    order of the samples, nor on the version of a random generator, and it changes little when
    images are added. A patient is taken if that brings the counts per class closer to their
    targets. So with one class per patient each count is off by half the largest patient at most,
    unless a class has so few patients that one side would lack it.

    Args:
        leave: patients of each class that must not be chosen; 2 if the rest is to be split again.

    Raises:
        DataError: if a class has too few patients for that.
    """
    groups = sorted(_groups(samples), key=lambda group: _order(seed, group))
    target = {label: share * n for label, n in Counter(s.label for s in samples).items()}
    have: Counter[str] = Counter()
    chosen: set[str] = set()
    for group in groups:
        counts = Counter(sample.label for sample in group)
        gain = sum(n * (2 * (target[label] - have[label]) - n) for label, n in counts.items())
        if gain > 0:
            have.update(counts)
            chosen.update(sample.name for sample in group)
    for label in sorted(target):
        _balance(groups, label, leave, chosen)
    for side in (chosen, {sample.name for sample in samples} - chosen):
        lacking = sorted(set(target) - {s.label for s in samples if s.name in side})
        if lacking:
            raise DataError(
                f"no split by patient leaves images of class '{lacking[0]}' on both sides, because "
                f"too few patients have images of several classes; add patients"
            )
    return chosen


def _balance(groups: Iterable[list[Sample]], label: str, leave: int, chosen: set[str]) -> None:
    """Move the smallest patients that have ``label`` until each side has enough of them."""
    having = [group for group in groups if any(sample.label == label for sample in group)]
    if len(having) <= leave:
        raise DataError(
            f"a patient is never split, so that {leave + 1} splits need at least {leave + 1} "
            f"patients of each class, and class '{label}' has {len(having)} "
            f"({', '.join(sorted(group[0].patient for group in having))}); add images of others"
        )
    having.sort(key=len)
    inside = [group for group in having if group[0].name in chosen]
    if not inside:
        chosen.update(sample.name for sample in having[0])
    for group in inside[: max(0, leave - (len(having) - len(inside)))]:
        chosen.difference_update(sample.name for sample in group)


def _groups(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Samples that must stay together: of one patient, or with the same content."""
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = key = parent[parent[key]]
        return key

    for sample in samples:
        patient = find(f"patient {sample.patient}")
        if sample.sha256:
            parent[patient] = find(f"content {sample.sha256}")
    groups: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[find(f"patient {sample.patient}")].append(sample)
    return list(groups.values())


def _order(seed: int, group: list[Sample]) -> str:
    patient = min(sample.patient for sample in group)
    return hashlib.sha256(f"{seed}\0{patient}".encode()).hexdigest()


def _check_share(share: float, what: str) -> None:
    if not 0 < share < 1:
        raise UsageError(f"the {what} must lie between 0 and 1, found {share:g}")
