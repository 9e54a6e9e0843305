# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from edgecxr.data.dataset import SYNTHETIC_MARKER, read_dataset
from edgecxr.errors import DataError, UsageError
from tests.data.folders import write_image, write_tree

TWO_SPLITS = {"train/a": 6, "train/b": 5, "test/a": 2, "test/b": 3}


def test_a_folder_with_splits(tmp_path: Path) -> None:
    found = read_dataset(write_tree(tmp_path, TWO_SPLITS))
    assert found.labels == ("a", "b")
    assert found.splits == ("train", "test")
    assert found.counts() == {"train": {"a": 6, "b": 5}, "test": {"a": 2, "b": 3}}
    assert not found.synthetic
    assert found.split_seed is None
    first = found.samples[0]
    assert (first.name, first.label, first.split) == ("test/a/000.png", "a", "test")
    assert first.path == tmp_path / "test/a/000.png"
    assert first.patient == first.name
    assert len(first.sha256) == 64


def test_a_split_of_it(tmp_path: Path) -> None:
    test = read_dataset(write_tree(tmp_path, TWO_SPLITS)).of_split("test")
    assert test.counts() == {"test": {"a": 2, "b": 3}}
    assert test.labels == ("a", "b")
    with pytest.raises(DataError, match="has no split 'val'; it has test"):
        test.of_split("val")


def test_a_folder_without_splits_gets_them(tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"a": 40, "b": 20})
    found = read_dataset(root, seed=3)
    assert found.split_seed == 3
    assert found.counts() == {
        "train": {"a": 28, "b": 14},
        "val": {"a": 6, "b": 3},
        "test": {"a": 6, "b": 3},
    }
    assert read_dataset(root, seed=3) == found
    assert read_dataset(root, seed=4).fingerprint() != found.fingerprint()


def test_copies_stay_together_where_splits_are_drawn(tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"a": 20, "b": 20})
    for number in range(20):
        write_image(root / "a" / f"copy{number}.png", f"a {number}")
    for group in read_dataset(root).copies():
        assert len({sample.split for sample in group}) == 1


def test_csv_and_folder_give_the_same_set(tmp_path: Path) -> None:
    folder = read_dataset(write_tree(tmp_path, TWO_SPLITS))
    rows = [f"{s.name},{s.label},{s.split}\n" for s in reversed(folder.samples)]
    source = tmp_path / "list.csv"
    source.write_text("file,label,split\n" + "".join(rows))
    assert read_dataset(source) == folder


def test_the_fingerprint_depends_on_content_and_not_on_place(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "here", TWO_SPLITS)
    before = read_dataset(root).fingerprint()
    moved = shutil.copytree(root, tmp_path / "there")
    assert read_dataset(moved).fingerprint() == before
    write_image(moved / "train/a/000.png", "another picture")
    assert read_dataset(moved).fingerprint() != before
    (root / "train/a/000.png").rename(root / "train/b/new.png")
    assert read_dataset(root).fingerprint() != before


def test_a_fingerprint_is_what_its_description_says(tmp_path: Path) -> None:
    for name in ("train/b/2.png", "train/a/1.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(name.encode())
    lines = [
        f"train/a/1.png\ta\ttrain\t{hashlib.sha256(b'train/a/1.png').hexdigest()}\n",
        f"train/b/2.png\tb\ttrain\t{hashlib.sha256(b'train/b/2.png').hexdigest()}\n",
    ]
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert read_dataset(tmp_path).fingerprint() == expected


def test_one_class_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"needs at least two classes, and .* has only 'a'"):
        read_dataset(write_tree(tmp_path, {"train/a": 2, "test/a": 2}))


def test_a_class_missing_in_one_split_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"split 'test' of .* has none of class 'b'"):
        read_dataset(write_tree(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 2}))


def test_the_same_file_in_two_splits_is_an_error_that_names_both(tmp_path: Path) -> None:
    root = write_tree(tmp_path, TWO_SPLITS)
    shutil.copy(root / "train/a/001.png", root / "test/a/other.png")
    with pytest.raises(DataError, match=r"'test' as test/a/other.png .* as train/a/001.png,"):
        read_dataset(root)
    shutil.copy(root / "train/a/002.png", root / "test/a/more.png")
    with pytest.raises(DataError, match=r"\(and 1 more such files\)"):
        read_dataset(root)
    assert len(read_dataset(root, check_leaks=False).copies()) == 2


def test_the_same_file_twice_in_one_split_is_allowed(tmp_path: Path) -> None:
    root = write_tree(tmp_path, TWO_SPLITS)
    shutil.copy(root / "train/a/001.png", root / "train/a/other.png")
    assert [len(group) for group in read_dataset(root).copies()] == [2]


def test_a_named_patient_in_two_splits_is_an_error(tmp_path: Path) -> None:
    root = write_tree(tmp_path, TWO_SPLITS)
    with pytest.raises(DataError, match=r"patient '000' is in split 'test' .* and in"):
        read_dataset(root, patients=r"(\d+)\.png")
    rows = ["file,label,split,patient", "train/a/000.png,a,train,Ann", "train/b/000.png,b,train,"]
    rows += ["test/a/000.png,a,test,Ann", "test/b/000.png,b,test,"]
    source = root / "list.csv"
    source.write_text("\n".join(rows))
    with pytest.raises(DataError, match="patient 'Ann' is in split 'test'"):
        read_dataset(source)
    assert list(read_dataset(source, check_leaks=False).shared_patients()) == ["Ann"]


def test_a_patient_guessed_from_a_name_in_two_splits_is_not(tmp_path: Path) -> None:
    names = [f"x/{label}/person1_{i}.png" for label in "ab" for i in (1, 2)]
    for name in names:
        write_image(tmp_path / name)
    rows = [f"{name},{name[2]},{'train' if '_1' in name else 'test'}" for name in names]
    (tmp_path / "list.csv").write_text("\n".join(["file,label,split", *rows]))
    found = read_dataset(tmp_path / "list.csv")
    assert found.shared_patients() == {"person1": ("test", "train")}


@pytest.mark.parametrize("shares", [(0.0, 0.2), (0.2, 0.0), (0.5, 0.5), (0.2, 1.0), (0.2, 2.0)])
def test_shares_that_leave_nothing_are_usage_errors(
    shares: tuple[float, float], tmp_path: Path
) -> None:
    root = write_tree(tmp_path, {"a": 9, "b": 9})
    with pytest.raises(UsageError, match="must lie between 0 and 1"):
        read_dataset(root, val_share=shares[0], test_share=shares[1])


def test_a_marker_file_makes_a_set_synthetic(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "set", TWO_SPLITS)
    (root / SYNTHETIC_MARKER).touch()
    assert read_dataset(root).synthetic
    source = tmp_path / "list.csv"
    source.write_text(
        "file,label,split\nset/train/a/000.png,a,train\nset/train/b/000.png,b,train\n"
    )
    assert read_dataset(source).synthetic


def test_phantoms_stay_synthetic_when_copied_without_the_marker(tmp_path: Path) -> None:
    root = write_tree(tmp_path, TWO_SPLITS)
    write_image(root / "train/a/synthetic_00007.png")
    assert read_dataset(root).synthetic


def test_an_unreadable_file_is_kept_for_the_one_who_decodes(tmp_path: Path) -> None:
    root = write_tree(tmp_path, TWO_SPLITS)
    (root / "train/a/empty.png").touch()
    (root / "test/a/empty.png").touch()
    found = read_dataset(root)  # two empty files are no copies of a picture
    assert found.counts()["test"]["a"] == 3
