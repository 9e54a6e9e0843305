# SPDX-License-Identifier: Apache-2.0
"""`edgecxr sweep` on two local workers: killed, interrupted, taken up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgecxr.core.bundle import Bundle
from edgecxr.sweep.record import SweepResult
from tests.pipeline.conftest import SMALL, command, edgecxr

pytestmark = pytest.mark.pipeline

# The last epoch, so that every epoch counts; and enough of them to be killed in.
LONG = (*SMALL, "--epochs", "20", "--select", "last")
PATIENCE = 600.0  # seconds; only a machine without a free processor needs them


def sweep_command(data: Path, out: Path, train: tuple[str, ...], *options: str) -> list[str]:
    own = ("--seeds", "2", "--workers", "2", "--json", *options)
    return command("sweep", data, "--out", out, *own, "--", *train)


def commands_of(bundle: Path) -> list[int]:
    """The processes that work on a bundle."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"train" in words and os.fsencode(bundle) in words:
            found.append(int(process.name))
    return found


def parent_of(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])


def in_training(
    process: subprocess.Popen[str], out: Path, names: Collection[str], not_these: Collection[int]
) -> tuple[str, int]:
    """The first of the trials that has an epoch on the disk and is training, and who trains it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        for name in names:
            if (out / f"{name}.training" / "state.json").exists():
                for training in set(commands_of(out / name)) - set(not_these):
                    return name, training
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def started(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A command that does not outlive the test."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def weights(bundle: Path) -> list[np.ndarray]:
    import keras

    model = keras.saving.load_model(Bundle.open(bundle).path("keras"), compile=False)
    return [np.asarray(weight) for weight in model.weights]


def same_models(first: Path, second: Path) -> bool:
    """The same curve, but for the seconds, and the same bits."""
    curves = [
        [line.rsplit(",", 1)[0] for line in (folder / "learning_curve.csv").read_text().split()]
        for folder in (first, second)
    ]
    names = ("float32.tflite", "int8.tflite")
    same_files = all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    pairs = zip(weights(first), weights(second), strict=True)
    return curves[0] == curves[1] and same_files and all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_what_is_killed_or_interrupted_loses_nothing(phantoms: Path, tmp_path: Path) -> None:
    disturbed, straight = tmp_path / "disturbed", tmp_path / "straight"
    with started(sweep_command(phantoms, disturbed, LONG)) as process:
        # One loses its worker and the other its training, in the order in which they get on.
        left, killed = ["seed=1", "seed=2"], []
        while left:
            name, training = in_training(process, disturbed, left, ())
            os.kill(parent_of(training) if name == "seed=1" else training, signal.SIGKILL)
            left.remove(name)
            killed.append(training)
        for name in ("seed=1", "seed=2"):
            in_training(process, disturbed, [name], killed)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert json.loads(out) == {"error": "interrupted", "exit_code": 130}
    assert "seed=1: its worker died (WorkerCrashedError); it goes on after epoch" in err
    assert "seed=2: `edgecxr train` was ended by SIGKILL; it goes on after epoch" in err
    assert "Traceback" not in err
    assert not [p.name for p in disturbed.iterdir() if p.name.startswith(".seed")]
    assert commands_of(disturbed / "seed=1") == commands_of(disturbed / "seed=2") == []

    again = edgecxr(*sweep_command(phantoms, disturbed, LONG)[3:])
    assert again.exit_code == 0, again.err
    assert "goes on after epoch" in again.err
    undisturbed = edgecxr(*sweep_command(phantoms, straight, LONG)[3:])
    assert undisturbed.exit_code == 0, undisturbed.err
    for name in ("seed=1", "seed=2"):
        assert same_models(disturbed / name, straight / name)
    results = [SweepResult.model_validate_json(each.out) for each in (again, undisturbed)]
    assert results[0].summary == results[1].summary


def test_a_sweep_of_seeds_and_settings(phantoms: Path, tmp_path: Path) -> None:
    options = ("--seeds", "1", "--set", "dropout=0.1,0.3", "--test")
    arguments = sweep_command(phantoms, tmp_path / "out", (*SMALL, "--epochs", "1"), *options)[3:]
    first = edgecxr(*arguments)
    assert first.exit_code == 0, first.err
    result = SweepResult.model_validate_json(first.out)
    assert result == SweepResult.model_validate_json((tmp_path / "out" / "sweep.json").read_bytes())
    assert [row.name for row in result.results] == ["dropout=0.1,seed=1", "dropout=0.3,seed=1"]
    for row, dropout in zip(result.results, (0.1, 0.3), strict=True):
        manifest = Bundle.open(tmp_path / "out" / row.bundle).manifest
        assert manifest.training.settings["dropout"] == dropout
        assert manifest.metrics.get("val") == row.validation
        # Only the setting that is best on validation images has had its test split read.
        assert set(manifest.metrics) == {"val", "test"} - (
            set() if row.setting == result.chosen else {"test"}
        )
    # Nothing is done twice, and nothing else is done in the same folder.
    again = edgecxr(*arguments)
    assert (again.exit_code, again.err, again.out) == (0, "", first.out)
    other = edgecxr(*arguments, "--epochs", "2")
    assert other.exit_code == 2
    assert "was begun with other data or options for dropout=0.1,seed=1" in other.out
