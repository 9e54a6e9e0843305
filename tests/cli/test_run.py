# SPDX-License-Identifier: Apache-2.0
"""`edgecxr run`, on programs that `edgecxr export --format eim` made."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgecxr.bench.eim import _info
from edgecxr.cli import main
from edgecxr.errors import DeviceError

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        importlib.util.find_spec("edge_impulse_linux") is None, reason="needs edge-impulse-linux"
    ),
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, tiny_images: NDArray[np.uint8]) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, tiny_images, strict=False):
        Image.fromarray(image).save(path)
    return paths


def said(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main.run([*arguments, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


STEP = 1 / 256
"""Of int8 scores: LiteRT's reference kernels round the last layer once, programs and TFLM twice."""


@pytest.mark.parametrize(
    ("name", "range_", "slack"),
    [("gray", "", 0), ("signed-float32", "-1..1", 0), ("unit-uint8", "0..1", STEP)],
)
def test_it_gives_the_scores_of_classify(
    tiny_bundle: Path,
    foreign_models: Path,
    photos: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    range_: str,
    slack: float,
) -> None:
    bundle = tiny_bundle
    if name != "gray":
        bundle = tmp_path / "theirs"
        arguments = ["import", str(foreign_models / f"{name}.tflite"), "--labels", "a,b,c"]
        assert main.run([*arguments, "--input-range", range_, "--out", str(bundle)]) == 0
    program = tmp_path / "x.eim"
    assert main.run(["export", str(bundle), "--format", "eim", "--out", str(program)]) == 0
    files = [str(path) for path in photos]
    ours = said(["run", str(program), *files], capsys)
    theirs = said(["classify", *files, "--model", str(bundle)], capsys)
    for one, other in zip(ours["results"], theirs["results"], strict=True):
        assert one["label"] == other["label"]
        assert one["scores"] == pytest.approx(other["scores"], abs=slack + 2e-6)
        assert one["latency_ms"] > 0
    assert ours["model_sha256"] == theirs["model_sha256"]


def test_a_damaged_image_is_named_and_the_others_are_classified(
    tiny_bundle: Path, photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, bad = tmp_path / "x.eim", tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    assert main.run(["export", str(tiny_bundle), "--format", "eim", "--out", str(program)]) == 0
    found = said(["run", str(program), str(bad), str(photos[0])], capsys, code=1)
    broken, good = found["results"]
    assert "bad.png is not a usable image" in broken["error"]
    assert good["label"] in ("a", "b", "c")
    assert main.run(["run", str(program), str(photos[0])]) == 0
    text = capsys.readouterr().out
    assert "0.png" in text
    assert good["label"] in text


def test_what_is_no_program_is_refused(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = ["run", str(tmp_path / "none.eim"), str(photos[0])]
    found = said(missing, capsys, code=3)
    assert "found none; name an .eim file" in found["error"]


@pytest.mark.parametrize("labels", [["a", "a"], ["a", " "], ["a", "\x1b[2Jb"], ["a"]])
def test_labels_of_a_strange_program_are_checked(labels: list[str]) -> None:
    """Two of one name were one bar, with the score of the last."""
    parameters = {"image_input_height": 96, "image_input_width": 96, "labels": labels}
    hello = {"model_parameters": {**parameters, "model_type": "classification"}}
    with pytest.raises(DeviceError, match="expected different labels that"):
        _info(Path("x.eim"), hello)
