# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.flat import small_classifier


@pytest.fixture
def small_int8(tmp_path: Path) -> Path:
    """A classifier of 8×8 images with three classes, under two kilobytes."""
    path = tmp_path / "small.tflite"
    path.write_bytes(small_classifier().pack())
    return path


@pytest.fixture
def small_float32(tmp_path: Path) -> Path:
    path = tmp_path / "small_float32.tflite"
    path.write_bytes(small_classifier("float32").pack())
    return path
