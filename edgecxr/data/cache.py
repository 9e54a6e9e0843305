# SPDX-License-Identifier: Apache-2.0
"""Decoded images in one memory-mapped file per dataset and preprocessing.

A cache folder is named by a hash of the content of every image, in order, and of everything else
that changes pixels. So it never needs to be brought up to date: what changes gets another name.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import PIL
from numpy.typing import NDArray

from edgecxr.core.files import locked, new_folder
from edgecxr.core.preprocess import Preprocessing
from edgecxr.data.dataset import Dataset, Sample
from edgecxr.data.parallel import Progress, map_parallel
from edgecxr.errors import DataError

_VERSION: Final = 1


@dataclass(frozen=True)
class LoadedDataset:
    """A dataset and its pixels.

    Attributes:
        dataset: without the samples that were skipped.
        images: uint8 (N, H, W) in the order of ``dataset.samples``; memory-mapped, read-only.
        labels: int64 (N,), positions in ``dataset.labels``.
        skipped: names of unreadable images that were left out.
    """

    dataset: Dataset
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    skipped: tuple[str, ...] = ()

    def of_split(self, name: str) -> LoadedDataset:
        """The part of one split, its images copied into memory.

        Raises:
            DataError: if there is no such split.
        """
        chosen = np.array([sample.split == name for sample in self.dataset.samples], dtype=bool)
        return replace(
            self,
            dataset=self.dataset.of_split(name),
            images=np.asarray(self.images)[chosen],
            labels=self.labels[chosen],
        )


@dataclass(frozen=True)
class Decoded:
    """What a cache folder holds. Positions count in the order of the samples.

    Attributes:
        images: uint8 (N, H, W) of the readable images.
        unreadable: position and reason of every other image.
        twins: for each group of images with the same pixels, their positions.
    """

    images: NDArray[np.uint8]
    unreadable: dict[int, str]
    twins: list[list[int]]


def default_cache_dir() -> Path:
    """``EDGECXR_CACHE``, else the user's cache folder as XDG defines it."""
    own = os.environ.get("EDGECXR_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edgecxr"


def load_images(
    dataset: Dataset,
    preprocessing: Preprocessing,
    cache_dir: Path,
    *,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> LoadedDataset:
    """Decode every image in parallel, or map what an earlier call decoded.

    Args:
        workers: threads that decode; None: chosen by the number of processors.

    Raises:
        DataError: if images are unreadable (all are named) and ``skip_unreadable`` is false; if
            skipping leaves a class of a split without images; if the same picture is in two
            splits; if a file changed since ``dataset`` was read.
        OutputError: if the cache cannot be written.
    """
    stored = decode_samples(
        dataset.samples,
        preprocessing,
        cache_dir,
        skip_unreadable=skip_unreadable,
        progress=progress,
        workers=workers,
    )
    _check_twins(dataset, stored.twins)
    samples = tuple(s for i, s in enumerate(dataset.samples) if i not in stored.unreadable)
    kept = replace(dataset, samples=samples)
    _check_classes(dataset, kept)
    index = {label: i for i, label in enumerate(dataset.labels)}
    return LoadedDataset(
        dataset=kept,
        images=stored.images,
        labels=np.array([index[sample.label] for sample in samples], dtype=np.int64),
        skipped=tuple(dataset.samples[i].name for i in sorted(stored.unreadable)),
    )


def decode_samples(
    samples: Sequence[Sample],
    preprocessing: Preprocessing,
    cache_dir: Path,
    *,
    skip_unreadable: bool,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Decoded:
    """Decode samples as they are, whatever is wrong with the set; for those who look at one.

    Raises:
        DataError: if images are unreadable and ``skip_unreadable`` is false, or all are.
        OutputError: if the cache cannot be written.
    """
    folder = cache_dir / "images" / _key(samples, preprocessing)
    stored = _open(folder, preprocessing)
    if stored is None:
        # Trainings that begin together want the same images: the first decodes, the others wait.
        with locked(cache_dir / "locks" / folder.name, wait=True):
            stored = _open(folder, preprocessing)
            if stored is None:
                results = map_parallel(
                    lambda sample: _decode(sample, preprocessing),
                    samples,
                    description="Decoding images",
                    progress=progress,
                    workers=workers,
                )
                stored = _store(folder, results, samples, preprocessing, skip_unreadable)
    if stored.unreadable and not skip_unreadable:
        raise _unreadable(samples, stored.unreadable)
    return stored


def _key(samples: Sequence[Sample], preprocessing: Preprocessing) -> str:
    # Pillow's decoders and its resize may change by a grey level between versions.
    parts = [str(_VERSION), PIL.__version__, preprocessing.key()]
    parts += [sample.sha256 for sample in samples]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _decode(sample: Sample, preprocessing: Preprocessing) -> NDArray[np.uint8] | str:
    """The pixels of one image, or why there are none."""
    try:
        data = sample.path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    if sample.sha256 and hashlib.sha256(data).hexdigest() != sample.sha256:
        raise DataError(f"{sample.path} changed while it was being read; run again")
    try:
        return preprocessing.decode(data)
    except DataError as error:
        return str(error)


def _store(
    folder: Path,
    results: Iterator[NDArray[np.uint8] | str],
    samples: Sequence[Sample],
    preprocessing: Preprocessing,
    allow_unreadable: bool,
) -> Decoded:
    _write(folder, results, samples, preprocessing, allow_unreadable=allow_unreadable)
    stored = _open(folder, preprocessing)
    if stored is None:
        raise DataError(
            f"the image cache in {folder} changed while it was written; run again, and give "
            f"each run its own EDGECXR_CACHE if another program changes this one"
        )
    return stored


def _write(
    folder: Path,
    results: Iterator[NDArray[np.uint8] | str],
    samples: Sequence[Sample],
    preprocessing: Preprocessing,
    *,
    allow_unreadable: bool,
) -> None:
    """Write the cache folder under a temporary name, then rename it into place.

    The pixels are written, not stored through a memory map: on a full disk that would end the
    process with a bus error.
    """
    unreadable: dict[int, str] = {}
    same: defaultdict[str, list[int]] = defaultdict(list)
    checksum = rows = 0
    with new_folder(folder, force=True) as temporary:
        with (temporary / "images.u8").open("wb") as file:
            for position, result in enumerate(results):
                if isinstance(result, str):
                    unreadable[position] = result
                    continue
                pixels = result.tobytes()
                file.write(pixels)
                checksum = zlib.crc32(pixels, checksum)
                same[hashlib.sha256(pixels).hexdigest()].append(position)
                rows += 1
        if (unreadable and not allow_unreadable) or not rows:
            raise _unreadable(samples, unreadable)
        info = {
            "shape": [rows, preprocessing.height, preprocessing.width],
            "crc32": checksum,
            "unreadable": {str(position): reason for position, reason in unreadable.items()},
            "twins": [positions for positions in same.values() if len(positions) > 1],
        }
        (temporary / "info.json").write_text(json.dumps(info), encoding="utf-8")


def _open(folder: Path, preprocessing: Preprocessing) -> Decoded | None:
    """What the folder holds; None if it is missing or damaged, for it can be made anew."""
    path = folder / "images.u8"
    try:
        info = json.loads((folder / "info.json").read_bytes())
        shape = tuple(int(n) for n in info["shape"])
        if shape[1:] != (preprocessing.height, preprocessing.width):
            return None
        if path.stat().st_size != np.prod(shape):
            return None
        images = np.memmap(path, dtype=np.uint8, mode="r", shape=shape)
        if zlib.crc32(images.data) != info["crc32"]:
            return None
        return Decoded(
            images=images,
            unreadable={int(position): str(why) for position, why in info["unreadable"].items()},
            twins=[[int(position) for position in group] for group in info["twins"]],
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _unreadable(samples: Sequence[Sample], reasons: dict[int, str]) -> DataError:
    listed = "; ".join(f"{samples[i].name}: {reasons[i]}" for i in sorted(reasons))
    return DataError(
        f"{len(reasons)} of {len(samples)} images could not be read ({listed}); repair or "
        f"remove them, or pass --skip-unreadable"
    )


def _check_twins(dataset: Dataset, twins: list[list[int]]) -> None:
    for group in twins:
        first, *others = (dataset.samples[position] for position in group)
        for other in others:
            if other.split != first.split:
                raise DataError(
                    f"the same picture is in split '{first.split}' ({first.name}) and in split "
                    f"'{other.split}' ({other.name}), which makes figures too good; remove one"
                )


def _check_classes(before: Dataset, after: Dataset) -> None:
    left = after.counts()
    for split, counts in before.counts().items():
        for label, count in counts.items():
            if count and not left.get(split, {}).get(label):
                raise DataError(
                    f"no image of class '{label}' in split '{split}' could be read; without them "
                    f"that class cannot be learnt or judged, so repair at least one"
                )
