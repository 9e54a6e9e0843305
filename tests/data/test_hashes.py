# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from edgecxr.data import hashes
from edgecxr.data.hashes import hash_files

NAMES = ["a.png", "b.png"]
LONG_AGO = 1_000_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file had been written long before it is hashed."""
    monkeypatch.setattr(hashes, "_SETTLED_NS", -(10**18))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose content is read."""
    found: list[Path] = []
    real = hashes.sha256

    def noted(path: Path) -> str:
        found.append(path)
        return real(path)

    monkeypatch.setattr(hashes, "sha256", noted)
    return found


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_hashes_are_those_of_the_content(root: Path, tmp_path: Path) -> None:
    for cache in (None, tmp_path / "cache"):
        assert hash_files(root, NAMES, cache) == [digest(name) for name in NAMES]


@pytest.mark.usefixtures("settled")
def test_the_second_time_no_file_is_read(root: Path, tmp_path: Path, reads: list[Path]) -> None:
    first = hash_files(root, NAMES, tmp_path)
    reads.clear()
    assert hash_files(root, NAMES, tmp_path) == first
    assert hash_files(root, NAMES[:1], tmp_path) == first[:1]
    assert reads == []


@pytest.mark.usefixtures("settled")
def test_a_changed_file_is_read_even_if_size_and_time_are_restored(
    root: Path, tmp_path: Path, reads: list[Path]
) -> None:
    os.utime(root / "a.png", (LONG_AGO, LONG_AGO))
    hash_files(root, NAMES, tmp_path)
    reads.clear()
    (root / "a.png").write_text("A.PNG")
    os.utime(root / "a.png", (LONG_AGO, LONG_AGO))
    assert hash_files(root, NAMES, tmp_path) == [digest("A.PNG"), digest("b.png")]
    assert reads == [root / "a.png"]


def test_a_file_written_just_now_is_read_again(
    root: Path, tmp_path: Path, reads: list[Path]
) -> None:
    hash_files(root, NAMES, tmp_path)
    hash_files(root, NAMES, tmp_path)
    assert len(reads) == 4


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 0}', '{"version":2,"files":[1]}'])
def test_a_damaged_index_is_made_anew(root: Path, tmp_path: Path, content: str) -> None:
    expected = hash_files(root, NAMES, tmp_path)
    (index,) = tmp_path.glob("hashes/*.json")
    index.write_text(content)
    assert hash_files(root, NAMES, tmp_path) == expected
    assert index.read_text() != content


def test_a_missing_file_has_no_hash(root: Path, tmp_path: Path) -> None:
    assert hash_files(root, ["gone.png", "b.png"], tmp_path) == ["", digest("b.png")]
