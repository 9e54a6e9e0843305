# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecxr.data.dataset import read_dataset
from edgecxr.data.info import DatasetInfo, inspect
from tests.data.folders import write_tree


@pytest.fixture
def info(tmp_path: Path) -> DatasetInfo:
    root = write_tree(tmp_path, {"train/a": 3, "train/b": 3, "test/a": 2, "test/b": 2})
    deep = np.full((30, 15), 4000, np.uint16)
    Image.fromarray(deep).save(root / "train/b/person7_virus_1.tiff")
    (root / "train/b/person7_virus_2.jpg").write_bytes(b"broken")
    shutil.copy(root / "train/a/000.png", root / "test/b/copy.png")
    return inspect(read_dataset(root, check_leaks=False), "somewhere")


def test_counts_and_patients(info: DatasetInfo) -> None:
    assert info.images == 13
    assert info.counts == {"train": {"a": 3, "b": 5}, "test": {"a": 2, "b": 3}}
    assert info.patients == {"train": 7, "test": 5}
    assert info.known_patients == 2


def test_what_the_files_hold(info: DatasetInfo) -> None:
    assert info.formats == {"PNG L 8-bit": 11, "TIFF I;16 16-bit (12 used)": 1}
    assert info.width_px is not None
    assert info.height_px is not None
    assert (info.width_px.min, info.width_px.median, info.width_px.max) == (12, 12, 15)
    assert (info.height_px.min, info.height_px.max) == (10, 30)
    assert info.aspect_by_class == {"a": 1.2, "b": 1.2}


def test_what_is_wrong_is_listed(info: DatasetInfo) -> None:
    assert [bad.name for bad in info.unreadable] == ["train/b/person7_virus_2.jpg"]
    assert info.copies == [["test/b/copy.png", "train/a/000.png"]]
    text = "\n".join(info.warnings)
    assert "1 image cannot be read" in text
    assert "1 file in more than one split" in text
    assert "1 file in more than one class" in text
    assert "test has only 2 images of a" in text
    assert "SYNTHETIC" not in text


def test_a_set_without_one_readable_image_has_no_sizes(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/2.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    info = inspect(read_dataset(tmp_path), "somewhere")
    assert (info.width_px, info.aspect, info.formats) == (None, None, {})
    assert len(info.unreadable) == 2
