# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.data.layout import Entry, read, split_name
from edgecxr.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def write_csv(root: Path, text: str, encoding: str = "utf-8") -> Path:
    path = root / "list.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_split_and_class_folders(tmp_path: Path) -> None:
    touch(tmp_path, "train/b/2.png", "train/a/1.JPG", "test/a/3.tiff", "val/b/4.bmp")
    assert read(tmp_path) == [
        Entry("test/a/3.tiff", "a", "test"),
        Entry("train/a/1.JPG", "a", "train"),
        Entry("train/b/2.png", "b", "train"),
        Entry("val/b/4.bmp", "b", "val"),
    ]


def test_class_folders_have_no_split(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "a/1.png")
    assert read(tmp_path) == [Entry("a/1.png", "a", ""), Entry("b/2.png", "b", "")]


def test_a_folder_all_means_no_split(tmp_path: Path) -> None:
    touch(tmp_path, "all/a/1.png", "all/b/2.png")
    assert read(tmp_path) == [Entry("all/a/1.png", "a", ""), Entry("all/b/2.png", "b", "")]


def test_other_names_of_the_splits_are_known(tmp_path: Path) -> None:
    touch(tmp_path, "Training/a/1.png", "Validation/a/2.png", "Testing/a/3.png")
    assert [entry.split for entry in read(tmp_path)] == ["test", "train", "val"]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_name_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/2.png", os.fsdecode(b"b/\xe9.png"))
    with pytest.raises(DataError, match=r"names must be UTF-8, found b'b/\\xe9.png'; rename"):
        read(tmp_path)


def test_what_is_no_image_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/Thumbs.db", "a/._1.png", "b/2.png", "__MACOSX/a/1.png", "x.png")
    touch(tmp_path, ".git/a/3.png")
    assert [entry.name for entry in read(tmp_path)] == ["a/1.png", "b/2.png"]


def empty_class(root: Path) -> Path:
    (touch(root, "train/a/1.png") / "train" / "b").mkdir()
    return root


BAD_FOLDERS: list[tuple[Callable[[Path], Path], str]] = [
    (lambda root: root / "gone", "was expected at .*gone, and nothing is there"),
    (lambda root: touch(root, "x.zip") / "x.zip", r"a folder or a \.csv file was expected"),
    (lambda root: root, "one folder per class was expected in .*, found no folder"),
    (lambda root: touch(root, "1.png"), "found image files directly in it"),
    (lambda root: touch(root, "train/1.png"), "found image files directly in it"),
    (empty_class, "class 'b' has no images: .* add some or remove it"),
    (lambda root: touch(root, "a/1.png", "b/2.gif"), "class 'b' has no images"),
    (lambda root: touch(root, "set/train/a/1.png"), "found folders in it"),
    (lambda root: touch(root, "a/1.png", "a/more/2.png"), "found folders in it"),
    (lambda root: touch(root, "train/a/1.png", "validate/a/2.png"), "found images in 'validate'"),
    (lambda root: touch(root, "val/a/1.png", "valid/a/2.png"), "two folders for split 'val'"),
]


@pytest.mark.parametrize(("make", "message"), BAD_FOLDERS)
def test_a_folder_in_no_layout_is_one_sentence(
    make: Callable[[Path], Path], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_folder_of_notes_beside_the_splits_is_ignored(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "notes/readme.txt")
    assert len(read(tmp_path)) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(encoding: str, delimiter: str, tmp_path: Path) -> None:
    touch(tmp_path, "x/2.png", "x/1.png")
    rows = ["File ,LABEL,split,patient,age", "x/2.png,b,Test,p2,50", "x\\1.png,a,train,,"]
    text = "\n".join(rows).replace(",", delimiter)
    assert read(write_csv(tmp_path, text, encoding)) == [
        Entry("x/1.png", "a", "train", ""),
        Entry("x/2.png", "b", "test", "p2"),
    ]


def test_csv_paths_are_relative_to_it_wherever_we_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_csv(touch(tmp_path / "set", "1.png"), "file,label,split\n./x/../1.png,a,train\n")
    monkeypatch.chdir(tmp_path)
    assert read(Path(os.path.relpath(source))) == [Entry("1.png", "a", "train")]


def test_csv_may_leave_every_split_open(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "2.png")
    source = write_csv(tmp_path, "file,label,split\n1.png,a,\n2.png,b,\n")
    assert [entry.split for entry in read(source)] == ["", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no 'file'; its first line names nothing"),
        ("file,label\n1.png,a\n", "has no 'split'; its first line names file, label"),
        ("file,label,split\n", "lists no images"),
        ("file,label,split\n1.png,,train\n", "line 2 of .* has no label"),
        ("file,label,split\n,a,train\n", "line 2 of .* has no file"),
        ("file,label,split\n1.png\n", "line 2 of .* has no label"),
        ("file,label,split\n1.png,a,dev\n", "must be train, val or test, and line 2 .* has 'dev'"),
        ("file,label,split\n9.png,a,train\n", "line 2 of .* names 9.png, and there is no such"),
        ("file,label,split\n../9.png,a,train\n", r"line 2 of .* names \.\./9.png, and there is no"),
        ("file,label,split\n/etc/1.png,a,train\n", "must be relative"),
        ("file,label,split\n1.png,a,train\n1.png,a,test\n", "'train' and in split 'test' .lines 2"),
        ("file,label,split\n1.png,a,train\n1.png,b,train\n", "as class 'a' and as class 'b'"),
        ("file,label,split\n1.png,a,train\n./1.png,a,train\n", r"twice \(lines 2 and 3\)"),
        ("file,label,split\n1.png,a,train\n2.png,b,\n", "line 3 has none"),
        ('file,label,split\n1.png,"a,train\n', "is not valid CSV"),
        ("file,label,split\n1.png,a,train\0\n", "or test, and line 2"),
    ],
)
def test_a_bad_csv_is_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "2.png")
    with pytest.raises(DataError, match=message) as caught:
        read(write_csv(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_csv_in_another_encoding_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be read as UTF-8"):
        read(write_csv(tmp_path, "file,label,split\nä.png,a,train\n", "latin-1"))


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_as_csv_give_entries_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    for text in (content, b"file,label,split\n" + content):
        path.write_bytes(text)
        with pytest.raises(DataError):
            read(path)


@given(st.text())
@settings(deadline=None)
def test_split_name_knows_three_splits(text: str) -> None:
    assert split_name(text) in (None, "train", "val", "test")
