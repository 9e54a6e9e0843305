# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edgecxr.core.board import Board, boards, find_board, fit_tflm
from edgecxr.errors import UsageError

ASKED_FOR = {
    "nano33ble",
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
        assert {"clock_hz", "flash_bytes", "ram_bytes"} <= board.sources.keys()


def test_usb_ids_print_as_lsusb_prints_them() -> None:
    assert "2341:805a" in [str(one) for one in find_board("nano33ble").usb]


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
        ("nano33", "did you mean nano33ble"),
        ("Pico", "did you mean pico"),
        ("an386", "did you mean mps2-an386"),
        ("zzzz", "known are nano33ble, pico"),
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


def test_cores_with_dsp_are_counted_with_cmsis_nn() -> None:
    with_dsp = fit_tflm(find_board("stm32f405"), "int8", MODEL, ARENA)
    without = fit_tflm(find_board("pico"), "int8", MODEL, ARENA)
    assert with_dsp.flash.total - without.flash.total == 46_800 - 40_300


def test_the_arduino_core_takes_its_part() -> None:
    parts = fit_tflm(find_board("nano33ble"), "int8", MODEL, ARENA).flash.parts
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
