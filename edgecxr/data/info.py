# SPDX-License-Identifier: Apache-2.0
"""What a dataset holds, and what to know before training on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from pydantic import BaseModel

from edgecxr.core.preprocess import ImageFacts, describe
from edgecxr.data.dataset import Dataset, Sample
from edgecxr.data.parallel import Progress, map_parallel
from edgecxr.errors import DataError


class Range(BaseModel):
    """The spread of one figure over all images."""

    min: float
    median: float
    max: float


class Unreadable(BaseModel):
    """A file that is not a usable image."""

    name: str
    reason: str


class DatasetInfo(BaseModel):
    """What ``data info --json`` says.

    Attributes:
        counts: images per split and class.
        patients: patients per split; an image without a known patient counts as one.
        known_patients: images whose patient is known by a column or a rule.
        split_seed: null if the source gives the splits.
        formats: number of images per format, mode and depth.
        aspect: width / height.
        aspect_by_class: the median per class; where it differs it gives the class away.
        turned: images that an EXIF tag turns.
        copies: groups of files with the same content, by name.
        fingerprint: SHA-256; null if a file could not be read.
    """

    source: str
    images: int
    labels: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    patients: dict[str, int]
    known_patients: int
    shared_patients: dict[str, tuple[str, ...]]
    split_seed: int | None
    synthetic: bool
    formats: dict[str, int]
    width_px: Range | None
    height_px: Range | None
    aspect: Range | None
    aspect_by_class: dict[str, float]
    turned: int
    unreadable: list[Unreadable]
    copies: list[list[str]]
    fingerprint: str | None
    warnings: list[str]


def inspect(dataset: Dataset, source: str, *, progress: Progress | None = None) -> DatasetInfo:
    """Decode every image and say what is there; unreadable ones are listed, not refused."""
    looks = map_parallel(_look, dataset.samples, description="Reading images", progress=progress)
    pairs = list(zip(dataset.samples, looks, strict=True))
    readable = [(sample, facts) for sample, facts in pairs if isinstance(facts, ImageFacts)]
    facts = [fact for _, fact in readable]
    unreadable = [Unreadable(name=s.name, reason=f) for s, f in pairs if isinstance(f, str)]
    known = all(sample.sha256 for sample in dataset.samples)
    return DatasetInfo(
        source=source,
        images=len(dataset.samples),
        labels=dataset.labels,
        counts=dataset.counts(),
        patients={
            split: len({s.patient for s in dataset.samples if s.split == split})
            for split in dataset.splits
        },
        known_patients=sum(sample.patient != sample.name for sample in dataset.samples),
        shared_patients=dataset.shared_patients(),
        split_seed=dataset.split_seed,
        synthetic=dataset.synthetic,
        formats=dict(Counter(map(_kind, facts)).most_common()),
        width_px=_range([fact.width for fact in facts]),
        height_px=_range([fact.height for fact in facts]),
        aspect=_range([fact.width / fact.height for fact in facts]),
        aspect_by_class=_aspects(readable),
        turned=sum(fact.turned for fact in facts),
        unreadable=unreadable,
        copies=[[sample.name for sample in group] for group in dataset.copies()],
        fingerprint=dataset.fingerprint() if known else None,
        warnings=_warnings(dataset, unreadable),
    )


def _look(sample: Sample) -> ImageFacts | str:
    try:
        return describe(sample.path.read_bytes())
    except OSError as error:
        return error.strerror or str(error)
    except DataError as error:
        return str(error)


def _kind(facts: ImageFacts) -> str:
    used = f" ({facts.used_bits} used)" if facts.used_bits != facts.bits else ""
    return f"{facts.format} {facts.mode} {facts.bits}-bit{used}"


def _range(values: Sequence[float]) -> Range | None:
    if not values:
        return None
    return Range(min=min(values), median=median(values), max=max(values))


def _aspects(readable: Sequence[tuple[Sample, ImageFacts]]) -> dict[str, float]:
    labels = sorted({sample.label for sample, _ in readable})
    return {
        label: median(f.width / f.height for s, f in readable if s.label == label)
        for label in labels
    }


def _warnings(dataset: Dataset, unreadable: Sequence[Unreadable]) -> list[str]:
    found = []
    if dataset.synthetic:
        found.append("SYNTHETIC: phantoms are for trying the tool; no figure on them means a thing")
    if unreadable:
        found.append(f"{_count(len(unreadable), 'image')} cannot be read; training stops there")
    copies = dataset.copies()
    across = sum(len({sample.split for sample in group}) > 1 for group in copies)
    if across:
        found.append(f"{_count(across, 'file')} in more than one split; training stops there")
    conflicts = sum(len({sample.label for sample in group}) > 1 for group in copies)
    if conflicts:
        found.append(
            f"{_count(conflicts, 'file')} in more than one class; one of the labels is wrong"
        )
    shared = len(dataset.shared_patients())
    if shared:
        found.append(
            f"{_count(shared, 'patient')} with images in more than one split, if the rule is right"
        )
    for split, counts in dataset.counts().items():
        if split != "train" and min(counts.values()) < 30:
            label = min(counts, key=lambda name: counts[name])
            found.append(
                f"{split} has only {_count(counts[label], 'image')} of {label}; "
                f"a figure on them has a wide interval"
            )
    return found


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
