# SPDX-License-Identifier: Apache-2.0
"""An older system's environment: tflite-runtime with numpy 1, without tensorflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = shutil.which("python3.11")
"""tflite-runtime 2.14 has wheels up to Python 3.11."""


def call(*command: str | Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason="needs python3.11")
def test_the_pi_extra_installs_without_conflicts_and_benches_on_tflite_runtime(tmp_path) -> None:
    call(PYTHON or "", "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", f"{REPOSITORY}[pi]")
    call(python, "-m", "pip", "check")
    versions = call(
        python,
        "-c",
        "import importlib.metadata as m; print(m.version('numpy'), m.version('tflite-runtime'))",
    )
    assert versions.startswith("1.")
    assert versions.split()[1] == "2.14.0"
    edgecxr = tmp_path / "venv" / "bin" / "edgecxr"
    call(edgecxr, "data", "phantom", tmp_path / "phantoms", "--train", "0", "--test", "4")
    model = shutil.copytree(REPOSITORY / "models" / "cxr3", tmp_path / "cxr3")
    rename_labels(model, tmp_path / "phantoms")
    asked = ["--device", "host", "--data", tmp_path / "phantoms", "--cache", tmp_path / "cache"]
    quick = ["--runs", "5", "--warmup", "1", "--runtime", "tflite-runtime", "--json"]
    rows = json.loads(call(edgecxr, "bench", model, *asked, *quick))["rows"]
    assert {(row["runtime"], row["precision"]) for row in rows} == {
        ("tflite-runtime", "int8"),
        ("tflite-runtime", "float32"),
    }
    for row in rows:
        assert row["interpreter"]["name"] == "tflite-runtime"
        assert row["interpreter"]["version"] == "2.14.0"
        assert row["images"] == 12
        assert row["latency_ms"]["p50"] > 0
        assert row["agreement_with_host"] >= 0.9


def rename_labels(bundle: Path, phantoms: Path) -> None:
    """Call the bundle's classes as the phantoms', whose images it has never seen."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["labels"] = sorted(path.name for path in (phantoms / "test").iterdir())
    (bundle / "manifest.json").write_text(json.dumps(manifest))
