# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecxr.data.anatomy import OPACITIES, draw, new_chest
from edgecxr.data.dataset import read_dataset
from edgecxr.data.phantom import write_phantoms
from edgecxr.errors import OutputError, UsageError

CLASSES = ("bilateral_peripheral", "focal_lobar", "normal")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_set_has_three_classes_and_is_synthetic(tmp_path: Path) -> None:
    counts = write_phantoms(tmp_path / "set", train=3, val=0, test=2, size=64)
    found = read_dataset(tmp_path / "set")
    assert found.labels == CLASSES
    assert (
        found.counts()
        == counts
        == {
            "train": dict.fromkeys(CLASSES, 3),
            "test": dict.fromkeys(CLASSES, 2),
        }
    )
    assert found.synthetic


def test_every_file_says_that_it_is_synthetic(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "set", train=2, val=0, test=0)
    assert "SYNTHETIC" in (tmp_path / "set" / "SYNTHETIC.txt").read_text()
    for path in (tmp_path / "set").rglob("*.png"):
        assert path.name.startswith("synthetic_")
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("L", (192, 192))
            assert "SYNTHETIC" in image.info["Comment"]
            corner = np.asarray(image)[-14:, :60]
            assert np.count_nonzero(corner == 230) > 80  # the letters


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        write_phantoms(tmp_path / name, train=4, val=1, test=1, seed=seed, size=64)
    one, two, other = (contents(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one)


def test_asking_for_more_keeps_the_first_ones(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "few", train=2, val=0, test=0, size=64)
    write_phantoms(tmp_path / "many", train=5, val=0, test=0, size=64)
    assert contents(tmp_path / "few").items() <= contents(tmp_path / "many").items()


def test_no_two_images_are_alike(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "set", train=20, val=5, test=5, size=64)
    assert read_dataset(tmp_path / "set").copies() == []


@pytest.mark.parametrize("seed", range(8))
def test_opacities_are_where_radiologists_describe_them(seed: int) -> None:
    chest = new_chest(np.random.default_rng(seed), 128)
    normal = OPACITIES["normal"](chest)
    focal = OPACITIES["focal_lobar"](chest) * chest.lung
    both = OPACITIES["bilateral_peripheral"](chest) * chest.lung
    left, right = chest.x < 0, chest.x > 0
    assert not normal.any()
    assert focal.sum() > 0
    assert min(focal[left].sum(), focal[right].sum()) == 0
    assert min(both[left].sum(), both[right].sum()) > 0.1 * both.sum()
    outer_half = chest.side > (chest.inner + chest.outer) / 2
    assert both[outer_half].sum() > 0.55 * both.sum()


@pytest.mark.parametrize("label", CLASSES)
def test_lungs_are_darker_than_the_heart_and_air_is_darkest(label: str) -> None:
    images = np.stack([draw(label, np.random.default_rng(seed), 96) for seed in range(20)])
    mean = images.mean(axis=0)
    lung, heart, air = mean[35:50, 25:32].mean(), mean[50:60, 46:52].mean(), mean[60:70, :3].mean()
    assert air < lung < heart


def test_an_existing_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        write_phantoms(tmp_path / "set", train=1, val=0, test=0, size=64)
    write_phantoms(tmp_path / "set", train=1, val=0, test=0, size=64, force=True)
    assert (tmp_path / "set" / "train" / "normal" / "synthetic_00000.png").exists()


@pytest.mark.parametrize(
    "options", [{"train": 0, "val": 0, "test": 0}, {"train": -1}, {"size": 8}, {"size": 5000}]
)
def test_what_cannot_be_meant_is_a_usage_error(options: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found"):
        write_phantoms(tmp_path / "set", **options)
    assert list(tmp_path.iterdir()) == []
