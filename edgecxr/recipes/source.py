# SPDX-License-Identifier: Apache-2.0
"""The images of a recipe: found below the user's data root, and listed in a CSV file.

The CSV file and links to the sets' folders lie in the run's own folder. So the names in it, and
with them the fingerprint of the images, do not depend on where a user keeps the data.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

from edgecxr.core.files import write_atomic
from edgecxr.core.preprocess import IMAGE_SUFFIXES
from edgecxr.data import layout
from edgecxr.data.dataset import read_dataset
from edgecxr.data.layout import Entry
from edgecxr.data.parallel import Progress
from edgecxr.data.phantom import write_phantoms
from edgecxr.data.pool import LabelRule, Request, write_pool
from edgecxr.errors import DataError, OutputError
from edgecxr.recipes.recipe import FOLDER, QUICK_PHANTOMS, ImageSet, Pool

LIST = "images.csv"
POOL = "pool.csv"
_POOL_SOURCES = "pool_sources.csv"
_WHOLE = "whole_set.csv"


@dataclass(frozen=True)
class Source:
    """What `edgecxr train` is given.

    Attributes:
        path: a CSV file, or the folder of phantoms.
        same_images: whether the whole set's files are those that the project's figures were made
            with, byte for byte; None if that is not known.
    """

    path: Path
    same_images: bool | None


def phantoms(folder: Path) -> Source:
    """A few phantoms instead of the recipe's images, drawn once."""
    path = folder / "phantoms"
    if not path.exists():
        train, test = QUICK_PHANTOMS
        write_phantoms(path, train=train, test=test, size=64)
    return Source(path, None)


def lay_out(
    images: ImageSet,
    data_root: Path,
    folder: Path,
    *,
    per_class: int | None = None,
    lists: Path = FOLDER,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> Source:
    """Find the images of a set and list them in ``folder``.

    Args:
        data_root: the folder that holds ``images.folders``.
        per_class: training images of each class that stay: those whose names hash lowest, so that
            the choice depends on nothing else. Test images all stay.
        lists: where ``images.listed`` lies.

    Raises:
        DataError: if a folder or an image is missing.
    """
    for name in images.folders:
        _link_folder(images, name, data_root, folder)
    listed = lists / images.listed if images.listed else None
    entries = _listed(listed, data_root, images) if listed else _of_folder(images, data_root)
    write_atomic(folder / _WHOLE, _as_csv(entries))
    write_atomic(folder / LIST, _as_csv(_limited(entries, per_class)))
    same = None
    if images.fingerprint:
        whole = read_dataset(folder / _WHOLE, cache_dir=cache_dir, progress=progress)
        same = whole.fingerprint() == images.fingerprint
    return Source(folder / LIST, same)


def lay_out_pool(
    pool: Pool,
    data_root: Path,
    folder: Path,
    *,
    cache_dir: Path,
    progress: Progress | None = None,
) -> Path:
    """The CSV file of the images to pre-train on, beside a list that :func:`lay_out` wrote.

    Raises:
        DataError: if a folder is missing, or a rule fits no image.
    """
    entries: list[Entry] = []
    for images in pool.images:
        _link_folder(images, images.folders[0], data_root, folder)
        # Which split an image was in says nothing here, and some sets have none.
        entries += [replace(e, split="train") for e in _of_folder(images, data_root)]
    write_atomic(folder / _POOL_SOURCES, _as_csv(entries))
    request = Request(
        sources=[folder / _POOL_SOURCES],
        targets=[folder / _WHOLE],
        splits=("test", "val", "train"),
        rules=[LabelRule.parse(text) for text in pool.label],
    )
    write_pool(request, folder / POOL, cache_dir, progress=progress)
    return folder / POOL


def _link_folder(images: ImageSet, name: str, data_root: Path, folder: Path) -> None:
    if not (data_root / name).is_dir():
        raise DataError(
            f"expected the folder {name} below the data root {data_root}, found none; "
            f"lay the images out as {images.where}"
        )
    _link(data_root / name, folder / name)


def _link(target: Path, link: Path) -> None:
    target = target.resolve()
    if link.is_symlink() and link.resolve() == target:
        return
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target, target_is_directory=True)
    except OSError as error:
        raise OutputError(f"no link {link} could be made: {error.strerror or error}") from error


def _of_folder(images: ImageSet, data_root: Path) -> list[Entry]:
    name = images.folders[0]
    return [replace(e, name=f"{name}/{e.name}") for e in layout.read(data_root / name)]


def _listed(path: Path, data_root: Path, images: ImageSet) -> list[Entry]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Entry(
            _find(row["file"], data_root, images),
            row["label"],
            row["split"],
            row.get("patient") or "",
        )
        for row in rows
    ]


def _find(name: str, data_root: Path, images: ImageSet) -> str:
    """The name of the file with this stem: another suffix, or a folder written with spaces."""
    wanted = PurePosixPath(name)
    spaced = wanted.parent.with_name(wanted.parent.name.replace("_", " "))
    for parent in (wanted.parent, spaced):
        found = _stems(data_root / parent).get(wanted.stem)
        if found:
            return f"{parent}/{found}"
    raise DataError(
        f"expected {name}, with any suffix, below the data root {data_root}, found none; "
        f"lay the images out as {images.where}"
    )


@cache
def _stems(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    names = (e.name for e in os.scandir(folder) if e.name.lower().endswith(IMAGE_SUFFIXES))
    return {Path(name).stem: name for name in sorted(names)}


def _limited(entries: list[Entry], per_class: int | None) -> list[Entry]:
    if per_class is None:
        return entries
    classes: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.split == "train":
            classes[entry.label].append(entry)
    kept = {
        entry.name
        for of_class in classes.values()
        for entry in sorted(of_class, key=_order)[:per_class]
    }
    return [entry for entry in entries if entry.split != "train" or entry.name in kept]


def _order(entry: Entry) -> str:
    # Without the suffix: the same choice for a user whose files are JPEG.
    stem = PurePosixPath(entry.name).with_suffix("")
    return hashlib.sha256(str(stem).encode()).hexdigest()


def _as_csv(entries: Iterable[Entry]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "label", "split", "patient"))
    writer.writerows((e.name, e.label, e.split, e.patient) for e in entries)
    return text.getvalue()
