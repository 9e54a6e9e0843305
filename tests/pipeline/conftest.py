# SPDX-License-Identifier: Apache-2.0
"""The main job, run once on a few phantoms through the command line; the tests look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

TRAIN = ("--epochs", "3", "--width", "0.1", "--validation-share", "0.25", "--batch", "16")


@dataclass(frozen=True)
class Outcome:
    exit_code: int
    out: str
    err: str


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "edgecxr", *map(str, arguments)]


def edgecxr(*arguments: str | Path, **environment: str) -> Outcome:
    """Run one command in a process of its own, as a user does."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, env={**os.environ, **environment}
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    made = edgecxr("data", "phantom", folder, "--train", "24", "--val", "0", "--test", "10")
    assert made.exit_code == 0, made.err
    return folder


@pytest.fixture(scope="session")
def trained(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A bundle as `train` leaves it; do not change it."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    outcome = edgecxr("train", phantoms, "--out", folder, *TRAIN)
    assert outcome.exit_code == 0, outcome.err
    return folder, outcome


@pytest.fixture(scope="session")
def quantized(
    trained: tuple[Path, Outcome], phantoms: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Outcome]:
    """A whole bundle; do not change it."""
    import shutil

    folder = tmp_path_factory.mktemp("models") / "tiny"
    shutil.copytree(trained[0], folder)
    outcome = edgecxr("quantize", folder, "--data", phantoms, "--representative", "30")
    assert outcome.exit_code == 0, outcome.err
    return folder, outcome
