# SPDX-License-Identifier: Apache-2.0
"""``edgecxr flash`` from the command line to a board that answers.

The board is the real firmware, run as a program of this computer on a pseudo-terminal. It stands
behind simulated USB ports, and arduino-cli is a program that writes down how it was called.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edgecxr.cli.main import run
from edgecxr.core.bundle import Bundle
from edgecxr.deploy.build import HOST, IMAGE, Image, build
from edgecxr.deploy.emulate import emulated_terminal
from tests.bundles import write_bundle
from tests.deploy.programs import Program, arduino_cli
from tests.deploy.simulated import IN_BOOTLOADER, NANO, Plan, Simulated, Terminal, terminals

pytestmark = pytest.mark.heavy

BOOTLOADER = "/dev/in-bootloader"


@pytest.fixture(scope="module")
def bundle(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "tiny", tiny_models)


@pytest.fixture(scope="module")
def firmware(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(bundle, HOST, folder=tmp_path_factory.mktemp("firmware"))


@pytest.fixture(scope="module")
def answering(firmware: Image) -> Iterator[str]:
    """The terminal where the firmware of the bundle answers."""
    with emulated_terminal(firmware) as (terminal, _):
        yield terminal


@dataclass
class Bench:
    """A computer with one Nano, which runs the bundle's firmware after it was written."""

    simulated: Simulated
    program: Program
    image: Image


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with terminals(1) as (made,):
        yield made


@pytest.fixture
def bench(
    terminal: Terminal, answering: str, firmware: Image, tmp_path: Path, monkeypatch
) -> Bench:
    nano, back = replace(NANO, device=terminal.name), replace(NANO, device=answering)
    in_bootloader = replace(IN_BOOTLOADER, device=BOOTLOADER)
    plan = Plan([(0.3, None), (1.1, in_bootloader), (4.0, back)])
    simulated = Simulated({"nano": nano}, {nano.device: ("nano", plan)})
    monkeypatch.setattr("edgecxr.deploy.bootloader.Computer", simulated.computer)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    image = replace(firmware, board="nano33", flash_bytes=300_000, ram_bytes=60_000)
    image = replace(image, sketch=Path("sketch"))
    made = Bench(simulated, arduino_cli(tmp_path), image)

    def built(_bundle: Bundle, board: str, **_wish: object) -> Image:
        assert board == "nano33"
        return made.image

    monkeypatch.setattr("edgecxr.deploy.build.build", built)
    return made


@pytest.fixture
def flash(bundle: Bundle) -> Callable[..., int]:
    return lambda *more: run(["flash", "--board", "nano33", "--model", str(bundle.folder), *more])


def test_a_board_is_written_and_asked_what_it_runs(bench, flash, bundle, answering, capsys) -> None:
    assert flash("--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verified"] is True
    assert report["port"] == answering
    assert report["model_sha256"] == bundle.manifest.files["int8"].sha256
    assert report["info"]["sha256"] == report["model_sha256"]
    assert (report["flash_bytes"], report["flash_available_bytes"]) == (300_000, 983_040)
    assert (report["dry_run"], report["not_ready"]) == (False, None)
    assert len(bench.simulated.touched) == 1
    (call,) = bench.program.calls
    assert call[call.index("--port") + 1] == BOOTLOADER


def test_a_person_reads_what_was_done(bench, flash, answering, capsys) -> None:
    assert flash() == 0
    out = capsys.readouterr().out
    assert "flash   300,000 of   983,040 bytes, 683,040 spare" in out
    assert f"{answering} runs tiny in int8, SHA-256 " in out
    assert "Not a medical device." in out
    assert len(bench.program.calls) == 1


def test_a_dry_run_touches_nothing(bench, flash, terminal: Terminal, capsys) -> None:
    before = terminal.baud
    assert flash("--dry-run") == 0
    captured = capsys.readouterr()
    assert f"# touch {terminal.name} at 1200 baud" in captured.out
    assert "arduino-cli upload sketch --profile nano33 --port " in captured.out
    assert "no board was touched" in captured.out
    assert (bench.program.calls, bench.simulated.touched) == ([], [])
    assert (terminal.baud, terminal.is_open()) == (before, False)


def test_a_dry_run_needs_no_board(bench, flash, capsys) -> None:
    bench.simulated.boards.clear()
    assert flash("--dry-run", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["port"], report["verified"], report["info"]) == (None, None, None)
    assert "found none" in report["not_ready"]


def test_firmware_of_another_model_is_a_mismatch(bench, flash, capsys) -> None:
    bench.image = replace(bench.image, model_sha256="0" * 64)
    assert flash() == 5
    assert "expected SHA-256 000000000000…, found " in capsys.readouterr().err


def test_firmware_that_does_not_fit_is_not_written(bench, flash, capsys) -> None:
    bench.image = replace(bench.image, flash_bytes=983_040 + 77)
    assert flash("--json") == 4
    error = json.loads(capsys.readouterr().out)["error"]
    assert "tiny in int8 needs 77 bytes more flash than the 983,040 of nano33" in error
    assert (bench.program.calls, bench.simulated.touched) == ([], [])


@pytest.mark.usefixtures("bench")
def test_a_failed_upload_is_exit_4(flash, tmp_path: Path, capsys) -> None:
    arduino_cli(tmp_path, says="SAM-BA operation failed", code=1)
    assert flash() == 4
    assert "could not write Arduino Nano 33 BLE Sense on" in capsys.readouterr().err


def test_two_boards_are_listed_before_anything_is_built(bench, flash, capsys) -> None:
    bench.simulated.boards["second"] = replace(NANO, device="/dev/second", serial_number="B2")
    assert flash() == 3
    err = capsys.readouterr().err
    assert "expected one Arduino Nano 33 BLE Sense, found 2: " in err
    assert "/dev/second" in err
    assert "Building" not in err


def test_a_board_that_does_not_come_back_is_exit_3(bench, flash, terminal, capsys) -> None:
    _, plan = bench.simulated.after_touch[terminal.name]
    plan.steps = plan.steps[:2]
    assert flash() == 3
    assert "was written, but Arduino Nano 33 BLE Sense did not come back" in capsys.readouterr().err


@pytest.mark.parametrize("board", ["nonsense", "mps2-an386"])
def test_a_board_that_cannot_be_flashed_is_refused_before_any_work(board: str, capsys) -> None:
    assert run(["flash", "--board", board]) == 2
    err = capsys.readouterr().err
    assert board in err
    assert "Building" not in err


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")
def test_a_dry_run_builds_the_real_image_and_keeps_it(
    bundle: Bundle, tmp_path: Path, capsys
) -> None:
    asked = ["flash", "--board", "stm32f405", "--model", str(bundle.folder), "--dry-run", "--json"]
    assert run([*asked, "--out", str(tmp_path / "out")]) == 0
    report = json.loads(capsys.readouterr().out)
    image = tmp_path / "out" / "stm32f405-int8" / IMAGE
    assert image.exists()
    assert report["steps"][0].endswith(str(image))
    assert 0 < report["ram_bytes"] < report["ram_available_bytes"]
    assert run([*asked, "--out", str(tmp_path / "out")]) == 1
    assert "is there already" in json.loads(capsys.readouterr().out)["error"]


def test_a_tool_that_cannot_write_bare_metal_is_named(bundle: Bundle, capsys) -> None:
    asked = ["flash", "--board", "microbit", "--model", str(bundle.folder), "--dry-run"]
    assert run([*asked, "--runtime", "tflm"]) == 2
    assert "expected compiled for microbit" in capsys.readouterr().err
