# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from edgecxr.cli import train
from edgecxr.cli.main import run
from edgecxr.core import preprocess
from edgecxr.core.bundle import Bundle
from edgecxr.core.preprocess import Preprocessing
from edgecxr.errors import TrainingError


def test_without_matplotlib_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))
    data = str(tmp_path / "set")
    assert run(["data", "phantom", data, "--train", "4", "--test", "0", "--size", "64"]) == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(["train", data, "--out", str(tmp_path / "m"), "--epochs", "1", "--batch", "2"]) == 1
    err = capsys.readouterr().err
    assert "matplotlib, which is not installed" in err
    assert "epoch" not in err


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What training would have begun with; it ends there."""
    from edgecxr.training import train as stage

    jobs: list[Any] = []

    def begin(job: Any, **_: Any) -> None:
        jobs.append(job)
        raise TrainingError("enough")

    monkeypatch.setattr(stage, "begin", begin)
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))
    data = str(tmp_path / "set")
    assert run(["data", "phantom", data, "--train", "4", "--test", "0", "--size", "64"]) == 0
    return jobs


def test_preprocessing_goes_from_the_command_line_to_the_images(
    job: list[Any], tmp_path: Path
) -> None:
    asked = ["--resize", "reflect-pad", "--step", "gaussian-3x3", "--step", "crop-border"]
    assert run(["train", str(tmp_path / "set"), "--out", str(tmp_path / "m"), *asked]) == 1
    expected = Preprocessing.of("reflect-pad", ["gaussian-3x3", "crop-border"])
    assert job[0].preprocessing == expected
    first = job[0].source.data
    assert (first.images[0] == expected.load(first.dataset.samples[0].path)).all()


def test_a_warm_start_keeps_its_preprocessing_unless_told(
    job: list[Any], tmp_path: Path, tiny_bundle: Path
) -> None:
    own = Preprocessing.of("fit-longest", ["clahe"])
    Bundle.open(tiny_bundle).with_manifest(preprocessing=own)
    start = ["train", str(tmp_path / "set"), "--out", str(tmp_path / "m"), "--init"]
    assert run([*start, str(tiny_bundle)]) == 1
    assert run([*start, str(tiny_bundle), "--step", "equalize"]) == 1
    assert [each.preprocessing for each in job] == [own, Preprocessing.of(steps=["equalize"])]


def test_the_command_line_offers_every_step() -> None:
    assert {f"resize-{way.value}" for way in train.Resize} == set(preprocess.RESIZES)
    further = {*preprocess.BEFORE_RESIZE, *preprocess.AFTER_RESIZE}
    assert {step.value for step in train.Step} == further
