# SPDX-License-Identifier: Apache-2.0
"""Writing firmware with arduino-cli and west: which board, which arguments, what fails how."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgecxr.core.board import find_board
from edgecxr.core.ports import Port
from edgecxr.deploy.build import Image
from edgecxr.deploy.flash import check_fits, way_of
from edgecxr.deploy.flash_way import Target, Way, Wish
from edgecxr.errors import DeviceError, FlashError, MissingPackageError, UsageError
from tests.deploy.programs import arduino_cli, west
from tests.deploy.simulated import IN_BOOTLOADER, NANO, Plan, Simulated, terminals

OTHER_NANO = Port("/dev/ttyACM5", 0x2341, 0x805A, "B2", "1-2")
PICO = Port("/dev/ttyACM6", 0x2E8A, 0x000A, "E6", "1-3")
BRIDGE = Port("/dev/ttyUSB0", 0x10C4, 0xEA60, "0001", "1-4", "CP2102")
ST_LINK = Port("/dev/ttyACM7", 0x0483, 0x374B, "066D", "2-1")
NO_TOUCH = [
    "--upload-property",
    "upload.use_1200bps_touch=false",
    "--upload-property",
    "upload.wait_for_upload_port=false",
]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch) -> Path:
    """A folder that is first on PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def image_for(board: str, **changes: int | None) -> Image:
    sizes: dict[str, Any] = {"flash_bytes": 300_000, "ram_bytes": 15_000, **changes}
    return Image(
        path=Path("built/cxr3.elf"),
        build_folder=Path("built"),
        board=board,
        precision="int8",
        runtime="compiled",
        model_sha256="0" * 64,
        sketch=Path("sketch"),
        **sizes,
    )


def way(board: str, bench: Simulated, port: str | None = None) -> Way:
    return way_of(find_board(board), Wish(port, computer=bench.computer()))


def attached(*ports: Port) -> Simulated:
    return Simulated({port.device: port for port in ports})


def silent(_share: float) -> None:
    """No progress is shown."""


def test_a_board_that_exists_in_an_emulator_only_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected one of nano33, .*edgecxr emulate"):
        way("mps2-an386", attached())


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"flash_bytes": 983_041}, "needs 1 bytes more flash than the 983,040 of nano33"),
        ({"ram_bytes": 300_000}, "needs 37,856 bytes more RAM than the 262,144 of nano33"),
        ({"flash_bytes": None}, "how many bytes of flash cxr3 in int8 takes"),
    ],
)
def test_an_image_without_room_is_refused_with_the_bytes_it_is_short(sizes, said: str) -> None:
    with pytest.raises(FlashError, match=said) as raised:
        check_fits(find_board("nano33"), image_for("nano33", **sizes), "cxr3 in int8")
    assert raised.value.exit_code == 4


def test_an_image_that_fills_the_board_exactly_fits() -> None:
    full = image_for("nano33", flash_bytes=983_040, ram_bytes=262_144)
    check_fits(find_board("nano33"), full, "cxr3 in int8")


@pytest.mark.parametrize(("board", "tool"), [("nano33", "arduino-cli 1.3"), ("pico", "arduino")])
def test_a_missing_program_names_itself(board: str, tool: str, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingPackageError, match=rf"{tool}.* was not found; get it from"):
        way(board, attached()).check()
    with pytest.raises(MissingPackageError, match=r"west 1.0 or newer .*pip install west"):
        way("stm32f746g_disco", attached()).check()


def test_a_program_that_is_there_is_enough(programs: Path) -> None:
    arduino_cli(programs)
    way("nano33", attached()).check()


@pytest.mark.parametrize(
    ("ports", "asked", "said"),
    [
        ((), None, r"2341:805a .*found none; plug it in .*RESET button twice"),
        ((PICO, BRIDGE), None, r"found /dev/ttyACM6 \(Raspberry Pi Pico.*/dev/ttyUSB0 \(CP2102"),
        ((NANO, OTHER_NANO), None, r"found 2: .*number A1.* /dev/ttyACM5.*B2.*choose with --port"),
        ((PICO,), "/dev/ttyACM6", r"expected Arduino Nano .*, found /dev/ttyACM6 \(Raspberry"),
        ((PICO,), "/dev/ttyACM9", r"there is no port /dev/ttyACM9; attached: /dev/ttyACM6"),
    ],
)
def test_no_board_several_or_another_one_is_exit_3(ports, asked, said: str) -> None:
    with pytest.raises(DeviceError, match=said) as raised:
        way("nano33", attached(*ports), asked).find()
    assert raised.value.exit_code == 3


def test_the_only_board_of_the_kind_is_found_among_others() -> None:
    assert way("nano33", attached(OTHER_NANO, PICO, BRIDGE)).find().port == OTHER_NANO.device


def test_a_port_may_be_named_by_a_link(tmp_path: Path) -> None:
    with terminals(1) as (terminal,):
        link = tmp_path / "by-id"
        link.symlink_to(terminal.name)
        nano = replace(NANO, device=terminal.name)
        assert way("nano33", attached(nano), str(link)).find().usb == nano


def test_a_usb_to_serial_chip_may_be_any_board(programs: Path) -> None:
    program = arduino_cli(programs)
    esp = way("esp32s3", attached(BRIDGE), BRIDGE.device)
    target = esp.find()
    assert esp.write(image_for("esp32s3"), target, silent) == BRIDGE.device
    (call,) = program.calls
    assert call[call.index("--port") + 1] == BRIDGE.device
    assert "--upload-property" not in call


def test_a_nano_is_touched_written_and_found_again(programs: Path) -> None:
    program = arduino_cli(programs)
    with terminals(1) as (terminal,):
        nano = replace(NANO, device=terminal.name)
        bootloader = replace(IN_BOOTLOADER, device="/dev/ttyACM1")
        back = replace(NANO, device="/dev/ttyACM2")
        # After the 2.75 s of the touch: the upload takes no time here, then the board restarts.
        plan = Plan([(0.3, None), (1.1, bootloader), (4.0, None), (5.0, back)])
        bench = Simulated({"nano": nano, "other": OTHER_NANO}, {nano.device: ("nano", plan)})
        nano33 = way("nano33", bench, nano.device)
        assert nano33.write(image_for("nano33"), nano33.find(), silent) == back.device
    assert bench.touched == [nano.device]
    (call,) = program.calls
    assert call[:4] == ["upload", "sketch", "--profile", "nano33"]
    assert call[4:] == ["--port", "/dev/ttyACM1", "--input-dir", "built", *NO_TOUCH]


def test_a_nano_in_its_bootloader_is_written_without_a_touch(programs: Path) -> None:
    program = arduino_cli(programs)
    bootloader = replace(IN_BOOTLOADER, device="/dev/ttyACM1")
    back = replace(NANO, device="/dev/ttyACM0")
    bench = attached(bootloader)
    bench.events = [(1.0, bootloader.device, back)]
    nano33 = way("nano33", bench)
    assert nano33.write(image_for("nano33"), nano33.find(), silent) == back.device
    assert (bench.touched, len(program.calls)) == ([], 1)


def test_a_failed_upload_says_what_the_tool_said_and_is_exit_4(programs: Path) -> None:
    arduino_cli(programs, says="Device : nRF52840\nNo device found on ttyACM1\n", code=1)
    nano33 = way("nano33", attached(replace(IN_BOOTLOADER, device="/dev/ttyACM1")))
    said = r"on /dev/ttyACM1: No device found on ttyACM1; press its RESET button twice"
    with pytest.raises(FlashError, match=said) as raised:
        nano33.write(image_for("nano33"), nano33.find(), silent)
    assert raised.value.exit_code == 4


def test_a_dry_run_of_a_nano_says_the_touch_and_the_command() -> None:
    nano33 = way("nano33", attached(replace(NANO, device="/dev/ttyACM0")))
    touch, upload = nano33.steps(image_for("nano33"), nano33.find())
    assert touch.startswith("# touch /dev/ttyACM0 at 1200 baud; the bootloader (2341:005a) comes")
    assert upload.startswith("arduino-cli upload sketch --profile nano33 --port BOOTL")
    assert "PORT" in nano33.steps(image_for("nano33"), None)[0]


def test_west_writes_the_build_folder(programs: Path) -> None:
    program = west(programs)
    disco = way("stm32f746g_disco", attached(ST_LINK, PICO))
    assert disco.write(image_for("stm32f746g_disco"), disco.find(), silent) == ST_LINK.device
    assert program.calls == [["flash", "--build-dir", "built"]]
    assert disco.steps(image_for("stm32f746g_disco"), None) == ["west flash --build-dir built"]


def test_west_is_told_the_probe_where_there_are_two() -> None:
    second = replace(ST_LINK, device="/dev/ttyACM8", serial_number="0670")
    disco = way("stm32f746g_disco", attached(ST_LINK, second), second.device)
    target = disco.find()
    assert target == Target(second.device, usb=second, probe="0670")
    (step,) = disco.steps(image_for("stm32f746g_disco"), target)
    assert step == "west flash --build-dir built --dev-id 0670"


def test_a_failed_west_is_exit_4(programs: Path) -> None:
    west(programs, says="-- runners.openocd: init\nError: open failed", code=1)
    disco = way("stm32f746g_disco", attached(ST_LINK))
    with pytest.raises(FlashError, match=r"west could not write .*: Error: open failed; run `west"):
        disco.write(image_for("stm32f746g_disco"), disco.find(), silent)
