# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecxr.cli.main import run
from tests.report.results import results

LABELS = ("a", "b", "c")


@pytest.fixture
def bundles(tmp_path: Path) -> list[str]:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        results(folder, LABELS)
    return list(map(str, folders))


def test_every_bundle_has_its_part(bundles: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", *bundles, "--markdown"]) == 0
    said = capsys.readouterr().out
    assert said.count("60 images of split test.") == 2
    assert run(["report", *bundles, "--markdown", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["evaluations"]) == 2
    assert found["evaluation"] == found["evaluations"][0]


def test_each_bundle_needs_its_images(
    bundles: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    images = ["--data", "x", "--data", "y", "--data", "z"]
    assert run(["report", *bundles, *images, "--markdown"]) == 2
    assert "once for each of the 2 bundles, found it 3 times" in capsys.readouterr().err
    assert run(["report", *bundles]) == 2
