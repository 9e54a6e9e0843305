# SPDX-License-Identifier: Apache-2.0
"""What all checks of an audit look at, read and compared once."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.preprocess import ImageHeader, peek
from edgecxr.data.cache import decode_samples
from edgecxr.data.dataset import Sample, read_samples
from edgecxr.data.parallel import Progress, map_parallel
from edgecxr.data.similar import VIEW, groups, pairs_within, signatures

# A name's beginning up to a number and a separator: person12 of person12_virus_30.
_ID_ENDS: Final = re.compile(r"\d(?=[_\-. ])")
_MOST_OF_ONE: Final = 50  # images; what more names begin with is no patient


@dataclass(frozen=True)
class Copy:
    """Two positions that show the same picture; ``exact``: with equal pixels."""

    first: int
    second: int
    score: float
    exact: bool


@dataclass(frozen=True)
class Source:
    """One set as it was given."""

    name: str
    path: Path
    unreadable: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Material:
    """N readable images of all sources, in order.

    Attributes:
        sources: the sets.
        samples: N.
        of_source: int (N,), positions in ``sources``.
        images: uint8 (N, 128, 128).
        headers: N.
        copies: pairs that show the same, sorted.
        ids: N, what may be the patient: given, or the beginning of the name; empty if neither.
        given: the ids are from a column or from the user's rule, for each source.
        together: int (N,), equal where images must be on one side of a cross-validation.
    """

    sources: tuple[Source, ...]
    samples: tuple[Sample, ...]
    of_source: NDArray[np.int64]
    images: NDArray[np.uint8]
    headers: tuple[ImageHeader, ...]
    copies: tuple[Copy, ...]
    ids: tuple[str, ...]
    given: tuple[bool, ...]
    together: NDArray[np.int64]

    def name(self, position: int) -> str:
        """As a reader finds the file: with its set's name if there are several."""
        sample = self.samples[position]
        if len(self.sources) == 1:
            return sample.name
        return f"{self.sources[int(self.of_source[position])].name}/{sample.name}"

    def positions(self, source: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.of_source == source)


def gather(
    paths: Sequence[Path], cache_dir: Path, *, patients: str | None, progress: Progress | None
) -> Material:
    """Read, decode and compare all images.

    Raises:
        DataError: if a source is not in one of the layouts, or none of its images can be read.
    """
    sources: list[Source] = []
    samples: list[Sample] = []
    images: list[NDArray[np.uint8]] = []
    of_source: list[int] = []
    ids: list[str] = []
    given: list[bool] = []
    for name, path in zip(_names(paths), paths, strict=True):
        _, found = read_samples(
            path, patients=patients, guess=False, cache_dir=cache_dir, progress=progress
        )
        decoded = decode_samples(found, VIEW, cache_dir, skip_unreadable=True, progress=progress)
        kept = [sample for i, sample in enumerate(found) if i not in decoded.unreadable]
        bad = tuple((found[i].name, why) for i, why in sorted(decoded.unreadable.items()))
        of_source += [len(sources)] * len(kept)
        sources.append(Source(name, path, bad))
        samples += kept
        images.append(np.asarray(decoded.images))
        their_ids, are_given = _ids(kept)
        ids += their_ids
        given.append(are_given)
    headers = map_parallel(
        lambda sample: peek(sample.path), samples, description="Reading headers", progress=progress
    )
    pixels = np.concatenate(images)
    copies = _copies(pixels)
    where = np.array(of_source)
    return Material(
        sources=tuple(sources),
        samples=tuple(samples),
        of_source=where,
        images=pixels,
        headers=tuple(headers),
        copies=copies,
        ids=tuple(ids),
        given=tuple(given),
        together=_together(samples, where, copies, ids),
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names of the sources; whole paths where short ones are alike."""
    short = [path.resolve().stem if path.is_file() else path.resolve().name for path in paths]
    count = Counter(short)
    return [
        name if count[name] == 1 else path.as_posix()
        for name, path in zip(short, paths, strict=True)
    ]


def _ids(samples: Sequence[Sample]) -> tuple[list[str], bool]:
    """What may be the patient of each image, and whether somebody said so."""
    said = ["" if sample.patient == sample.name else sample.patient for sample in samples]
    if any(said):
        return said, True
    stems = [Path(sample.name).stem for sample in samples]
    starts = [[stem[: match.end()] for match in _ID_ENDS.finditer(stem)] for stem in stems]
    count = Counter(start for found in starts for start in found)
    return [
        next((start for start in found if count[start] <= _MOST_OF_ONE), "") for found in starts
    ], False


def _copies(images: NDArray[np.uint8]) -> tuple[Copy, ...]:
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    first: dict[bytes, int] = {}
    found = {}
    for position, digest in enumerate(digests):
        if digest in first:
            found[first[digest], position] = Copy(first[digest], position, 1.0, True)
        first.setdefault(digest, position)
    for pair in pairs_within(signatures(images)):
        key = (pair.first, pair.second)
        found[key] = Copy(*key, pair.score, digests[pair.first] == digests[pair.second])
    return tuple(found[key] for key in sorted(found))


def _together(
    samples: Sequence[Sample],
    of_source: NDArray[np.int64],
    copies: Sequence[Copy],
    ids: Sequence[str],
) -> NDArray[np.int64]:
    first: dict[tuple[int, str], int] = {}
    pairs = [(copy.first, copy.second) for copy in copies]
    for i, (source, patient) in enumerate(zip(of_source.tolist(), ids, strict=True)):
        if patient:
            pairs.append((first.setdefault((source, patient), i), i))
    together = np.arange(len(samples))
    for group in groups(len(samples), pairs):
        together[group] = group[0]
    return together
