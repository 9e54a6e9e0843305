# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecxr.cli.main import run
from edgecxr.core.bundle import Bundle
from edgecxr.data.phantom import write_phantoms
from edgecxr.recipes.recipe import find, names
from edgecxr.recipes.rows import read


@pytest.fixture(autouse=True)
def no_data_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EDGECXR_DATA", raising=False)
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))


def test_the_list_names_every_recipe_and_every_folder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["reproduce", "--list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in names())
    assert "chest_xray_pneumonia/{train,val,test}/{NORMAL,PNEUMONIA}" in shown
    assert run(["reproduce", "soric_prelu", "--list", "--json"]) == 0
    [recipe] = json.loads(capsys.readouterr().out)["recipes"]
    assert recipe["reports"]["accuracy"] == 0.9038


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "expected names of recipes or --all, found neither or both"),
        (("soric_prelu", "--all"), "found neither or both"),
        (("sori",), "expected a recipe of "),
        (("soric_prelu",), "give the folder that holds chest_xray_pneumonia with --data-root"),
        (("soric_prelu", "--quick", "--reduced"), "are two settings; give one of them"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_one_sentence(
    arguments: tuple[str, ...],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["reproduce", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err


def test_a_missing_set_says_how_to_lay_it_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--data-root", str(tmp_path), "--out", str(tmp_path / "out"))
    assert run(["reproduce", "soric_relu", *arguments]) == 1
    err = capsys.readouterr().err
    assert "expected the folder chest_xray_pneumonia" in err
    assert "{NORMAL,PNEUMONIA}" in err


@pytest.mark.pipeline
def test_quick_goes_all_the_way_and_then_repeats_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["reproduce", "karcevski_simple", "--quick", "--out", str(tmp_path / "out")]
    page = tmp_path / "page.md"
    assert run([*command, "--json", "--page", str(page)]) == 0
    [row] = json.loads(capsys.readouterr().out)["rows"]
    assert (row["recipe"], row["setting"], row["images"]) == ("karcevski_simple", "quick", 12)
    assert row["command"] == "edgecxr reproduce karcevski_simple --quick"
    assert row["data"] == "Synthetic phantoms."
    assert "phantoms" in row["reduced"]
    assert len(read(tmp_path / "out" / "papers.json")) == 1
    assert "karcevski_simple (quick, phantoms)" in page.read_text()
    log = tmp_path / "out" / "karcevski_simple-quick-seed-1.log"
    said = log.read_text()
    assert run(command) == 0
    assert log.read_text() == said
    assert "Karcevski: simple CNN (quick, phantoms)" in capsys.readouterr().out
    settings = log.with_suffix(".settings")
    settings.write_text(settings.read_text().replace("--epochs 1", "--epochs 2"))
    assert run(command) == 2
    assert "was begun with other settings or images" in capsys.readouterr().err


def sets_like_the_real_ones(root: Path) -> Path:
    """Phantoms below the folders that pneumonia_edgecxr wants."""
    write_phantoms(root / "own", train=16, test=4, size=64, seed=1)
    write_phantoms(root / "more", train=16, test=0, size=64, seed=2)
    for split in ("train", "test"):
        folder = root / "chest_xray_pneumonia" / split
        folder.mkdir(parents=True)
        for was, label in (("normal", "NORMAL"), ("focal_lobar", "PNEUMONIA")):
            (root / "own" / split / was).rename(folder / label)
    radiography = root / "covid19_radiography_subset" / "all"
    radiography.mkdir(parents=True)
    (root / "more" / "train" / "normal").rename(radiography / "Normal")
    (root / "more" / "train" / "bilateral_peripheral").rename(radiography / "COVID")
    rest = root / "covid19_image_dataset" / "train"
    rest.mkdir(parents=True)
    (root / "more" / "train" / "focal_lobar").rename(rest / "Viral_Pneumonia")
    (root / "own" / "train" / "bilateral_peripheral").rename(rest / "Covid")
    return root


@pytest.mark.pipeline
def test_a_recipe_with_a_pool_pre_trains_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = find("pneumonia_edgecxr")
    assert recipe.pool is not None
    small = {"arch": "simple_cnn", "epochs": 1, "size": 32, "batch": 8, "validation-share": 0.25}
    pool = recipe.pool.model_copy(update={"train": {**recipe.pool.train, **small}})
    smaller = recipe.model_copy(update={"train": {**recipe.train, **small}, "pool": pool})
    monkeypatch.setattr("edgecxr.recipes.recipe.find", lambda _: smaller)
    root, out = sets_like_the_real_ones(tmp_path / "root"), tmp_path / "out"
    command = ["reproduce", "pneumonia_edgecxr", "--data-root", str(root), "--out", str(out)]
    assert run([*command, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["rows"]
    [parent] = Bundle.open(out / "pneumonia_edgecxr-seed-1").manifest.trained.parents
    pretrained = Bundle.open(out / "pneumonia_edgecxr-pool").manifest
    assert (parent.role, parent.labels) == ("init", ("COVID-19", "Normal"))
    assert parent.model_sha256 == pretrained.files["keras"].sha256
    assert pretrained.reads[0].split == "val"
    assert len(pretrained.reads) == 1
    assert row["images"] == 8


@pytest.mark.slow
@pytest.mark.pipeline
def test_every_recipe_runs_at_its_quick_setting(tmp_path: Path) -> None:
    assert run(["reproduce", "--all", "--quick", "--out", str(tmp_path / "out")]) == 0
    assert len(read(tmp_path / "out" / "papers.json")) == len(names())
