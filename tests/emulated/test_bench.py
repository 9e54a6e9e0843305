# SPDX-License-Identifier: Apache-2.0
"""``edgecxr bench`` over emulated boards: the reference bundle's images, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecxr.cli.main import run
from edgecxr.core.result import BenchResult
from tests.emulated.conftest import CXR3
from tests.emulated.test_dsp_bits import pictures

pytestmark = pytest.mark.heavy

LABELS = ("COVID-19", "Normal", "Virus")
IMAGES = 30
BOARDS = {"mps2-an386": (4 << 20, 4 << 20), "stm32f405": (1 << 20, 128 << 10)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGECXR_CACHE", str(tmp_path / "cache"))
    for index, image in enumerate(pictures(IMAGES)):
        place = tmp_path / "pictures" / "test" / LABELS[index % 3]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(image)).save(place / f"{index}.png")
    return tmp_path / "pictures"


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_every_score_of_a_board_is_the_hosts(
    board: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["bench", str(CXR3.parent), "--data", str(folder), "--precision", "int8", "--json"]
    assert run([*asked, "--device", f"emulator:{board}"]) == 0
    (row,) = BenchResult.model_validate_json(capsys.readouterr().out).rows
    assert (row.device, row.runtime, row.images) == (f"emulator:{board}", "compiled", IMAGES)
    assert row.compared_with == "tflm"
    assert row.bit_exact_with_host == row.agreement_with_host == 1
    assert row.latency_ms is None  # an emulator has no milliseconds
    assert row.instructions is not None
    assert 5_000_000 < row.instructions < 8_800_000
    flash, ram = BOARDS[board]
    assert row.flash_bytes is not None
    assert row.model_bytes / 2 < row.flash_bytes <= flash
    assert row.ram_bytes is not None
    assert row.stack_bytes is not None
    assert row.stack_bytes > 0
    assert row.ram_bytes + row.stack_bytes <= ram
