# SPDX-License-Identifier: Apache-2.0
"""The three layouts that a dataset comes in. Names, labels and splits only: no image is opened."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgecxr.core.preprocess import IMAGE_SUFFIXES, is_image
from edgecxr.errors import DataError

SPLITS: Final = ("train", "val", "test")
_SPLIT_NAMES: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
# A folder that holds everything, as the shared test data and some archives have it.
_NO_SPLIT: Final = "all"

_COLUMNS: Final = ("file", "label", "split")


@dataclass(frozen=True)
class Entry:
    """One image as the source names it; ``split`` is empty where the source has none."""

    name: str
    label: str
    split: str
    patient: str = ""


def split_name(text: str) -> str | None:
    """``train``, ``val`` or ``test`` for any usual way to write it, else None."""
    return _SPLIT_NAMES.get(text.strip().lower())


def read(source: Path) -> list[Entry]:
    """The images of a folder or a CSV file, sorted by name. Either all have a split or none.

    Raises:
        DataError: if the source is missing or is in none of the three layouts.
    """
    if not source.exists():
        raise DataError(f"a folder or a CSV file was expected at {source}, and nothing is there")
    if source.is_dir():
        entries = _read_folder(source)
    elif source.suffix.lower() == ".csv":
        entries = _read_csv(source)
    else:
        raise DataError(f"a folder or a .csv file was expected, found the file {source}")
    _check_encoding(entries)
    return sorted(entries, key=lambda entry: entry.name)


def rebase(root: Path, entries: list[Entry]) -> tuple[Path, list[Entry]]:
    """The folder that names are relative to, and the entries named so, sorted.

    It is ``root``, unless a CSV file names images outside its own folder (``../…``). Then it is the
    folder that all images have in common, so that names and patients do not depend on where the
    CSV file lies.
    """
    if not any(entry.name.startswith("../") for entry in entries):
        return root, entries
    paths = [posixpath.normpath(posixpath.join(root.as_posix(), entry.name)) for entry in entries]
    common = posixpath.commonpath([posixpath.dirname(path) for path in paths])
    moved = [
        replace(entry, name=posixpath.relpath(path, common))
        for entry, path in zip(entries, paths, strict=True)
    ]
    return Path(common), sorted(moved, key=lambda entry: entry.name)


def _check_encoding(entries: Iterable[Entry]) -> None:
    """Python stands in for bytes that are no UTF-8, and such a name can be neither hashed nor
    printed."""
    for entry in entries:
        try:
            entry.name.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"names must be UTF-8, found {os.fsencode(entry.name)!r}; rename that file or "
                "folder, or set a UTF-8 locale"
            ) from error


def _folders(folder: Path) -> list[Path]:
    """Subfolders by name, without hidden ones and what macOS puts into archives."""
    return sorted(
        Path(entry.path)
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith((".", "__MACOSX"))
    )


def _image_names(folder: Path) -> list[str]:
    return [
        entry.name
        for entry in os.scandir(folder)
        if not entry.name.startswith(".") and entry.is_file() and is_image(Path(entry.path))
    ]


def _read_folder(root: Path) -> list[Entry]:
    folders = _folders(root)
    splits = {folder: split_name(folder.name) for folder in folders}
    if not any(splits.values()):
        if [folder.name.lower() for folder in folders] == [_NO_SPLIT]:
            return _read_classes(folders[0], f"{folders[0].name}/", "")
        return _read_classes(root, "", "")
    seen: dict[str, Path] = {}
    entries: list[Entry] = []
    for folder, split in splits.items():
        if split is None:
            if any(_image_names(child) for child in (folder, *_folders(folder))):
                raise DataError(
                    f"beside the split folders of {root} only train, val and test are expected, "
                    f"found images in '{folder.name}'; rename it or move it away"
                )
            continue
        if split in seen:
            raise DataError(
                f"{root} has two folders for split '{split}', '{seen[split].name}' and "
                f"'{folder.name}'; keep one"
            )
        seen[split] = folder
        entries += _read_classes(folder, f"{folder.name}/", split)
    return entries


def _read_classes(folder: Path, prefix: str, split: str) -> list[Entry]:
    classes = _folders(folder)
    if not classes:
        found = "image files directly in it" if _image_names(folder) else "no folder"
        raise DataError(
            f"one folder per class was expected in {folder}, found {found}; "
            f"lay images out as <split>/<class>/file or <class>/file, or give a CSV file"
        )
    entries: list[Entry] = []
    for path in classes:
        names = _image_names(path)
        if any(_image_names(child) for child in _folders(path)) or (not names and _folders(path)):
            raise DataError(
                f"image files were expected directly in the class folder {path}, found folders in "
                f"it; lay images out as <split>/<class>/file or <class>/file, or give a CSV file"
            )
        if not names:
            raise DataError(
                f"class '{path.name}' has no images: {path} holds no "
                f"{', '.join(suffix[1:] for suffix in IMAGE_SUFFIXES)} file; add some or remove it"
            )
        entries += [Entry(f"{prefix}{path.name}/{name}", path.name, split) for name in names]
    return entries


def _read_csv(path: Path) -> list[Entry]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} could not be read as UTF-8 text: {error}") from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        _check_columns(path, reader.fieldnames)
        entries = [(reader.line_num, _entry(path, reader.line_num, row)) for row in reader]
    except csv.Error as error:
        raise DataError(f"line {reader.line_num} of {path} is not valid CSV: {error}") from error
    if not entries:
        raise DataError(f"{path} lists no images; at least one row per class is needed")
    _check_rows(path, entries)
    return [entry for _, entry in entries]


def _check_columns(path: Path, found: Iterable[str]) -> None:
    missing = [column for column in _COLUMNS if column not in found]
    if missing:
        named = ", ".join(name or "(empty)" for name in found) or "nothing"
        raise DataError(
            f"{path} needs the columns file, label and split (and may have patient), and has no "
            f"'{missing[0]}'; its first line names {named}"
        )


def _entry(path: Path, line: int, row: dict[str, str | None]) -> Entry:
    name, label, split, patient = (
        (row.get(column) or "").strip() for column in (*_COLUMNS, "patient")
    )
    where = f"line {line} of {path}"
    if not name or not label:
        raise DataError(f"{where} has no {'label' if name else 'file'}; fill it in or remove it")
    if split and split_name(split) is None:
        raise DataError(f"split must be train, val or test, and {where} has '{split}'")
    name = posixpath.normpath(name.replace("\\", "/"))
    if posixpath.isabs(name) or Path(name).is_absolute():
        raise DataError(
            f"paths must be relative to the CSV file, so that it can be moved with the images, and "
            f"{where} has {name}; write it as a relative path"
        )
    if not (path.parent / name).is_file():
        raise DataError(f"{where} names {name}, and there is no such file in {path.parent}")
    return Entry(name, label, split_name(split) or "", patient)


def _check_rows(path: Path, entries: list[tuple[int, Entry]]) -> None:
    first: dict[str, tuple[int, Entry]] = {}
    for line, entry in entries:
        if entry.name in first:
            before, other = first[entry.name]
            what = "twice"
            if entry.split != other.split:
                what = f"in split '{other.split}' and in split '{entry.split}'"
            elif entry.label != other.label:
                what = f"as class '{other.label}' and as class '{entry.label}'"
            raise DataError(
                f"{path} lists {entry.name} {what} (lines {before} and {line}); keep one of them"
            )
        first[entry.name] = (line, entry)
    without = [line for line, entry in entries if not entry.split]
    if without and len(without) < len(entries):
        raise DataError(
            f"either every row of {path} has a split or none, and line {without[0]} has none"
        )
