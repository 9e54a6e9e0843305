# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edgecxr.core.files import new_folder, refuse_existing, sha256, write_atomic
from edgecxr.errors import OutputError


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_sha256_of_bytes_and_of_a_file_agree(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"abc") == sha256(tmp_path / "a") == expected


def test_write_replaces_the_whole_file_and_leaves_no_other(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.txt", "a longer first text")
    write_atomic(tmp_path / "a.txt", "short")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "short"


def test_a_full_disk_is_said_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomic(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError, match=r"the disk is full: .*a.txt was not written"):
        write_atomic(tmp_path / "a.txt", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not be written"):
        write_atomic(tmp_path / "file" / "a.txt", "text")


def test_new_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a").read_text() == "a"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no")])
def test_new_folder_leaves_nothing_after_an_error(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_new_folder_on_a_full_disk_keeps_the_old_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    with (
        pytest.raises(OutputError, match="the disk is full"),
        new_folder(tmp_path / "out", force=True),
    ):
        full_disk()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "old").read_text() == "old"


def test_new_folder_replaces_only_by_force(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    with pytest.raises(OutputError, match=r"exists already.*--force"), new_folder(tmp_path / "out"):
        pass
    with new_folder(tmp_path / "out", force=True) as folder:
        (folder / "new").write_text("new")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_refuse_existing_lets_new_names_pass(tmp_path: Path) -> None:
    refuse_existing(tmp_path / "new")
    refuse_existing(tmp_path, force=True)
    with pytest.raises(OutputError, match="exists already"):
        refuse_existing(tmp_path)


def test_force_replaces_only_a_folder_of_its_own_kind(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    refuse_existing(tmp_path / "images", force=True, mark="manifest.json")
    (tmp_path / "images" / "precious.png").write_text("x")
    with (
        pytest.raises(OutputError, match=r"images has no manifest.json.*choose another name"),
        new_folder(tmp_path / "images", force=True, mark="manifest.json"),
    ):
        pass
    assert [p.name for p in (tmp_path / "images").iterdir()] == ["precious.png"]
    (tmp_path / "images" / "manifest.json").write_text("{}")
    refuse_existing(tmp_path / "images", force=True, mark="manifest.json")


def test_force_does_not_take_a_file_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("x")
    with pytest.raises(OutputError, match=r"has no manifest\.json"):
        refuse_existing(tmp_path / "notes", force=True, mark="manifest.json")
