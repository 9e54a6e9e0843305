# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgecxr.core.bundle import Manifest
from edgecxr.core.metrics import compare, paired_difference, wilson
from edgecxr.errors import DataError
from edgecxr.recipes.recipe import find
from edgecxr.recipes.rows import Row, add, read, row_of
from edgecxr.recipes.table import page, report, table
from tests.bundles import write_bundle

RESULTS = Path(__file__).parents[2] / "benchmarks"
LABELS = ("a", "b", "c")
# What DESIGN promises of papers.json.
PROMISED = {
    *("recipe", "data", "paper", "seeds", "float32_accuracy", "int8_accuracy", "auc"),
    *("balanced_accuracy", "int8_minus_float32", "ece", "minutes", "command"),
}


def manifest(folder: Path, seed: int, lost: int, won: int, images: int = 60) -> Manifest:
    """Of a bundle with a test evaluation: int8 is wrong on ``lost`` images where float32 is right,
    and right on ``won`` where float32 is wrong; both err on 6 more."""
    truth = np.arange(images, dtype=np.int64) % 3
    float32, int8 = np.eye(3)[truth], np.eye(3)[truth]
    wrong = np.eye(3)[(truth + 1) % 3]
    int8[:lost] = wrong[:lost]
    float32[lost : lost + won] = wrong[lost : lost + won]
    for scores in (float32, int8):
        scores[-6:] = wrong[-6:]
    evaluation = compare(
        *(scores.astype(np.float32) for scores in (float32, int8)),
        truth,
        LABELS,
        split="test",
        fingerprint="f",
        interpreter="none",
    )
    found = write_bundle(folder, folder).manifest
    training = found.training.model_copy(
        update={"seed": seed, "epochs_run": 30, "seconds_per_epoch": 4.0}
    )
    return found.model_copy(update={"training": training, "metrics": {"test": evaluation}})


def row(tmp_path: Path, *changes: tuple[int, int], recipe: str = "soric_prelu") -> Row:
    manifests = [
        manifest(tmp_path / f"{recipe}-{seed}", seed, *change)
        for seed, change in enumerate(changes, start=1)
    ]
    return row_of(find(recipe), "reduced", manifests, same_images=True, command="edgecxr x")


def test_one_seed_has_the_paired_interval_over_images(tmp_path: Path) -> None:
    found = row(tmp_path, (3, 1))
    assert found.float32_accuracy == pytest.approx(53 / 60)
    assert found.int8_accuracy == pytest.approx(51 / 60)
    assert found.int8_accuracy_ci95 == pytest.approx(wilson(51, 60))
    assert found.int8_minus_float32.mean == pytest.approx(-2 / 60)
    assert found.int8_minus_float32.over == "images"
    assert found.int8_minus_float32.ci95 == pytest.approx(paired_difference(3, 1, 60))
    assert (found.minutes, found.seeds, found.images) == (2.0, (1,), 60)
    assert found.random_accuracy == pytest.approx(1 / 3)


def test_several_seeds_are_averaged_and_each_is_kept(tmp_path: Path) -> None:
    found = row(tmp_path, (2, 0), (0, 2), (3, 0))
    assert found.int8_accuracy_seeds == pytest.approx((52 / 60, 54 / 60, 51 / 60))
    assert found.int8_accuracy == pytest.approx(np.mean(found.int8_accuracy_seeds))
    assert found.int8_minus_float32.mean == pytest.approx(-1 / 60)
    assert found.int8_minus_float32.over == "seeds"
    low, high = found.int8_minus_float32.ci95
    assert low < -1 / 60 < high
    assert (found.seeds, found.minutes) == ((1, 2, 3), 6.0)


def test_a_bundle_without_test_figures_is_named(tmp_path: Path) -> None:
    bare = write_bundle(tmp_path / "bare", tmp_path).manifest
    with pytest.raises(DataError, match="test split in the bundle bare, found none"):
        row_of(find("soric_relu"), "full", [bare], same_images=None, command="")


def test_a_row_replaces_the_one_of_its_recipe_and_setting_only(tmp_path: Path) -> None:
    path = tmp_path / "papers.json"
    add(path, [row(tmp_path, (3, 1)), row(tmp_path, (0, 0), recipe="soric_relu")])
    again = row(tmp_path / "again", (0, 0))
    assert [each.recipe for each in add(path, [again])] == ["soric_prelu", "soric_relu"]
    assert read(path)[0] == again
    assert set(json.loads(path.read_text())["rows"][0]) >= PROMISED
    assert read(tmp_path / "none.json") == ()


def test_another_file_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"rows": [{"recipe": 1}]}')
    with pytest.raises(DataError, match=r"is no file of results: rows\.0\.recipe: "):
        add(path, [])
    assert path.read_text() == '{"rows": [{"recipe": 1}]}'


def test_a_row_says_what_it_is_not(tmp_path: Path) -> None:
    found = row(tmp_path, (3, 1))
    for text in (page([found]), report([found])):
        words = " ".join(text.split())
        assert "accuracy 90.4 %, recall 98.2 %, precision 87.8 %, AUC 0.952" in words
        assert "85.0 % (73.9–91.9)" in words
        assert "(reduced)" in words
        assert "size 64 instead of 150" in words
        assert all(sentence in words for sentence in found.differs)
    assert max(map(len, report([found]).splitlines())) <= 80
    quick = found.model_copy(update={"setting": "quick"})
    assert found.differs[0] not in " ".join(report([quick]).split())
    other = found.model_copy(update={"same_images": False})
    assert "Other image files than this project's" in page([other])
    assert table([found]).count("\n") == 2


def test_the_committed_page_is_made_of_the_committed_rows() -> None:
    rows = read(RESULTS / "results" / "papers.json")
    assert page(rows) == (RESULTS / "README.md").read_text(encoding="utf-8")
    assert rows
    assert all(each.setting != "quick" for each in rows)
