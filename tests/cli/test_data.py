# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecxr.cli import main
from edgecxr.core.preprocess import Preprocessing
from edgecxr.data.cache import load_images
from edgecxr.data.dataset import read_dataset

SMALL = ["--train", "2", "--val", "0", "--test", "1", "--size", "64"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def phantoms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main.run(["data", "phantom", str(tmp_path / "set"), *SMALL]) == 0
    assert "9 SYNTHETIC images are in" in capsys.readouterr().out
    return tmp_path / "set"


def test_phantom_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["data", "phantom", str(tmp_path / "set"), *SMALL, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["synthetic"] is True
    assert answer["counts"]["test"] == {"bilateral_peripheral": 1, "focal_lobar": 1, "normal": 1}


def test_phantom_refuses_a_folder_that_exists(
    phantoms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["data", "phantom", str(phantoms)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_phantom_never_replaces_other_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "xrays" / "train" / "normal" / "1.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    assert main.run(["data", "phantom", str(tmp_path / "xrays"), *SMALL, "--force"]) == 1
    assert "has no SYNTHETIC.txt" in capsys.readouterr().err
    assert mine.read_bytes() == b"precious"


def test_info(phantoms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["data", "info", str(phantoms)]) == 0
    streams = capsys.readouterr()
    rows = [line.split() for line in streams.out.splitlines()]
    assert ["class", "train", "test", "total"] in rows
    assert ["focal_lobar", "2", "1", "3"] in rows
    assert ["all", "images", "6", "3", "9"] in rows
    assert ["formats", "PNG", "L", "8-bit:", "9"] in rows
    assert "Note: SYNTHETIC" in streams.out
    assert "Reading images: 9 of 9" in streams.err


def test_info_as_json(phantoms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["data", "info", str(phantoms), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["synthetic"] is True
    assert answer["images"] == 9
    assert answer["width_px"] == {"min": 64, "median": 64, "max": 64}
    assert len(answer["fingerprint"]) == 64


def test_info_of_a_damaged_set_lists_what_is_wrong(
    phantoms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (phantoms / "train/normal/synthetic_00000.png").write_bytes(b"")
    name = "train/normal/synthetic_00001.png"
    (phantoms / "test/normal/again.png").write_bytes((phantoms / name).read_bytes())
    assert main.run(["data", "info", str(phantoms)]) == 0
    out = capsys.readouterr().out
    assert "train/normal/synthetic_00000.png: it is empty" in out
    assert f"test/normal/again.png = {name}" in out


def test_info_of_nothing_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["data", "info", "nowhere"]) == 1
    assert capsys.readouterr().err == (
        "edgecxr: a folder or a CSV file was expected at nowhere, and nothing is there\n"
    )


def test_a_wrong_patient_rule_is_a_usage_error(phantoms: Path) -> None:
    assert main.run(["data", "info", str(phantoms), "--patients", "("]) == 2


def test_the_cache_is_shown_and_cleared(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = tmp_path / "images" / "mine"
    strange.mkdir(parents=True)
    (strange / "one.png").write_bytes(b"x")
    dataset = read_dataset(phantoms, cache_dir=None)
    load_images(dataset, Preprocessing(height=8, width=8), tmp_path)
    size = 64 * len(dataset.samples)
    asked = ["data", "cache", "--cache", str(tmp_path), "--json"]
    assert main.run(asked) == 0
    before = json.loads(capsys.readouterr().out)
    assert (before["sets"], before["cleared"]) == (1, False)
    assert before["bytes"] > size
    assert main.run([*asked, "--clear"]) == 0
    assert json.loads(capsys.readouterr().out) == {**before, "cleared": True}
    assert main.run(asked) == 0
    after = json.loads(capsys.readouterr().out)
    assert (after["sets"], after["bytes"]) == (0, 0)
    assert (strange / "one.png").exists()  # what is not ours stays
