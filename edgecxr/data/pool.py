# SPDX-License-Identifier: Apache-2.0
"""A training pool out of several sets, with everything kept out that a target set has.

For pre-training and for mixing sets: whatever is learnt from the pool, no image, no near-duplicate
and no patient of the target was in it.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel

from edgecxr.core.files import write_atomic
from edgecxr.data.cache import decode_samples
from edgecxr.data.dataset import Sample, read_dataset, read_samples
from edgecxr.data.parallel import Progress
from edgecxr.data.similar import (
    THRESHOLD,
    VIEW,
    Signatures,
    groups,
    pairs_between,
    pairs_within,
    signatures,
)
from edgecxr.errors import DataError, UsageError

RULE: Final = "a label rule leaves it out"
UNREADABLE: Final = "it cannot be read"
SAME_FILE: Final = "same file as an image of the target"
SIMILAR: Final = "near-duplicate of an image of the target"
PATIENT: Final = "patient of the target, or of one of its near-duplicates"
CONFLICT: Final = "duplicates in the pool whose labels differ"
DUPLICATE: Final = "duplicate of an image that is in the pool"


class LabelRule(BaseModel):
    """Images whose path ends as ``pattern`` says get ``label``; an empty label leaves them out."""

    pattern: str
    label: str

    @classmethod
    def parse(cls, text: str) -> LabelRule:
        """From ``GLOB=LABEL``.

        Raises:
            UsageError: if there is no ``=``, or nothing before it.
        """
        pattern, equals, label = text.rpartition("=")
        if not equals or not pattern:
            raise UsageError(f"a label rule must be GLOB=LABEL, found '{text}'")
        return cls(pattern=pattern.strip(), label=label.strip())

    def matches(self, path: Path) -> bool:
        """``*`` also stands for ``/``."""
        return fnmatch.fnmatchcase(path.as_posix(), f"*/{self.pattern}")


class LeftOut(BaseModel):
    """One image that is not in the pool. ``because_of`` is the image it meets, if there is one."""

    file: str
    reason: str
    because_of: str = ""
    score: float | None = None


class PoolReport(BaseModel):
    """What ``data pool --json`` says; paths are relative to the CSV file."""

    out: str
    sources: list[str]
    away_from: list[str]
    away_from_splits: tuple[str, ...]
    target_images: int
    threshold: float
    images: int
    labels: dict[str, int]
    patients: int
    left_out: dict[str, int]
    left_out_files: list[LeftOut]


@dataclass(frozen=True)
class Member:
    """A sample and the keys of its patient: two with a common key are of one patient.

    A patient whom a column or a rule names may be the same in two sets; one guessed from a path is
    so in the same folder only.
    """

    sample: Sample
    patient: frozenset[str]


@dataclass(frozen=True)
class Request:
    """Which images a pool is made of.

    Attributes:
        splits: of the targets, that the pool must stay away from.
        rules: the first that matches counts; without one an image keeps its class.
    """

    sources: Sequence[Path]
    targets: Sequence[Path]
    splits: tuple[str, ...]
    rules: Sequence[LabelRule] = ()
    patients: str | None = None


def write_pool(
    request: Request, out: Path, cache_dir: Path, *, progress: Progress | None = None
) -> PoolReport:
    """Choose the images and write them as a CSV file, all in split "train".

    Raises:
        DataError: if a source or target is not usable, a rule matches nothing, or fewer than two
            classes are left.
        UsageError: if a source is also a target.
        OutputError: if the file cannot be written.
    """
    pool = _Pool(out.resolve().parent)
    targets = _target_members(request, cache_dir, progress)
    members = pool.relabelled(_source_members(request, cache_dir, progress), request.rules)
    sources, source_marks = pool.readable(members, cache_dir, progress)
    seen, target_marks = _decoded(targets, cache_dir, progress)
    kept = pool.away_from(sources, source_marks, [targets[i] for i in seen], target_marks, targets)
    chosen = pool.deduplicated(
        [sources[i] for i in kept],
        Signatures(source_marks.details[kept], source_marks.scale[kept]),
    )
    labels = Counter(member.sample.label for member in chosen)
    if len(labels) < 2:
        raise DataError(
            f"a pool needs images of at least two classes, and {len(chosen)} images of "
            f"{', '.join(labels) or 'none'} are left; add sources or label rules"
        )
    rows = [pool.row(member) for member in chosen]
    write_atomic(out, _as_csv(rows))
    return PoolReport(
        out=str(out),
        sources=[str(source) for source in request.sources],
        away_from=[str(target) for target in request.targets],
        away_from_splits=request.splits,
        target_images=len(targets),
        threshold=THRESHOLD,
        images=len(chosen),
        labels=dict(sorted(labels.items())),
        patients=len({row[3] or row[0] for row in rows}),
        left_out=dict(Counter(item.reason for item in pool.left_out).most_common()),
        left_out_files=pool.left_out,
    )


class _Pool:
    """The images while they are sifted, and a record of each that was left out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.left_out: list[LeftOut] = []

    def row(self, member: Member) -> tuple[str, str, str, str]:
        """File, label, split and patient of the CSV file."""
        sample = member.sample
        known = sample.patient != sample.name
        patient = f"{self._name(_root(sample))}/{sample.patient}" if known else ""
        return self._name(sample.path), sample.label, "train", patient

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path, self._folder)).as_posix()

    def _drop(
        self, member: Member, reason: str, other: Member | None = None, score: float | None = None
    ) -> None:
        self.left_out.append(
            LeftOut(
                file=self._name(member.sample.path),
                reason=reason,
                because_of=self._name(other.sample.path) if other else "",
                score=None if score is None else round(score, 3),
            )
        )

    def relabelled(self, members: Sequence[Member], rules: Sequence[LabelRule]) -> list[Member]:
        """Members with the labels of the rules, without those that a rule leaves out."""
        used: set[int] = set()
        kept = []
        for member in members:
            sample = member.sample
            position = next((i for i, r in enumerate(rules) if r.matches(sample.path)), None)
            if position is None:
                kept.append(member)
                continue
            used.add(position)
            if rules[position].label:
                kept.append(replace(member, sample=replace(sample, label=rules[position].label)))
            else:
                self._drop(member, RULE)
        for position, rule in enumerate(rules):
            if position not in used:
                raise DataError(
                    f"the label rule '{rule.pattern}={rule.label}' was expected to match files, "
                    f"and none of {len(members)} is left for it; correct it or put it first"
                )
        return kept

    def readable(
        self, members: list[Member], cache_dir: Path, progress: Progress | None
    ) -> tuple[list[Member], Signatures]:
        positions, marks = _decoded(members, cache_dir, progress)
        chosen = set(positions)
        for position, member in enumerate(members):
            if position not in chosen:
                self._drop(member, UNREADABLE)
        return [members[i] for i in positions], marks

    def away_from(
        self,
        members: Sequence[Member],
        marks: Signatures,
        seen: Sequence[Member],
        seen_marks: Signatures,
        targets: Sequence[Member],
    ) -> list[int]:
        """Positions of the members that share neither picture nor patient with the targets.

        Args:
            seen: the targets that could be decoded, as ``seen_marks`` has them.
        """
        contents = {t.sample.sha256: t for t in targets if t.sample.sha256}
        of_patient = {key: target for target in targets for key in target.patient}
        closest = {}
        for pair in sorted(pairs_between(marks, seen_marks), key=lambda pair: abs(pair.score)):
            closest[pair.first] = (seen[pair.second], pair.score)
        met: set[int] = set()
        for position, member in enumerate(members):
            if member.sample.sha256 in contents:
                self._drop(member, SAME_FILE, contents[member.sample.sha256])
            elif position in closest:
                self._drop(member, SIMILAR, *closest[position])
            else:
                continue
            met.add(position)
            of_patient |= dict.fromkeys(member.patient, member)
        kept = []
        for position, member in enumerate(members):
            if position in met:
                continue
            other = next((of_patient[key] for key in member.patient if key in of_patient), None)
            if other is None:
                kept.append(position)
            else:
                self._drop(member, PATIENT, other)
        return kept

    def deduplicated(self, members: Sequence[Member], marks: Signatures) -> list[Member]:
        """One of each group of duplicates, the first; none where their labels differ."""
        same = _same_files(members)
        pairs = pairs_within(marks)
        score = {(pair.first, pair.second): pair.score for pair in pairs}
        dropped: set[int] = set()
        for group in groups(len(members), [*score, *same]):
            labels = {members[i].sample.label for i in group}
            first = group[0]
            if len(labels) > 1:
                dropped.update(group)
                for i in group:
                    self._drop(members[i], CONFLICT, members[group[1] if i == first else first])
                continue
            dropped.update(group[1:])
            for i in group[1:]:
                self._drop(members[i], DUPLICATE, members[first], score.get((first, i)))
        return [member for i, member in enumerate(members) if i not in dropped]


def _source_members(request: Request, cache_dir: Path, progress: Progress | None) -> list[Member]:
    found: dict[Path, Member] = {}
    for source in request.sources:
        _, samples = read_samples(
            source, patients=request.patients, cache_dir=cache_dir, progress=progress
        )
        found.update({s.path: _member(s) for s in samples if s.path not in found})
    return list(found.values())


def _target_members(request: Request, cache_dir: Path, progress: Progress | None) -> list[Member]:
    members = []
    for target in request.targets:
        dataset = read_dataset(
            target,
            patients=request.patients,
            check_leaks=False,
            cache_dir=cache_dir,
            progress=progress,
        )
        chosen = [sample for sample in dataset.samples if sample.split in request.splits]
        if not chosen:
            raise DataError(
                f"{target} has no images in split {' or '.join(request.splits)}, only in "
                f"{', '.join(dataset.splits)}; correct --away-from-splits"
            )
        members += [_member(sample) for sample in chosen]
    return members


def _root(sample: Sample) -> Path:
    return sample.path.parents[sample.name.count("/")]


def _member(sample: Sample) -> Member:
    # Resolved, because a set may be reached by a link.
    keys = {(_root(sample) / sample.patient).resolve().as_posix()}
    if sample.patient != sample.name:
        keys.add(sample.patient)
    return Member(sample, frozenset(keys))


def _decoded(
    members: Sequence[Member], cache_dir: Path, progress: Progress | None
) -> tuple[list[int], Signatures]:
    """Positions of the members that can be decoded, and their signatures."""
    decoded = decode_samples(
        [member.sample for member in members],
        VIEW,
        cache_dir,
        skip_unreadable=True,
        progress=progress,
    )
    positions = [i for i in range(len(members)) if i not in decoded.unreadable]
    return positions, signatures(np.asarray(decoded.images))


def _same_files(members: Sequence[Member]) -> list[tuple[int, int]]:
    by_content = defaultdict(list)
    for position, member in enumerate(members):
        by_content[member.sample.sha256].append(position)
    return [(same[0], other) for same in by_content.values() for other in same[1:]]


def _as_csv(rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "label", "split", "patient"))
    writer.writerows(rows)
    return text.getvalue()
