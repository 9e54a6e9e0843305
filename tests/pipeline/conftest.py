# SPDX-License-Identifier: Apache-2.0
"""The main job, run once on a few phantoms through the command line; the tests look at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.shared import made_once

TRAIN = ("--epochs", "3", "--width", "0.1", "--validation-share", "0.25", "--batch", "16")
SMALL = (*TRAIN, "--arch", "simple_cnn")
"""Where any network will do: this one is traced in a third of the time."""


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
    def make(folder: Path) -> None:
        sizes = ("--train", "24", "--val", "0", "--test", "10")
        made = edgecxr("data", "phantom", folder / "phantoms", *sizes)
        assert made.exit_code == 0, made.err

    return made_once(tmp_path_factory, "data", make) / "phantoms"


@pytest.fixture(scope="session")
def trained(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A bundle as `train` leaves it; do not change it."""

    def make(folder: Path) -> None:
        keep(folder, edgecxr("train", phantoms, "--out", folder / "tiny", *TRAIN))

    return kept(made_once(tmp_path_factory, "trained", make))


@pytest.fixture(scope="session")
def quantized(
    trained: tuple[Path, Outcome], phantoms: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Outcome]:
    """A whole bundle; do not change it."""

    def make(folder: Path) -> None:
        shutil.copytree(trained[0], folder / "tiny")
        asked = ("quantize", folder / "tiny", "--data", phantoms, "--representative", "30")
        keep(folder, edgecxr(*asked))

    return kept(made_once(tmp_path_factory, "quantized", make))


def keep(folder: Path, outcome: Outcome) -> None:
    """What a command said, for the other processes of the run."""
    assert outcome.exit_code == 0, outcome.err
    (folder / "outcome.json").write_text(json.dumps(asdict(outcome)))


def kept(folder: Path) -> tuple[Path, Outcome]:
    return folder / "tiny", Outcome(**json.loads((folder / "outcome.json").read_text()))
