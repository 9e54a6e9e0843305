# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from edgecxr.cli import boards as command
from edgecxr.cli.main import run
from edgecxr.core import board as core
from edgecxr.core.tflm import ArenaMeasurement, measure_arena
from edgecxr.errors import MissingPackageError


def test_every_board_is_listed(capsys) -> None:
    assert run(["boards"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in core.boards())


def test_one_board_is_shown_with_its_sources(capsys) -> None:
    assert run(["boards", "--board", "nano33"]) == 0
    out = capsys.readouterr().out
    assert "983,040 bytes" in out
    assert "2341:805a (application)" in out
    words = " ".join(out.split())
    assert all(source in words for source in core.find_board("nano33").sources.values())


def test_an_unknown_board_is_a_usage_error(capsys) -> None:
    assert run(["boards", "--board", "nano33ble"]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err == "edgecxr: there is no board 'nano33ble'; did you mean nano33?\n"


def test_a_bundle_fits_or_is_short_to_the_byte(tiny_bundle, capsys) -> None:
    assert run(["boards", str(tiny_bundle), "--board", "microbit"]) == 0
    out = capsys.readouterr().out
    need = measure_arena(tiny_bundle / "float32.tflite").bytes_used + 4096 + 1024
    assert f"float32 RAM: {need:,} of 16,384 bytes, short by {need - 16_384:,}." in out
    assert "An estimate for TFLM" in out
    for basis in ("measured", "estimated", "assumed"):
        assert f"\n{basis:<11}{core.BASES[basis][:20]}" in out


def test_the_system_and_the_estimates_are_stated_wherever_a_fit_is(tiny_bundle, capsys) -> None:
    for extra in ([], ["--board", "nrf52840dk"]):
        assert run(["boards", str(tiny_bundle), *extra]) == 0
        out = capsys.readouterr().out
        assert "Zephyr (nrf52840dk)" in out
        assert "4,352" in out
        assert core.BASES["estimated"] in out
    assert run(["boards", str(tiny_bundle), "--board", "nrf52840dk", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["basis"] == core.BASES
    for fit in found["fits"]:
        system = fit["ram"]["parts"][-1]
        assert system == {"what": "Zephyr (nrf52840dk)", "bytes": 4352, "basis": "reference"}


@pytest.mark.parametrize("board", [None, *core.boards()])
def test_lines_fit_a_hundred_columns(tiny_bundle, capsys, monkeypatch, board) -> None:
    big = ArenaMeasurement(9_876_543, head=0, tail=0, pointer_bytes=8, version="")
    monkeypatch.setattr("edgecxr.core.tflm.measure_arena", lambda _: big)
    assert run(["boards", str(tiny_bundle), *(["--board", board] if board else [])]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


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
    expected = "short: RAM 1 B" if spare < 0 else "fits, 0 B of RAM spare"
    assert command._verdict(fit) == expected
