# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from edgecxr.core.bundle import Bundle
from edgecxr.deploy.build import build
from edgecxr.errors import MissingPackageError, UsageError

CXR3 = Path(__file__).parents[2] / "models" / "cxr3"


def test_a_board_whose_tool_is_missing_is_refused_before_any_work(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingPackageError, match=r"arduino-cli 1\.3 or newer was not found"):
        build(Bundle.open(CXR3), "nano33", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_tflm_is_no_runtime_of_a_bare_metal_board(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected compiled for microbit"):
        build(Bundle.open(CXR3), "microbit", runtime="tflm", folder=tmp_path)
    assert not list(tmp_path.iterdir())
