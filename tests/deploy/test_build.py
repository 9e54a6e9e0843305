# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from edgecxr.core.bundle import Bundle
from edgecxr.deploy.build import build
from edgecxr.errors import UsageError

CXR3 = Path(__file__).parents[2] / "models" / "cxr3"


def test_a_board_that_is_not_bare_metal_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nano33 is built with Arduino core"):
        build(Bundle.open(CXR3), "nano33", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_tflm_is_no_runtime_of_a_bare_metal_board(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected compiled for microbit"):
        build(Bundle.open(CXR3), "microbit", runtime="tflm", folder=tmp_path)
    assert not list(tmp_path.iterdir())
