# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecxr.data.dataset import read_dataset
from edgecxr.errors import DataError
from edgecxr.recipes.recipe import FOLDER, ImageSet, Pool, image_sets
from edgecxr.recipes.source import lay_out, lay_out_pool

TOYS = ImageSet(about="", where="toys/{train,test}/{a,b}", folders=("toys",))
LISTED = TOYS.model_copy(update={"listed": "list.csv"})
NAMES = [f"toys/{s}/{c}_P/{i}" for s in ("train", "test") for c in "ab" for i in range(6)]


def toys(root: Path, suffix: str = ".png", rename: str = "_P") -> Path:
    """24 images of noise in two classes below ``root``."""
    generator = np.random.default_rng(5)
    for name in NAMES:
        path = root / f"{name.replace('_P', rename)}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (16, 16), dtype=np.uint8)).save(path)
    return root


def lists(folder: Path) -> Path:
    """The list of all toys, with the names that they have where the list was made."""
    folder.mkdir()
    rows = [f"{name}.png,{name.split('/')[2][0]},{name.split('/')[1]}" for name in NAMES]
    (folder / "list.csv").write_text("\n".join(["file,label,split", *rows]) + "\n")
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_list_that_can_be_read(tmp_path: Path) -> None:
    source = lay_out(TOYS, toys(tmp_path / "root"), tmp_path / "run")
    assert source.same_images is None
    data = read_dataset(source.path)
    assert data.counts() == {
        "train": {"a_P": 6, "b_P": 6},
        "test": {"a_P": 6, "b_P": 6},
    }


def test_the_fingerprint_depends_on_neither_root_nor_run(tmp_path: Path) -> None:
    first = lay_out(TOYS, toys(tmp_path / "one"), tmp_path / "run")
    second = lay_out(TOYS, toys(tmp_path / "deep" / "two"), tmp_path / "deeper" / "run")
    print_of = read_dataset(first.path).fingerprint()
    assert read_dataset(second.path).fingerprint() == print_of
    known = TOYS.model_copy(update={"fingerprint": print_of})
    assert lay_out(known, tmp_path / "one", tmp_path / "run").same_images is True
    (tmp_path / "one" / f"{NAMES[0]}.png").write_bytes(
        (tmp_path / "one" / f"{NAMES[1]}.png").read_bytes()
    )
    assert lay_out(known, tmp_path / "one", tmp_path / "run").same_images is False


@pytest.mark.parametrize(("suffix", "rename"), [(".png", "_P"), (".jpeg", "_P"), (".png", " P")])
def test_listed_images_are_found_by_their_stem(suffix: str, rename: str, tmp_path: Path) -> None:
    root = toys(tmp_path / "root", suffix, rename)
    source = lay_out(LISTED, root, tmp_path / "run", lists=lists(tmp_path / "lists"))
    rows = rows_of(source.path)
    assert len(rows) == len(NAMES)
    assert all(row["file"].endswith(suffix) for row in rows)
    assert {row["label"] for row in rows} == {"a", "b"}
    assert len(read_dataset(source.path).samples) == len(NAMES)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_limit_takes_the_same_training_images_whatever_their_suffix(
    suffix: str, tmp_path: Path
) -> None:
    root = toys(tmp_path / "root", suffix)
    source = lay_out(TOYS, root, tmp_path / "run", per_class=2)
    rows = rows_of(source.path)
    assert sum(row["split"] == "test" for row in rows) == 12
    kept = {row["file"].removesuffix(suffix) for row in rows if row["split"] == "train"}
    assert kept == {
        "toys/train/a_P/4",
        "toys/train/a_P/5",
        "toys/train/b_P/3",
        "toys/train/b_P/5",
    }


def test_a_missing_folder_and_a_missing_image_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected the folder toys below the data root"):
        lay_out(TOYS, tmp_path, tmp_path / "run")
    root, listed = toys(tmp_path / "root"), lists(tmp_path / "lists")
    (root / f"{NAMES[3]}.png").unlink()
    with pytest.raises(DataError, match=f"expected {NAMES[3]}.png, with any suffix"):
        lay_out(LISTED, root, tmp_path / "run", lists=listed)


@pytest.mark.parametrize("name", image_sets())
def test_the_lists_of_images_have_no_row_twice_and_no_patient_in_two_splits(name: str) -> None:
    images = image_sets()[name]
    if images.listed is None:
        return
    rows = rows_of(FOLDER / images.listed)
    assert len({row["file"] for row in rows}) == len(rows)
    assert {row["file"].split("/")[0] for row in rows} == set(images.folders)
    splits: dict[str, set[str]] = {}
    for row in rows:
        if row.get("patient"):
            splits.setdefault(row["patient"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())


def test_si2023_has_the_counts_of_the_papers_table() -> None:
    rows = rows_of(FOLDER / "si2023_split.csv")
    counts = {
        (split, label): sum((r["split"], r["label"]) == (split, label) for r in rows)
        for split in ("train", "test")
        for label in ("COVID-19", "Normal", "Virus")
    }
    assert list(counts.values()) == [359, 594, 495, 87, 144, 124]


def test_a_pool_has_nothing_of_the_recipes_own_images(tmp_path: Path) -> None:
    root = toys(tmp_path / "root")
    generator = np.random.default_rng(6)
    for name in ("sick/1", "sick/2", "well/1", "other/1"):
        path = root / "more" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (16, 16), dtype=np.uint8)).save(path)
    shutil.copy(root / "toys/test/a_P/0.png", root / "more/well/copy.png")
    pool = Pool(
        data=("more",),
        images=(ImageSet(about="", where="more/{sick,well}", folders=("more",)),),
        label=("*/sick/*=ill", "*/other/*="),
        train={},
    )
    lay_out(TOYS, root, tmp_path / "run", per_class=1)
    found = rows_of(lay_out_pool(pool, root, tmp_path / "run", cache_dir=tmp_path / "cache"))
    assert [(row["file"], row["label"]) for row in found] == [
        ("more/sick/1.png", "ill"),
        ("more/sick/2.png", "ill"),
        ("more/well/1.png", "well"),
    ]
    with pytest.raises(DataError, match="expected the folder more below the data root"):
        lay_out_pool(pool, tmp_path, tmp_path / "run", cache_dir=tmp_path / "cache")
