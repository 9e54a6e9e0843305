# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecxr.cli.reproduce import check_options
from edgecxr.errors import DataError, EdgecxrError, UsageError
from edgecxr.recipes.recipe import FOLDER, arguments, find, image_sets, names

SETS = """
[toy]
about = "Toys."
where = "toys/{a,b}"
folders = ["toys"]
"""
RECIPE = """
title = "a toy"
paper = "Nobody"
data = "toy"
differs = ["It is none."]

[reports]
accuracy = 0.9

[train]
arch = "vgg19"
epochs = 40
freeze = true
step = ["clahe", "equalize"]
weights = "imagenet"

[reduced]
images_per_class = 100

[reduced.train]
epochs = 5
size = 64
freeze = false
weights = false
"""


def folder_with(tmp_path: Path, text: str, sets: str = SETS) -> Path:
    (tmp_path / "sets.toml").write_text(sets)
    (tmp_path / "toy.toml").write_text(text)
    image_sets.cache_clear()
    return tmp_path


@pytest.mark.parametrize("name", names())
def test_every_recipe_is_valid_and_its_options_exist(name: str) -> None:
    recipe = find(name)
    check_options(recipe)
    assert recipe.differs
    assert recipe.options("quick")["epochs"] == 1
    if recipe.images.listed:
        assert (FOLDER / recipe.images.listed).is_file()


def test_the_experiments_of_the_five_papers_are_there() -> None:
    papers = [find(name).paper for name in names()]
    wanted = {"Si 2023": 1, "Sorić": 5, "Dhanapal": 3, "Hao": 4, "Karcevski": 5}
    assert {paper: papers.count(paper) for paper in wanted} == wanted


def test_a_reduced_setting_replaces_and_takes_out(tmp_path: Path) -> None:
    recipe = find("toy", folder_with(tmp_path, RECIPE))
    assert recipe.options("full")["epochs"] == 40
    reduced = recipe.options("reduced")
    assert (reduced["epochs"], reduced["size"]) == (5, 64)
    assert not {"freeze", "weights"} & set(reduced)
    assert recipe.images_per_class("reduced") == 100
    assert recipe.images_per_class("full") is None
    assert recipe.what_is_reduced("full") == ()
    assert recipe.what_is_reduced("reduced") == (
        "100 training images of each class",
        "epochs 5 instead of 40",
        "size 64",
        "without freeze",
        "without weights imagenet",
    )


def test_quick_downloads_nothing_and_is_small(tmp_path: Path) -> None:
    quick = find("toy", folder_with(tmp_path, RECIPE)).options("quick")
    assert not {"weights", "freeze"} & set(quick)
    assert (quick["arch"], quick["epochs"], quick["size"]) == ("vgg19", 1, 32)


def test_a_pool_is_looked_up_checked_and_left_out_of_quick(tmp_path: Path) -> None:
    text = RECIPE + '[pool]\ndata = ["toy"]\n[pool.train]\nepoch = 1\n'
    recipe = find("toy", folder_with(tmp_path, text))
    assert recipe.pool is not None
    assert recipe.pool.images == (recipe.images,)
    assert recipe.folders == ("toys",)
    assert "without pre-training" in recipe.what_is_reduced("quick")
    with pytest.raises(DataError, match="no option --epoch;"):
        check_options(recipe)


def test_options_are_typed_as_a_user_types_them(tmp_path: Path) -> None:
    options = find("toy", folder_with(tmp_path, RECIPE)).options("full")
    assert arguments(options) == (
        *("--arch", "vgg19", "--epochs", "40", "--freeze"),
        *("--step", "clahe", "--step", "equalize", "--weights", "imagenet"),
    )  # fmt: skip
    assert arguments({"flip": False}) == ()


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("title =", "titel =", "toy.toml: title: Field required"),
        ("[train]", "[trian]", "Field required|Extra inputs"),
        ("accuracy = 0.9", "accuracy = 90", "less than or equal to 1"),
        ('data = "toy"', 'data = "toys"', "data of toy.toml must be one of toy .*, found 'toys'"),
        ('arch = "vgg19"', "", r"\[train\] needs arch"),
        ("epochs = 40", "epochs = ", "toy.toml could not be read as TOML"),
        ("images_per_class = 100", "images_per_class = 1", "images_per_class"),
        ("[reduced]", '[pool]\ndata = ["toys"]\n[reduced]', r"\[pool\] of toy.toml must have data"),
        ("[reduced]", '[pool]\ndata = ["toy"]\n[reduced]', "toy.toml: pool.train: Field required"),
        ('paper = "Nobody"', 'paper = "Nobody"\nname = "x"', "'name', which recipes do not have"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_one_sentence(
    before: str, after: str, sentence: str, tmp_path: Path
) -> None:
    assert before in RECIPE
    folder = folder_with(tmp_path, RECIPE.replace(before, after, 1))
    with pytest.raises(DataError, match=sentence) as caught:
        find("toy", folder)
    assert "\n" not in str(caught.value).split("TOML")[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_recipe_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = folder_with(tmp_path_factory.mktemp("toy"), "")
    (folder / "toy.toml").write_bytes(content)
    with pytest.raises(EdgecxrError):
        find("toy", folder)


def test_an_unknown_option_is_refused_with_its_name(tmp_path: Path) -> None:
    text = RECIPE.replace("epochs = 40", "epoch = 40")
    with pytest.raises(DataError, match="has 'epoch', and `edgecxr train` has no option --epoch"):
        check_options(find("toy", folder_with(tmp_path, text)))


def test_an_unknown_recipe_is_refused_with_all_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a recipe of toy, found 'tory'"):
        find("tory", folder_with(tmp_path, RECIPE))
