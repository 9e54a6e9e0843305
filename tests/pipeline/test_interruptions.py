# SPDX-License-Identifier: Apache-2.0
"""Killed, interrupted, or out of disk: nothing half-written, and nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.conftest import SMALL, TRAIN, Outcome, command, edgecxr

pytestmark = pytest.mark.pipeline


def start_and_stop(arguments: list[str], folder: Path, how: int) -> subprocess.Popen[str]:
    """Start a training run and send it a signal once its first epoch is on disk."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (folder / "state.json").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(how)
    return process


def test_a_killed_run_resumes_to_the_same_model(
    trained: tuple[Path, Outcome], phantoms: Path, tmp_path: Path
) -> None:
    arguments = command("train", phantoms, "--out", tmp_path / "tiny", *TRAIN)
    process = start_and_stop(arguments, tmp_path / "tiny.training", signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "tiny").exists()
    outcome = edgecxr("train", phantoms, "--out", tmp_path / "tiny", *TRAIN, "--resume")
    assert outcome.exit_code == 0, outcome.err
    assert "Going on after epoch" in outcome.err
    import keras

    straight = keras.saving.load_model(trained[0] / "model.keras", compile=False)
    resumed = keras.saving.load_model(tmp_path / "tiny" / "model.keras", compile=False)
    for a, b in zip(straight.weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_ctrl_c_is_one_line_and_130(phantoms: Path, tmp_path: Path) -> None:
    arguments = command("train", phantoms, "--out", tmp_path / "tiny", *SMALL, "--epochs", "500")
    process = start_and_stop(arguments, tmp_path / "tiny.training", signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "edgecxr: interrupted"
    assert "Traceback" not in err
    assert not (tmp_path / "tiny").exists()
    again = edgecxr("train", phantoms, "--out", tmp_path / "tiny", *SMALL)
    assert again.exit_code == 2
    assert "go on with --resume, or drop it with --force" in again.err


def test_an_existing_output_is_refused_before_any_work(
    trained: tuple[Path, Outcome], phantoms: Path
) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in trained[0].iterdir()}
    outcome = edgecxr("train", phantoms, "--out", trained[0], *TRAIN)
    assert outcome.exit_code == 1
    assert "exists already; choose another name, or pass --force" in outcome.err
    assert before == {p.name: p.stat().st_mtime_ns for p in trained[0].iterdir()}


def test_force_does_not_replace_the_images_by_the_bundle(phantoms: Path) -> None:
    outcome = edgecxr("train", phantoms, "--out", phantoms, *TRAIN, "--force")
    assert outcome.exit_code == 1
    assert "has no manifest.json" in outcome.err
    assert (phantoms / "train").is_dir()


def test_a_changed_file_of_a_bundle_is_refused(
    quantized: tuple[Path, Outcome], phantoms: Path, tmp_path: Path
) -> None:
    shutil.copytree(quantized[0], tmp_path / "m")
    model = tmp_path / "m" / "int8.tflite"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    for verb, *rest in (
        ("evaluate", "--data", phantoms),
        ("bench",),
        ("export", "--format", "tflm", "--out", tmp_path / "out"),
    ):
        outcome = edgecxr(verb, tmp_path / "m", *rest)
        assert outcome.exit_code == 1
        assert "int8.tflite does not have the SHA-256 of the manifest" in outcome.err


def test_an_unreadable_image_stops_training_and_can_be_skipped(
    phantoms: Path, tmp_path: Path
) -> None:
    shutil.copytree(phantoms, tmp_path / "data")
    broken = next((tmp_path / "data" / "train" / "normal").glob("*.png"))
    broken.write_bytes(broken.read_bytes()[:300])
    outcome = edgecxr("train", tmp_path / "data", "--out", tmp_path / "m", *SMALL)
    assert outcome.exit_code == 1
    assert broken.name in outcome.err
    assert not (tmp_path / "m").exists()
    skipped = edgecxr(
        "train", tmp_path / "data", "--out", tmp_path / "m", *SMALL, "--skip-unreadable", "--json",
        "--epochs", "1",
    )  # fmt: skip
    assert skipped.exit_code == 0, skipped.err
    assert '"skipped_unreadable": 1' in skipped.out
    assert "unreadable images left out: 1, such as train/normal/" in skipped.err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    trained: tuple[Path, Outcome], phantoms: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    # Room for the bundle as it is and for a part of what quantize adds to it.
    room = sum(path.stat().st_size for path in trained[0].iterdir()) + 100_000
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not allow mounts")
    try:
        shutil.copytree(trained[0], small / "m")
        outcome = edgecxr("quantize", small / "m", "--data", phantoms, "--representative", "30")
        assert outcome.exit_code == 1
        assert "the disk is full" in outcome.err.splitlines()[-1]
        assert not list((small / "m").glob(".*"))
    finally:
        subprocess.run(["umount", str(small)], check=True)
