# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecxr.cli.main import run
from edgecxr.recipes.recipe import names
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


@pytest.mark.slow
@pytest.mark.pipeline
def test_every_recipe_runs_at_its_quick_setting(tmp_path: Path) -> None:
    assert run(["reproduce", "--all", "--quick", "--out", str(tmp_path / "out")]) == 0
    assert len(read(tmp_path / "out" / "papers.json")) == len(names())
