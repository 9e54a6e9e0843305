# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edgecxr.core.board import BASES, Board, boards, find_board, fit_tflm
from edgecxr.errors import UsageError

ASKED_FOR = {
    "nano33",
    "pico",
    "stm32f405",
    "microbit",
    "nrf52840dk",
    "nucleo_l4r5zi",
    "stm32f746g_disco",
    "esp32s3",
    "mps2-an386",
    "mps3-an547",
}
ARENA = 85_120
MODEL = 300_568


def test_every_board_is_read_with_a_source_for_each_figure() -> None:
    assert boards().keys() == ASKED_FOR
    for board in boards().values():
        assert {"core", "clock_hz", "flash_bytes", "ram_bytes"} <= board.sources.keys()


def test_usb_ids_print_as_lsusb_prints_them() -> None:
    assert "2341:805a" in [str(one) for one in find_board("nano33").usb]


def test_a_figure_without_a_source_is_refused() -> None:
    board = find_board("pico").model_dump()
    del board["sources"]["ram_bytes"]
    with pytest.raises(ValidationError, match="no source for ram_bytes"):
        Board(**board)


@pytest.mark.parametrize(
    "change",
    [{"flash_bytes": 0}, {"fpu": "half"}, {"colour": "blue"}, {"usb": [{"vid": 70000, "pid": 1}]}],
)
def test_a_board_that_makes_no_sense_is_refused(change) -> None:
    with pytest.raises(ValidationError):
        Board(**{**find_board("pico").model_dump(), **change})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("nano33ble", "did you mean nano33?"),
        ("nano3", "did you mean nano33?"),
        ("Pico", "did you mean pico"),
        ("an386", "did you mean mps2-an386"),
        ("zzzz", "known are nano33, pico"),
    ],
)
def test_an_unknown_board_names_close_ones(name, hint) -> None:
    with pytest.raises(UsageError, match=hint) as caught:
        find_board(name)
    assert caught.value.exit_code == 2


def test_the_sum_is_right_to_the_byte() -> None:
    fit = fit_tflm(find_board("microbit"), "int8", MODEL, ARENA)
    assert fit.flash.total == MODEL + 40_300
    assert fit.flash.spare == 262_144 - MODEL - 40_300
    assert fit.ram is not None
    assert fit.ram.spare == 16_384 - (ARENA + 4096 + 1024)
    assert fit.fits is False


@pytest.mark.parametrize(
    ("name", "precision", "code", "basis"),
    [
        ("stm32f405", "int8", 46_800, "reference"),
        ("stm32f405", "float32", 40_300, "estimated"),
        ("stm32f746g_disco", "int8", 46_800, "estimated"),
        ("mps3-an547", "int8", 46_800, "estimated"),
        ("pico", "int8", 40_300, "estimated"),
        ("esp32s3", "float32", 40_300, "estimated"),
    ],
)
def test_only_int8_on_a_cortex_m4_has_a_code_figure_of_its_own(
    name, precision, code, basis
) -> None:
    part = fit_tflm(find_board(name), precision, MODEL, ARENA).flash.parts[1]
    assert (part.bytes, part.basis) == (code, basis)
    assert part.basis in BASES


@pytest.mark.parametrize("name", sorted(ASKED_FOR))
def test_the_system_below_takes_its_part_of_both_memories(name) -> None:
    board = find_board(name)
    fit = fit_tflm(board, "int8", MODEL, ARENA)
    assert fit.ram is not None
    taken = [need.parts[-1] for need in (fit.flash, fit.ram)]
    if board.build_system == "baremetal":
        assert all("(" not in part.what for part in taken)
    else:
        assert [part.bytes for part in taken] == [
            board.platform_flash_bytes,
            board.platform_ram_bytes,
        ]
        assert all(part.what == f"{board.platform} ({name})" for part in taken)
        assert all(part.bytes > 0 for part in taken)


def test_the_arduino_core_takes_its_part() -> None:
    parts = fit_tflm(find_board("nano33"), "int8", MODEL, ARENA).flash.parts
    assert [part.bytes for part in parts] == [MODEL, 46_800, 85_328]


@given(model=st.integers(1, 2**24), arena=st.integers(1, 2**20), name=st.sampled_from([*ASKED_FOR]))
def test_it_fits_if_and_only_if_nothing_is_short(model, arena, name) -> None:
    fit = fit_tflm(find_board(name), "int8", model, arena)
    assert fit.ram is not None
    for need in (fit.flash, fit.ram):
        assert need.total == sum(part.bytes for part in need.parts)
        assert need.total + need.spare == need.available
    assert fit.fits is (fit.flash.spare >= 0 and fit.ram.spare >= 0)


def test_without_an_arena_nothing_is_promised() -> None:
    assert fit_tflm(find_board("esp32s3"), "int8", MODEL, None).fits is None
    assert fit_tflm(find_board("microbit"), "int8", MODEL, None).fits is False
