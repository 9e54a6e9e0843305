# SPDX-License-Identifier: Apache-2.0
"""``edgecxr emulate`` as a user starts and ends it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from edgecxr.cli.main import run
from edgecxr.core.process import module_command, module_environment
from edgecxr.errors import EXIT_INTERRUPTED

pytestmark = pytest.mark.heavy

CXR3 = Path(__file__).parents[2] / "models" / "cxr3"
SECONDS = 30
NAME = b"m-name-dut-[edgecxr]\r\n"


def ask(terminal: str, command: bytes) -> bytes:
    """What the terminal says up to the name of the device, or until time is up."""
    line = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    said, end = b"", time.monotonic() + SECONDS
    try:
        os.write(line, command)
        while NAME not in said and time.monotonic() < end:
            try:
                said += os.read(line, 4096)
            except BlockingIOError:
                os.sched_yield()
    finally:
        os.close(line)
    return said


@pytest.mark.parametrize(
    ("board", "tools"),
    [("host", ("cc",)), ("microbit", ("arm-none-eabi-gcc", "qemu-system-arm"))],
)
def test_it_prints_a_terminal_and_ends_on_ctrl_c(board: str, tools: tuple[str, ...]) -> None:
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        pytest.skip(f"needs {' and '.join(missing)}")
    command = module_command("edgecxr", "emulate", "--board", board, "--model", str(CXR3))
    with subprocess.Popen(
        command, env=module_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        terminal = process.stdout.readline().decode().strip()
        assert terminal.startswith("/dev/")
        try:
            assert NAME in ask(terminal, b"name%")
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == EXIT_INTERRUPTED
        finally:
            process.kill()
    assert not Path(terminal).exists()


@pytest.mark.parametrize("board", ["nonsense", "nano33"])
def test_a_board_without_emulator_is_refused_before_any_work(board: str, capsys) -> None:
    assert run(["emulate", "--board", board, "--model", str(CXR3)]) == 2
    err = capsys.readouterr().err
    assert board in err
    assert "Building" not in err
