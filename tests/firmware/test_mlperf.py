# SPDX-License-Identifier: Apache-2.0
"""What the MLPerf Tiny runner says to a board, word for word and one command at a time.

The runner drives the firmware by hand in an afternoon; this holds the exchange that it needs: each
command is sent when the last one is answered, each line has its time limit, and it reads the name,
the model, two laps in microseconds and the probabilities.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edgecxr.deploy.build import Image

LINE_S = 5.0
INFERENCE_S = 30.0
PIECE = 31
PICTURE = np.random.default_rng(5).integers(0, 256, 96 * 96, dtype=np.uint8).tobytes()


class Runner:
    """The other end of the firmware's pseudo-terminal."""

    def __init__(self, terminal: str) -> None:
        self.line = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
        self.waiting = b""

    def say(self, command: str, limit_s: float = LINE_S) -> list[str]:
        """Send a command and give its answer."""
        os.write(self.line, command.encode() + b"%")
        return self.answer(limit_s)

    def answer(self, limit_s: float = LINE_S) -> list[str]:
        """The lines up to m-ready; each must come within the limit."""
        lines: list[str] = []
        while not lines or "m-ready" not in lines[-1]:
            lines.append(self._next(limit_s))
        return lines

    def _next(self, limit_s: float) -> str:
        end = time.monotonic() + limit_s
        while b"\n" not in self.waiting:
            found, _, _ = select.select([self.line], [], [], max(end - time.monotonic(), 0))
            assert found, f"no line within {limit_s} s, after {self.waiting!r}"
            self.waiting += os.read(self.line, 4096)
        line, _, self.waiting = self.waiting.partition(b"\n")
        assert line.endswith(b"\r")
        return line.decode("ascii").removesuffix("\r")


@pytest.fixture
def runner(host_image: Image) -> Iterator[Runner]:
    with subprocess.Popen([host_image.path, "--pty"], stdout=subprocess.PIPE) as firmware:
        assert firmware.stdout is not None
        opened = Runner(firmware.stdout.readline().decode().strip())
        try:
            assert opened.answer()[-2:] == ["m-init-done", "m-ready"]
            yield opened
        finally:
            os.close(opened.line)
            firmware.terminate()


def one(pattern: str, lines: list[str]) -> str:
    (found,) = [match[1] for line in lines if (match := re.fullmatch(pattern, line))]
    return found


def test_the_runner_finds_the_device_and_its_model(runner: Runner) -> None:
    assert one(r"m-name-dut-\[([^]]+)\]", runner.say("name")) == "edgecxr"
    lines = runner.say("profile")
    assert one(r"m-profile-\[([^]]+)\]", lines) == "ULPMark for tinyML Firmware V0.0.1"
    assert one(r"m-model-\[([^]]+)\]", lines) == "cxr3"


@pytest.mark.parametrize(("runs", "warmup"), [(1, 0), (10, 5)])
def test_the_runner_loads_infers_and_reads(runner: Runner, runs: int, warmup: int) -> None:
    assert runner.say(f"db load {len(PICTURE)}") == [
        f"m-[Expecting {len(PICTURE)} bytes]",
        "m-ready",
    ]
    pieces = [PICTURE[at : at + PIECE].hex() for at in range(0, len(PICTURE), PIECE)]
    answers = [runner.say(f"db {piece}") for piece in pieces]
    assert answers == [["m-ready"]] * (len(pieces) - 1) + [["m-load-done", "m-ready"]]
    begin = time.monotonic()
    lines = runner.say(f"infer {runs} {warmup}", INFERENCE_S)
    elapsed_us = (time.monotonic() - begin) * 1e6
    assert lines[:3] == [f"m-warmup-start-{warmup}", "m-warmup-done", f"m-infer-start-{runs}"]
    start, end = (
        int(match[1]) for line in lines if (match := re.fullmatch(r"m-lap-us-(\d+)", line))
    )
    assert 0 < end - start < elapsed_us
    shares = [float(share) for share in one(r"m-results-\[([^]]+)\]", lines).split(",")]
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(1, abs=0.01)
