# SPDX-License-Identifier: Apache-2.0
"""The files of a bundle as its manifest records them, and the one door that opens them.

A stranger may have put anything there: a link to a private key, a pipe, an endless file.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from edgecxr.core.files import opened_regular, read_regular, sha256
from edgecxr.core.signature import SIGNATURE
from edgecxr.core.text import shortened
from edgecxr.errors import BundleError

MANIFEST = "manifest.json"
DocumentKind = Literal["card", "curve", "curve_picture"]
DOCUMENTS: dict[DocumentKind, str] = {
    "card": "README.md",
    "curve": "learning_curve.csv",
    "curve_picture": "learning_curve.png",
}
LARGEST_DOCUMENT = 2**23
LARGEST_FILE = 2**29
"""Bytes; the largest models here have 100 million."""


class FileRecord(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    size: int = Field(ge=0, le=LARGEST_FILE)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


def file_record(path: Path) -> FileRecord:
    """Path (the name only), size in bytes and SHA-256 of one file of a bundle."""
    return FileRecord(path=path.name, size=path.stat().st_size, sha256=sha256(path))


def document_records(folder: Path) -> dict[DocumentKind, FileRecord]:
    """Of the card and the learning curve, those that lie in a folder.

    Raises:
        BundleError: if one of them is a link, no regular file, or far too large.
    """
    found: dict[DocumentKind, FileRecord] = {}
    for kind, name in DOCUMENTS.items():
        path = folder / name
        if path.is_symlink() or path.exists():
            data = read_plain(path, LARGEST_DOCUMENT)
            found[kind] = FileRecord(path=name, size=len(data), sha256=sha256(data))
    return found


def read_plain(path: Path, most: int) -> bytes:
    """The bytes of a regular file of a bundle.

    Raises:
        BundleError: if it is something else, or has more than ``most`` bytes.
        FileNotFoundError, NotADirectoryError: if it is not there.
    """
    try:
        return read_regular(path, most)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise _unreadable(path, error) from error


def check_record(folder: Path, record: FileRecord) -> None:
    """See that a file is there as it was recorded.

    Raises:
        BundleError: if it is not.
    """
    path = folder / record.path
    if Path(record.path).name != record.path or record.path in (MANIFEST, SIGNATURE):
        raise BundleError(
            f"{folder}: the manifest names {shortened(record.path)!a}, which is not a plain name"
        )
    try:
        with opened_regular(path, LARGEST_FILE) as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest() if size == record.size else ""
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(f"{path} is named in the manifest and is missing; restore it") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if size != record.size:
        found = f"has {size:,} bytes where the manifest says {record.size:,}"
        raise BundleError(changed(path, found))
    if digest != record.sha256:
        raise BundleError(changed(path))


def changed(path: Path, found: str = "does not have the SHA-256 of the manifest") -> str:
    """The sentence for a file that is not as it was recorded."""
    card = path.name in DOCUMENTS.values()
    way = "record it anew with `edgecxr card`" if card else "train again"
    return f"{path} {found}; it was changed after it was written: restore it or {way}"


def _unreadable(path: Path, error: OSError) -> BundleError:
    return BundleError(
        f"{path} {error.strerror or error}; a bundle holds plain files of its own: restore it, or "
        "get the bundle again"
    )
