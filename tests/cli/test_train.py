# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgecxr.cli.main import run


def test_without_matplotlib_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))
    data = str(tmp_path / "set")
    assert run(["data", "phantom", data, "--train", "4", "--test", "0", "--size", "64"]) == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(["train", data, "--out", str(tmp_path / "m"), "--epochs", "1", "--batch", "2"]) == 1
    err = capsys.readouterr().err
    assert "matplotlib, which is not installed" in err
    assert "epoch" not in err
