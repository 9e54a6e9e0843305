# SPDX-License-Identifier: Apache-2.0
"""A set of labelled images: what it is, and how it is read from folders or a CSV file."""

from __future__ import annotations

import hashlib
import posixpath
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from edgecxr.core.text import fault_of_labels
from edgecxr.data import layout
from edgecxr.data.hashes import hash_files
from edgecxr.data.parallel import Progress
from edgecxr.data.patients import PatientRule
from edgecxr.data.split import assign_splits
from edgecxr.errors import DataError

SYNTHETIC_MARKER: Final = "SYNTHETIC.txt"
SYNTHETIC_PREFIX: Final = "synthetic_"
_SHA256_OF_NOTHING: Final = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class Sample:
    """One image file.

    Attributes:
        path: absolute path.
        name: path relative to the dataset's root, with forward slashes.
        label: its class.
        split: ``train``, ``val`` or ``test``.
        patient: what must stay on one side of a split; the name where no patient is known.
        sha256: of the file's content; empty if the file could not be read.
    """

    path: Path
    name: str
    label: str
    split: str
    patient: str
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """Samples in the order of their names, and the ordered labels.

    Attributes:
        root: the folder that the names are relative to.
        labels: all classes; a label's position is the model's output index.
        synthetic: phantoms are among the images: for trying the tool, never for a claim.
        split_seed: the seed with which edgecxr drew the splits; None if the source gives them.
    """

    root: Path
    labels: tuple[str, ...]
    samples: tuple[Sample, ...]
    synthetic: bool
    split_seed: int | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have images, in the order train, val, test."""
        present = {sample.split for sample in self.samples}
        return tuple(split for split in layout.SPLITS if split in present)

    def of_split(self, name: str) -> Dataset:
        """The part of one split.

        Raises:
            DataError: if there is no such split.
        """
        samples = tuple(sample for sample in self.samples if sample.split == name)
        if not samples:
            raise DataError(f"{self.root} has no split '{name}'; it has {', '.join(self.splits)}")
        return replace(self, samples=samples)

    def counts(self) -> dict[str, dict[str, int]]:
        """Images per split and label, zeros included."""
        found = Counter((sample.split, sample.label) for sample in self.samples)
        return {s: {label: found[s, label] for label in self.labels} for s in self.splits}

    def fingerprint(self) -> str:
        """SHA-256 of the lines ``name, label, split, content SHA-256``, sorted.

        It depends on neither the folder's place nor the order in which it was read.

        Raises:
            DataError: if a file could not be read.
        """
        unread = [sample.name for sample in self.samples if not sample.sha256]
        if unread:
            raise DataError(
                f"a fingerprint needs the content of every file; not readable: {', '.join(unread)}"
            )
        lines = sorted(f"{s.name}\t{s.label}\t{s.split}\t{s.sha256}\n" for s in self.samples)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def copies(self) -> list[tuple[Sample, ...]]:
        """Groups of samples whose files have the same content; empty files do not count."""
        groups = defaultdict(list)
        for sample in self.samples:
            if sample.sha256 not in ("", _SHA256_OF_NOTHING):
                groups[sample.sha256].append(sample)
        return [tuple(group) for group in groups.values() if len(group) > 1]

    def shared_patients(self) -> dict[str, tuple[str, ...]]:
        """Patients with images in more than one split, and those splits."""
        splits = defaultdict(set)
        for sample in self.samples:
            splits[sample.patient].add(sample.split)
        return {p: tuple(sorted(found)) for p, found in sorted(splits.items()) if len(found) > 1}


def read_dataset(
    source: Path,
    *,
    patients: str | None = None,
    seed: int = 0,
    val_share: float = 0.15,
    test_share: float = 0.15,
    check_leaks: bool = True,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read ``<split>/<class>/file``, ``<class>/file``, or a CSV file with file, label and split.

    A source without splits gets train, val and test: by patient, stratified, seeded. Splits that
    the source gives are kept as they are.

    Args:
        source: a folder or a CSV file. Paths in a CSV file are relative to it.
        patients: regular expression searched for in each name; its group ``patient``, else its
            first group, else the whole match is the patient. None: the CSV file's column
            ``patient`` if there is one, else the names of the Kermany set.
        seed: used only if the source has no splits, as are the two shares.
        check_leaks: False only to look at a set, never to measure on it.
        cache_dir: where the hashes of files are remembered; None: every file is read.

    Raises:
        DataError: if the source, its labels, splits or patients are not usable; if a file is in two
            splits, or a patient whom the user named.
        UsageError: if ``patients`` is no regular expression, or a share is out of range.
    """
    root, entries = _entries(source)
    _check_labels(entries, source)
    samples = _samples(root, entries, patients, cache_dir, progress)
    split_seed = None
    if not samples[0].split:
        samples = assign_splits(samples, val_share=val_share, test_share=test_share, seed=seed)
        split_seed = seed
    dataset = Dataset(
        root=root,
        labels=tuple(sorted({sample.label for sample in samples})),
        samples=samples,
        synthetic=_is_synthetic(root, samples),
        split_seed=split_seed,
    )
    _check_splits(dataset, source)
    if check_leaks:
        _check_copies(dataset)
        if patients is not None or any(entry.patient for entry in entries):
            _check_patients(dataset)
    return dataset


def read_samples(
    source: Path,
    *,
    patients: str | None = None,
    guess: bool = True,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Path, tuple[Sample, ...]]:
    """The root and the images of a source as they are: one class will do, and ``split`` is empty
    where the source has none. For looking at a set or taking a part of it.

    Args:
        guess: know the patients of Kermany's names.

    Raises:
        DataError, UsageError: as :func:`read_dataset`, for the source itself and the patients.
    """
    root, entries = _entries(source)
    return root, _samples(root, entries, patients, cache_dir, progress, guess=guess)


def _entries(source: Path) -> tuple[Path, list[layout.Entry]]:
    entries = layout.read(source)
    return layout.rebase(source.resolve() if source.is_dir() else source.resolve().parent, entries)


def _samples(
    root: Path,
    entries: list[layout.Entry],
    patients: str | None,
    cache_dir: Path | None,
    progress: Progress | None,
    *,
    guess: bool = True,
) -> tuple[Sample, ...]:
    found = PatientRule(patients).find(entries, guess=guess)
    digests = hash_files(root, [entry.name for entry in entries], cache_dir, progress)
    return tuple(
        Sample(root / entry.name, entry.name, entry.label, entry.split, patient, digest)
        for entry, patient, digest in zip(entries, found, digests, strict=True)
    )


def _check_labels(entries: Iterable[layout.Entry], source: Path) -> None:
    labels = {entry.label for entry in entries}
    if len(labels) == 1:
        raise DataError(
            f"a classifier needs at least two classes, and {source} has only '{labels.pop()}'; "
            f"add a folder or rows of another class"
        )
    # Two ways of writing the same letters are told apart elsewhere.
    fault = fault_of_labels(sorted({unicodedata.normalize("NFC", label) for label in labels}))
    if labels and fault is not None:
        raise DataError(
            f"expected classes whose names can be printed and told apart in {source}, found "
            f"{fault}; rename them"
        )


def _check_splits(dataset: Dataset, source: Path) -> None:
    for split, counts in dataset.counts().items():
        missing = [label for label, count in counts.items() if count == 0]
        if missing:
            raise DataError(
                f"every split needs images of every class, and split '{split}' of {source} has "
                f"none of class '{missing[0]}'; add some, or take that class out of the others"
            )


def _check_copies(dataset: Dataset) -> None:
    pairs = [
        (group[0], next(s for s in group if s.split != group[0].split))
        for group in dataset.copies()
        if len({sample.split for sample in group}) > 1
    ]
    if pairs:
        first, second = pairs[0]
        more = f" (and {len(pairs) - 1} more such files)" if len(pairs) > 1 else ""
        raise DataError(
            f"the same file is in split '{first.split}' as {first.name} and in split "
            f"'{second.split}' as {second.name}{more}, which makes figures too good; "
            f"remove one of them (edgecxr data info lists all)"
        )


def _check_patients(dataset: Dataset) -> None:
    """Patients that the user named and that cross splits make every figure too good: refused.

    Patients guessed from Kermany's file names are not: there the guess may be what is wrong.
    """
    for patient, splits in dataset.shared_patients().items():
        first, second = (
            next(s.name for s in dataset.samples if (s.patient, s.split) == (patient, split))
            for split in splits[:2]
        )
        raise DataError(
            f"patient '{patient}' is in split '{splits[0]}' ({first}) and in split '{splits[1]}' "
            f"({second}); a patient belongs in one split, so move or drop the images of one"
        )


def _is_synthetic(root: Path, samples: Iterable[Sample]) -> bool:
    """A marker file above any image, or a phantom's name: names survive copying elsewhere."""
    names = [sample.name for sample in samples]
    folders = {PurePosixPath(folder) for folder in {posixpath.dirname(name) for name in names}}
    above = {parent for folder in folders for parent in (folder, *folder.parents)}
    return any((root / folder / SYNTHETIC_MARKER).exists() for folder in above) or any(
        posixpath.basename(name).startswith(SYNTHETIC_PREFIX) for name in names
    )
