# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from edgecxr.bench import host
from edgecxr.bench.runtimes import RUNTIMES
from edgecxr.cli.main import run
from edgecxr.core.process import module_command
from edgecxr.core.result import BenchResult

pytestmark = pytest.mark.heavy

QUICK = ["--runs", "5", "--warmup", "1"]


@pytest.fixture
def pictures(tmp_path, tiny_images, monkeypatch) -> Path:
    """Eight test images for each of the classes a, b and c."""
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))
    for index, image in enumerate(tiny_images):
        folder = tmp_path / "pictures" / "test" / "abc"[index % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index}.png")
    return tmp_path / "pictures"


def rows(out: str) -> list[dict[str, object]]:
    return [row.model_dump() for row in BenchResult.model_validate_json(out).rows]


def test_int8_and_float32_are_measured_side_by_side(tiny_bundle, pictures, capsys) -> None:
    asked = ["bench", str(tiny_bundle), "--data", str(pictures), "--runtime", "litert", *QUICK]
    assert run([*asked, "--json"]) == 0
    result = BenchResult.model_validate_json(capsys.readouterr().out)
    assert [row.precision for row in result.rows] == ["int8", "float32"]
    assert result.data is not None
    assert (result.data.source, result.data.split, result.data.images) == ("pictures", "test", 24)
    for row in result.rows:
        assert row.images == 24
        assert row.accuracy is not None
        assert row.agreement_with_host is not None


def test_a_limit_takes_images_of_every_class(tiny_bundle, pictures, capsys, monkeypatch) -> None:
    taken = {}

    def keep(models, runtimes, chosen, settings, *, progress):
        taken["truth"] = chosen.truth
        return host_run(models, runtimes, chosen, settings, progress=progress)

    host_run = host.run
    monkeypatch.setattr(host, "run", keep)
    asked = ["bench", str(tiny_bundle), "--data", str(pictures), "--limit", "6", "--json"]
    assert run([*asked, "--precision", "int8", "--runtime", "litert", *QUICK]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["data"]["images"], found["data"]["images_in_split"]) == (6, 24)
    assert taken["truth"].tolist() == [0, 0, 1, 1, 2, 2]


def test_without_data_only_the_latency_is_measured(tiny_bundle, capsys) -> None:
    assert run(["bench", str(tiny_bundle), "--precision", "int8", "--json", *QUICK]) == 0
    for row in rows(capsys.readouterr().out):
        assert row["accuracy"] is None
        assert row["latency_ms"] is not None


def test_markdown_goes_to_stdout_and_progress_to_stderr(tiny_bundle, capsys) -> None:
    asked = ["bench", str(tiny_bundle), "--runtime", "litert", "--markdown", *QUICK]
    assert run(asked) == 0
    found = capsys.readouterr()
    assert found.out.startswith("| device")
    assert "random pixels" in found.out
    assert "litert int8" in found.err


def test_a_crash_is_a_row_and_exit_code_1(tiny_bundle, capsys, monkeypatch) -> None:
    def command(module: str, path: str) -> list[str]:
        if '"tflm"' in Path(path).read_text():
            return [sys.executable, "-c", "import os; os.abort()"]
        return module_command(module, path)

    monkeypatch.setattr(host, "module_command", command)
    asked = ["bench", str(tiny_bundle), "--runtime", "tflm", "--runtime", "litert", "--json"]
    assert run([*asked, "--precision", "int8", *QUICK]) == 1
    found = capsys.readouterr()
    crashed, fine = rows(found.out)
    assert "SIGABRT" in str(crashed["error"])
    assert fine["error"] is None
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--device", "/dev/none"], 3, "there is no port /dev/none; attached"),
        (["--runtime", "onnx"], 2, "found 'onnx'"),
        (["--markdown"], 2, "choose one"),
        (["--runs", "0"], 2, "--runs"),
        (["--data", "nowhere"], 1, "nowhere"),
    ],
)
def test_what_cannot_be_is_one_sentence(tiny_bundle, capsys, arguments, code, words) -> None:
    assert run(["bench", str(tiny_bundle), "--json", *arguments]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code
    assert words in found["error"]


def test_the_help_names_every_runtime(capsys) -> None:
    assert run(["bench", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in RUNTIMES)


def test_images_of_other_classes_are_refused(tiny_bundle, pictures, capsys) -> None:
    shutil.move(pictures / "test" / "c", pictures / "test" / "d")
    assert run(["bench", str(tiny_bundle), "--data", str(pictures), "--json"]) == 1
    assert "found a, b, d" in json.loads(capsys.readouterr().out)["error"]


def test_a_changed_model_is_refused_before_it_is_measured(tiny_bundle, capsys) -> None:
    path = tiny_bundle / "int8.tflite"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert run(["bench", str(tiny_bundle), "--json"]) == 1
    assert "SHA-256" in json.loads(capsys.readouterr().out)["error"]
