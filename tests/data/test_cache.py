# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecxr.core.preprocess import Preprocessing
from edgecxr.data import cache
from edgecxr.data.cache import LoadedDataset, default_cache_dir, load_images
from edgecxr.data.dataset import Dataset, read_dataset
from edgecxr.data.split import with_validation
from edgecxr.errors import DataError, OutputError
from tests.data.folders import write_image, write_tree

SMALL = Preprocessing(height=16, width=24)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "set", {"train/a": 20, "train/b": 20, "test/a": 5, "test/b": 5})


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that are decoded."""
    found: list[str] = []
    real = cache._decode

    def noted(sample: cache.Sample, preprocessing: Preprocessing) -> object:
        found.append(sample.name)
        return real(sample, preprocessing)

    monkeypatch.setattr(cache, "_decode", noted)
    return found


def load(root: Path | Dataset, tmp_path: Path, **options: bool) -> LoadedDataset:
    dataset = read_dataset(root) if isinstance(root, Path) else root
    return load_images(dataset, SMALL, tmp_path / "cache", **options)


def entries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "images").glob("*"))


def test_images_are_those_of_preprocessing(root: Path, tmp_path: Path) -> None:
    loaded = load(root, tmp_path)
    assert loaded.images.shape == (50, 16, 24)
    assert loaded.images.dtype == np.uint8
    assert isinstance(loaded.images, np.memmap)
    assert not loaded.images.flags.writeable
    assert loaded.labels.dtype == np.int64
    for image, label, sample in zip(
        loaded.images, loaded.labels, loaded.dataset.samples, strict=True
    ):
        assert np.array_equal(image, SMALL.load(sample.path))
        assert loaded.dataset.labels[label] == sample.label


def test_a_split_of_it(root: Path, tmp_path: Path) -> None:
    loaded = load(root, tmp_path)
    test = loaded.of_split("test")
    assert test.images.shape == (10, 16, 24)
    assert np.array_equal(test.images, loaded.images[:10])  # names sort test before train
    assert test.labels.tolist() == [0] * 5 + [1] * 5


def test_the_second_load_decodes_nothing(root: Path, tmp_path: Path, decoded: list[str]) -> None:
    first = load(root, tmp_path)
    assert len(decoded) == 50
    carved = with_validation(read_dataset(root), 0.2, 1)
    second = load(carved, tmp_path)
    assert len(decoded) == 50
    assert np.array_equal(first.images, second.images)
    assert second.dataset.counts()["val"] == {"a": 4, "b": 4}


def test_a_changed_file_is_seen(root: Path, tmp_path: Path) -> None:
    before = load(root, tmp_path).images
    write_image(root / "test/a/000.png", "another picture")
    after = load(root, tmp_path).images
    assert not np.array_equal(before[0], after[0])
    assert np.array_equal(before[1:], after[1:])


def test_other_preprocessing_is_another_entry(root: Path, tmp_path: Path) -> None:
    load(root, tmp_path)
    dataset = read_dataset(root)
    assert load_images(dataset, Preprocessing(), tmp_path / "cache").images.shape == (50, 96, 96)
    assert len(entries(tmp_path)) == 2


def test_a_moved_set_needs_no_decoding(root: Path, tmp_path: Path, decoded: list[str]) -> None:
    load(root, tmp_path)
    decoded.clear()
    load(root.rename(tmp_path / "moved"), tmp_path)
    assert decoded == []


def flip_a_pixel(entry: Path) -> None:
    content = bytearray((entry / "images.u8").read_bytes())
    content[777] ^= 1
    (entry / "images.u8").write_bytes(content)


def cut(entry: Path) -> None:
    (entry / "images.u8").write_bytes((entry / "images.u8").read_bytes()[:-1])


def empty(entry: Path) -> None:
    (entry / "images.u8").write_bytes(b"")


def no_info(entry: Path) -> None:
    (entry / "info.json").unlink()


def half_info(entry: Path) -> None:
    (entry / "info.json").write_text((entry / "info.json").read_text()[:20])


def other_shape(entry: Path) -> None:
    info = json.loads((entry / "info.json").read_text())
    (entry / "info.json").write_text(json.dumps({**info, "shape": [50, 24, 16]}))


@pytest.mark.parametrize("damage", [flip_a_pixel, cut, empty, no_info, half_info, other_shape])
def test_a_damaged_entry_is_made_anew(
    damage: Callable[[Path], None], root: Path, tmp_path: Path
) -> None:
    expected = np.array(load(root, tmp_path).images)
    damage(entries(tmp_path)[0])
    assert np.array_equal(load(root, tmp_path).images, expected)
    assert np.array_equal(load(root, tmp_path).images, expected)
    assert len(entries(tmp_path)) == 1


def spoil(root: Path) -> None:
    half = (root / "train/b/003.png").read_bytes()[:60]
    (root / "train/b/003.png").write_bytes(half)
    (root / "test/a/001.png").write_bytes(b"")


@pytest.mark.parametrize("cached", [False, True])
def test_unreadable_images_are_all_named(root: Path, tmp_path: Path, cached: bool) -> None:
    spoil(root)
    if cached:
        load(root, tmp_path, skip_unreadable=True)
    with pytest.raises(DataError) as caught:
        load(root, tmp_path)
    text = str(caught.value)
    assert text.startswith("2 of 50 images could not be read (test/a/001.png: it is empty; ")
    assert "train/b/003.png: " in text
    assert text.endswith("repair or remove them, or pass --skip-unreadable")
    assert "\n" not in text
    assert len(entries(tmp_path)) == cached


def test_unreadable_images_are_skipped_and_counted(
    root: Path, tmp_path: Path, decoded: list[str]
) -> None:
    spoil(root)
    for _ in range(2):
        loaded = load(root, tmp_path, skip_unreadable=True)
        assert loaded.skipped == ("test/a/001.png", "train/b/003.png")
        assert len(loaded.images) == len(loaded.labels) == len(loaded.dataset.samples) == 48
        for image, sample in zip(loaded.images, loaded.dataset.samples, strict=True):
            assert np.array_equal(image, SMALL.load(sample.path))
    assert len(decoded) == 50


def test_skipping_a_whole_class_is_one_sentence(root: Path, tmp_path: Path) -> None:
    for path in (root / "test/b").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="no image of class 'b' in split 'test' could be read"):
        load(root, tmp_path, skip_unreadable=True)


def test_nothing_readable_is_one_sentence(root: Path, tmp_path: Path) -> None:
    for path in root.rglob("*.png"):
        path.write_text(f"no picture: {path}")
    with pytest.raises(DataError, match="50 of 50 images could not be read"):
        load(root, tmp_path, skip_unreadable=True)


def test_the_same_picture_in_two_encodings_and_splits_is_an_error(
    root: Path, tmp_path: Path
) -> None:
    with Image.open(root / "train/a/004.png") as image:
        image.save(root / "test/a/copy.bmp")
    for _ in range(2):  # decoded, then from the cache
        with pytest.raises(DataError, match=r"\(test/a/copy.bmp\) and .* \(train/a/004.png\)"):
            load(root, tmp_path)


def test_a_file_that_changes_while_it_is_read_is_one_sentence(root: Path, tmp_path: Path) -> None:
    dataset = read_dataset(root)
    write_image(root / "train/a/000.png", "another picture")
    with pytest.raises(DataError, match=r"train/a/000\.png changed while it was being read"):
        load(dataset, tmp_path)


def test_ctrl_c_leaves_nothing(root: Path, tmp_path: Path) -> None:
    @contextmanager
    def interrupted(_description: str, _total: int) -> Iterator[Callable[[int], None]]:
        def advance(_: int) -> None:
            raise KeyboardInterrupt

        yield advance

    with pytest.raises(KeyboardInterrupt):
        load_images(read_dataset(root), SMALL, tmp_path / "cache", progress=interrupted)
    assert list((tmp_path / "cache").rglob("*.u8")) == []
    assert [p.name for p in (tmp_path / "cache" / "images").iterdir()] == []


def test_a_cache_that_cannot_be_written_is_one_sentence(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(OutputError, match="could not be written"):
        load(root, tmp_path)


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGECXR_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_cache_dir() == Path.home() / ".cache" / "edgecxr"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x/cache")
    assert default_cache_dir() == Path("/x/cache/edgecxr")
    monkeypatch.setenv("EDGECXR_CACHE", "/mine")
    assert default_cache_dir() == Path("/mine")
