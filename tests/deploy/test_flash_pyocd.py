# SPDX-License-Identifier: Apache-2.0
"""Writing firmware with pyOCD: the real package, and probes only where no probe would be none."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgecxr.core.board import boards, find_board
from edgecxr.core.ports import Port
from edgecxr.deploy import flash_pyocd
from edgecxr.deploy.flash import way_of
from edgecxr.deploy.flash_way import Target, Way, Wish
from edgecxr.errors import DeviceError, MissingPackageError
from tests.deploy.simulated import NANO, Simulated
from tests.deploy.test_flash import OTHER_NANO, ST_LINK, attached, image_for, silent

DAPLINK = Port("/dev/ttyACM3", 0x0D28, 0x0204, "9900000031864e45", "1-1", "DAPLink")
JLINK = Port("/dev/ttyACM4", 0x1366, 0x1015, "000683456789", "1-2", "J-Link")
BRIDGE = Port("/dev/ttyUSB0", 0x10C4, 0xEA60, "0001", "1-4", "CP2102")
IN_PACKS = {"stm32f405rgtx", "stm32l4r5zitx"}


@dataclass
class Probe:
    """What is read of a probe before it is opened."""

    unique_id: str
    description: str = "a probe"
    associated_board_info: object = None


def way(board: str, bench: Simulated, port: str | None = None, probe: str | None = None) -> Way:
    return way_of(find_board(board), Wish(port, probe, bench.computer()))


def give(probes: list[Probe], monkeypatch) -> None:
    monkeypatch.setattr(flash_pyocd, "_probes", lambda: probes)


@pytest.fixture
def no_packs(tmp_path: Path, monkeypatch) -> None:
    """A user who has installed no CMSIS pack."""
    pytest.importorskip("pyocd")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.mark.usefixtures("no_packs")
@pytest.mark.parametrize("name", [each.id for each in boards().values() if each.pyocd_target])
def test_pyocd_itself_knows_the_chip_or_says_which_pack_brings_it(name: str) -> None:
    target = find_board(name).pyocd_target
    if target not in IN_PACKS:
        way(name, attached()).check()
        return
    with pytest.raises(MissingPackageError, match=f"`pyocd pack install {target}`"):
        way(name, attached()).check()


def test_a_nucleo_is_the_chip_that_pyocd_takes_it_for() -> None:
    known = pytest.importorskip("pyocd.board.board_ids").BOARD_ID_TO_INFO
    targets = {info.target for info in known.values()}
    assert {find_board(name).pyocd_target for name in ("nucleo_l4r5zi", "nrf52840dk")} <= targets
    assert known["9900"].target == find_board("microbit").pyocd_target


def test_without_pyocd_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyocd.target", None)
    with pytest.raises(MissingPackageError, match=r'needs pyocd, .*install "edgecxr\[flash\]"'):
        way("microbit", attached()).check()


def test_pyocd_without_a_probe_is_exit_3() -> None:
    helpers = pytest.importorskip("pyocd.core.helpers")
    if helpers.ConnectHelper.get_all_connected_probes(blocking=False):
        pytest.skip("a debug probe is attached")
    with pytest.raises(DeviceError, match=r"found none; plug .* udev rules") as raised:
        way("microbit", attached(DAPLINK)).find()
    assert raised.value.exit_code == 3


def test_the_probe_and_the_port_of_one_usb_device_belong_together(monkeypatch) -> None:
    give([Probe("0001"), Probe("9900000031864E45")], monkeypatch)
    found = way("microbit", attached(ST_LINK, DAPLINK, NANO)).find()
    assert found == Target(DAPLINK.device, usb=DAPLINK, probe="9900000031864E45")


def test_a_j_link_leaves_out_the_zeros_of_its_number(monkeypatch) -> None:
    give([Probe("683456789")], monkeypatch)
    assert way("nrf52840dk", attached(DAPLINK, JLINK)).find().port == JLINK.device


def test_a_probe_apart_needs_a_port_where_the_board_answers(monkeypatch) -> None:
    give([Probe("0670FF")], monkeypatch)
    assert way("stm32f405", attached(OTHER_NANO, BRIDGE)).find().port == BRIDGE.device
    assert way("stm32f405", attached(OTHER_NANO), "/dev/ttyS0").find().port == "/dev/ttyS0"
    with pytest.raises(DeviceError, match=r"where STM32F405RG board will answer, found /dev/ttyA"):
        way("stm32f405", attached(OTHER_NANO)).find()


def test_several_probes_are_listed_and_one_can_be_chosen(monkeypatch) -> None:
    give([Probe("AAA1", "ST-Link"), Probe("BBB2", "Picoprobe")], monkeypatch)
    bench = attached(BRIDGE)
    with pytest.raises(DeviceError, match=r"found 2: ST-Link \(AAA1\), .*choose with --probe"):
        way("stm32f405", bench).find()
    assert way("stm32f405", bench, probe="bbb").find().probe == "BBB2"
    with pytest.raises(DeviceError, match="probe with 'CCC' in its id"):
        way("stm32f405", bench, probe="CCC").find()


def test_two_boards_of_a_kind_are_told_apart_by_the_port(monkeypatch) -> None:
    second = Port("/dev/ttyACM9", 0x0D28, 0x0204, "9900000031864e46", "1-7")
    give([Probe(str(DAPLINK.serial_number)), Probe(str(second.serial_number))], monkeypatch)
    bench = attached(DAPLINK, second)
    with pytest.raises(DeviceError, match="found 2"):
        way("microbit", bench).find()
    assert way("microbit", bench, second.device).find().probe == second.serial_number


def test_the_probe_of_another_board_is_refused(monkeypatch) -> None:
    give([Probe(str(ST_LINK.serial_number))], monkeypatch)
    with pytest.raises(DeviceError, match=r"expected BBC micro:bit v1 on .*found .*NUCLEO"):
        way("microbit", attached(ST_LINK)).find()


def test_a_micro_bit_v2_is_not_taken_for_a_v1(monkeypatch) -> None:
    known = pytest.importorskip("pyocd.board.board_ids").BOARD_ID_TO_INFO
    for number, other in (("9900", False), ("9904", True)):
        probe = Probe(str(DAPLINK.serial_number), associated_board_info=known[number])
        give([probe], monkeypatch)
        if not other:
            assert way("microbit", attached(DAPLINK)).find().probe == probe.unique_id
            continue
        with pytest.raises(DeviceError, match=r"the chip nrf51, found micro:bit v2 .*nrf52833"):
            way("microbit", attached(DAPLINK)).find()


def test_a_probe_that_cannot_be_opened_is_exit_3(monkeypatch) -> None:
    errors = pytest.importorskip("pyocd.core.exceptions")

    class Closed(Probe):
        @property
        def associated_board_info(self) -> object:
            raise errors.ProbeError("Unable to open device")

        @associated_board_info.setter
        def associated_board_info(self, _value: object) -> None:
            """Nothing is known of it."""

    give([Closed(str(DAPLINK.serial_number), "DAPLink")], monkeypatch)
    with pytest.raises(DeviceError, match=r"DAPLink .* cannot be opened: Unable to open .*udev"):
        way("microbit", attached(DAPLINK)).find()


def test_a_probe_that_went_during_the_build_is_exit_3(monkeypatch) -> None:
    pytest.importorskip("pyocd")
    give([], monkeypatch)
    microbit = way("microbit", attached(DAPLINK))
    with pytest.raises(DeviceError, match="has gone; plug the board in again"):
        microbit.write(image_for("microbit"), Target("/dev/ttyACM3", probe="9900"), silent)


def test_the_dry_run_says_what_pyocd_would_do_by_hand() -> None:
    microbit = way("microbit", attached())
    target = Target("/dev/ttyACM3", probe="9900")
    (step,) = microbit.steps(image_for("microbit"), target)
    assert step == "pyocd load --target nrf51 --probe 9900 built/cxr3.elf"
    assert "--probe" not in microbit.steps(image_for("microbit"), None)[0]
