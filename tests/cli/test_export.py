# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecxr.cli import main
from edgecxr.core.files import sha256

FILES = ("model_data.h", "model_data.cc", "model_ops.h", "model_settings.h", "model_settings.cc")


def test_a_summary_for_a_person(
    tiny_int8: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tflite_micro")
    out = tmp_path / "out"
    assert main.run(["export", str(tiny_int8), "--format", "tflm", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert all(name in text for name in FILES)
    assert "CONV_2D" in text
    assert "measured +" in text
    assert sha256(tiny_int8) in text


def test_the_same_as_json(
    tiny_float32: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--format", "tflm", "--out", str(out), "--arena", "200000", "--json"]
    assert main.run(["export", str(tiny_float32), *arguments]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["precision"] == "float32"
    assert facts["model_sha256"] == sha256(tiny_float32)
    assert facts["arena"]["arena_bytes"] == 200000
    assert facts["arena"]["measured_bytes"] is None
    for file in facts["files"]:
        assert (out / file["path"]).stat().st_size == file["bytes"]


def test_exporting_twice_gives_the_same_bytes(tiny_int8: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        out = str(tmp_path / name)
        options = ["--format", "tflm", "--out", out, "--arena", "200000"]
        assert main.run(["export", str(tiny_int8), *options]) == 0
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_damaged_model_writes_nothing(
    tiny_int8: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "cut.tflite"
    model.write_bytes(tiny_int8.read_bytes()[:2000])
    options = ["--format", "tflm", "--out", str(tmp_path / "out")]
    assert main.run(["export", str(model), *options]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.count("\n") == 1
    assert "the .tflite file is damaged" in streams.err
    assert [path.name for path in tmp_path.iterdir()] == ["cut.tflite"]


def test_an_existing_folder_is_refused(tiny_int8: Path, tmp_path: Path) -> None:
    options = ["--format", "tflm", "--arena", "200000", "--out", str(tmp_path)]
    assert main.run(["export", str(tiny_int8), *options]) == 1


@pytest.mark.parametrize("wrong", [["--format", "rust"], ["--arena", "0"], ["--precision", "int4"]])
def test_a_wrong_option_is_a_usage_error(tiny_int8: Path, tmp_path: Path, wrong: list[str]) -> None:
    options = ["--format", "tflm", "--out", str(tmp_path / "out"), *wrong]
    assert main.run(["export", str(tiny_int8), *options]) == 2
