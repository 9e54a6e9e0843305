# SPDX-License-Identifier: Apache-2.0
"""From a source on disk to pixels: read, carve validation, decode. Every stage begins here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgecxr.core.preprocess import Preprocessing
from edgecxr.data.cache import LoadedDataset, default_cache_dir, load_images
from edgecxr.data.dataset import Dataset, read_dataset
from edgecxr.data.parallel import Progress
from edgecxr.data.split import with_validation


@dataclass(frozen=True)
class Validation:
    """How validation images come about: a share of the training patients, or, with a share of 0,
    the source's own split "val"."""

    share: float
    seed: int


@dataclass(frozen=True)
class LoadedSource:
    """``fingerprint`` is that of the source as it is on disk, before validation is carved."""

    data: LoadedDataset
    fingerprint: str


@dataclass(frozen=True)
class Reading:
    """What a user may say about how images are read."""

    cache: Path | None = None
    patients: str | None = None
    skip_unreadable: bool = False
    progress: Progress | None = None


def load_source(
    source: Path,
    preprocessing: Preprocessing,
    reading: Reading,
    *,
    validation: Validation | None = None,
    split: str | None = None,
) -> LoadedSource:
    """Read and decode a source.

    Args:
        validation: carve the split "val"; None leaves the splits as the source gives them.
        split: decode only this one; None decodes all.

    Raises:
        DataError: if the source or its images are not usable.
    """
    cache = reading.cache or default_cache_dir()
    whole = read_dataset(
        source, patients=reading.patients, cache_dir=cache, progress=reading.progress
    )
    dataset = whole
    if validation is not None and validation.share > 0:
        dataset = with_validation(whole, validation.share, validation.seed)
    if split is not None:
        dataset = dataset.of_split(split)
    loaded = load_images(
        dataset,
        preprocessing,
        cache,
        skip_unreadable=reading.skip_unreadable,
        progress=reading.progress,
    )
    return LoadedSource(loaded, _fingerprint(whole))


def _fingerprint(whole: Dataset) -> str:
    # Images that cannot be decoded count; files that cannot even be opened have no content.
    opened = tuple(sample for sample in whole.samples if sample.sha256)
    return replace(whole, samples=opened).fingerprint()
