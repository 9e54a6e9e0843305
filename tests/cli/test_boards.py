# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from edgecxr.cli import boards as command
from edgecxr.cli.main import run
from edgecxr.core import board as core
from edgecxr.core.tflm import measure_arena
from edgecxr.errors import MissingPackageError


def test_every_board_is_listed(capsys) -> None:
    assert run(["boards"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in core.boards())


def test_one_board_is_shown_with_its_sources(capsys) -> None:
    assert run(["boards", "--board", "nano33ble"]) == 0
    out = capsys.readouterr().out
    assert "983,040 bytes" in out
    assert "2341:805a (application)" in out
    assert all(source in out for source in core.find_board("nano33ble").sources.values())


def test_an_unknown_board_is_a_usage_error(capsys) -> None:
    assert run(["boards", "--board", "nano33"]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err == "edgecxr: there is no board 'nano33'; did you mean nano33ble?\n"


def test_a_bundle_fits_or_is_short_to_the_byte(tiny_bundle, capsys) -> None:
    assert run(["boards", str(tiny_bundle), "--board", "microbit"]) == 0
    out = capsys.readouterr().out
    need = measure_arena(tiny_bundle / "float32.tflite").bytes_used + 4096 + 1024
    assert f"float32 RAM: {need:,} of 16,384 bytes, short by {need - 16_384:,}." in out
    assert "An estimate for TFLM" in out
    for basis in ("measured", "reference", "assumed"):
        assert basis in out


def test_json_has_a_verdict_for_each_board_and_file(tiny_bundle, capsys) -> None:
    assert run(["boards", str(tiny_bundle), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [board["id"] for board in found["boards"]] == list(core.boards())
    fits = {(fit["board"], fit["precision"]): fit for fit in found["fits"]}
    assert len(fits) == 2 * len(core.boards())
    assert fits["microbit", "float32"]["fits"] is False
    assert fits["nucleo_l4r5zi", "int8"]["fits"] is True
    assert fits["nucleo_l4r5zi", "int8"]["ram"]["parts"][0]["basis"] == "measured"


def test_without_tflm_the_ram_is_unknown(tiny_bundle, capsys, monkeypatch) -> None:
    def missing(_: object) -> None:
        raise MissingPackageError("this needs tflite-micro")

    monkeypatch.setattr("edgecxr.core.tflm.measure_arena", missing)
    assert run(["boards", str(tiny_bundle)]) == 0
    found = capsys.readouterr()
    assert "flash fits, RAM unknown" in found.out
    assert "The arena was not measured: this needs tflite-micro" in found.err


def test_a_bundle_that_is_none_is_one_sentence(tmp_path, capsys) -> None:
    assert run(["boards", str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == 1
    assert "is not a bundle" in found["error"]


@pytest.mark.parametrize("spare", [-1, 0])
def test_one_byte_decides(spare) -> None:
    board = core.find_board("stm32f405")
    arena = board.ram_bytes - core.STACK_BYTES - core.IO_BYTES - spare
    fit = core.fit_tflm(board, "int8", 1000, arena)
    expected = "RAM short by 1 B" if spare < 0 else "fits, 0 B of RAM spare"
    assert command._verdict(fit) == expected
