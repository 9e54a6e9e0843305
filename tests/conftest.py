# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several rooms share."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from tests.bundles import write_bundle
from tests.images import blocky_images
from tests.keys import Keys, make_keys
from tests.shared import made_once

# The same examples in every run, and no deadline: CI's machines pause.
settings.register_profile("edgecxr", derandomize=True, deadline=None)
settings.load_profile("edgecxr")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``int8.tflite`` and ``float32.tflite`` of one tiny 3-class classifier."""
    return made_once(tmp_path_factory, "tiny", lambda folder: make_models(folder, "ours"))


@pytest.fixture(scope="session")
def foreign_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with RGB models as other tools make them: ``unit-`` (trained on 0 to 1) and
    ``signed-`` (-1 to 1), each ``float32.tflite``, ``int8.tflite`` and ``uint8.tflite``; and with
    ends that differ, ``signed-uint8-int8``, ``signed-int8-uint8`` and ``signed-uint8-float32``."""
    return made_once(tmp_path_factory, "foreign", lambda folder: make_models(folder, "foreign"))


def make_models(folder: Path, what: str) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs tensorflow to make the tiny models")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-m", "tests.tiny_model", str(folder), what],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """To sign and to verify with."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def tiny_int8(tiny_models: Path) -> Path:
    return tiny_models / "int8.tflite"


@pytest.fixture(scope="session")
def tiny_float32(tiny_models: Path) -> Path:
    return tiny_models / "float32.tflite"


@pytest.fixture(scope="session")
def tiny_images() -> NDArray[np.uint8]:
    """uint8 pictures of shape (24, 96, 96)."""
    return blocky_images()


@pytest.fixture
def tiny_bundle(tiny_models: Path, tmp_path: Path) -> Path:
    """The folder of a bundle around the tiny models, labels a, b and c."""
    return write_bundle(tmp_path / "tiny", tiny_models).folder
