# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecxr.cli import main
from edgecxr.core.bundle import Bundle
from edgecxr.core.quant import pixel_values


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_a_foreign_model_becomes_a_bundle_that_classifies_and_is_exported(
    tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("0 first\n1 second one\n2 third\n")  # as Teachable Machine writes them
    out, image = tmp_path / "theirs", tmp_path / "x.png"
    model = tiny_models / f"{precision}.tflite"
    assert main.run(["import", str(model), "--labels", str(labels), "--out", str(out)]) == 0
    manifest = Bundle.open(out).manifest
    assert manifest.training is None
    assert manifest.labels == ("first", "second one", "third")
    Image.fromarray(np.full((50, 70), 90, np.uint8)).save(image)
    capsys.readouterr()
    assert main.run(["classify", str(image), "--model", str(out), "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert set(result["scores"]) == set(manifest.labels)
    assert main.run(["export", str(out), "--format", "c", "--out", str(tmp_path / "c")]) == 0


def test_what_is_missing_of_an_imported_bundle_is_said(
    tiny_int8: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "theirs"
    assert main.run(["import", str(tiny_int8), "--labels", "a,b,c", "--out", str(out)]) == 0
    arguments = ["export", str(out), "--format", "c", "--precision", "float32"]
    assert main.run([*arguments, "--out", str(tmp_path / "c")]) == 1
    assert "was imported with int8 only" in capsys.readouterr().err
    assert main.run(["import", str(tiny_int8), "--labels", "a,b", "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("labels", ["a,b", "a,b,b", "a,b,c,d", ""])
def test_labels_that_do_not_fit_are_refused(
    tiny_int8: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: str
) -> None:
    out = tmp_path / "theirs"
    assert main.run(["import", str(tiny_int8), "--labels", labels, "--out", str(out)]) == 2
    assert "expected 3 different labels" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(("scale", "zero_point"), [(1 / 128, 0), (1 / 255, -128), (1.0, -128)])
def test_an_int8_input_says_which_range_pixels_have(scale: float, zero_point: int) -> None:
    assert np.array_equal(pixel_values("int8", scale, zero_point), np.arange(-128, 128))
