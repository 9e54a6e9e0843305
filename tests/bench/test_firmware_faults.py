# SPDX-License-Identifier: Apache-2.0
"""The real firmware behind a line with faults: right results or a sentence, within ten seconds."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecxr.bench.device import EXCHANGE_S, Device
from edgecxr.bench.protocol import BAUD, Inference
from edgecxr.core.files import sha256
from edgecxr.errors import DeviceError
from tests.bench.simulated import Faults, FaultyLine
from tests.bench.test_device import MARGIN_S, faults_of
from tests.bench.virtual_firmware import Firmware, build
from tests.bundles import write_bundle

pytestmark = pytest.mark.heavy

RUNS = 500
USB_TURN_S = 0.016
"""The longest that a USB serial chip keeps a few bytes back (FTDI's default latency timer)."""


@pytest.fixture(scope="module")
def bundle(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "tiny", tiny_models).folder


@pytest.fixture(scope="module", params=[True, False], ids=["keeps images", "streams"])
def program(
    bundle: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    return build(bundle, tmp_path_factory.mktemp("firmware"), keep_image=request.param)


@pytest.fixture(scope="module")
def truth(program: Path, tiny_images: NDArray[np.uint8]) -> list[Inference]:
    """What a line without faults gives for three images."""
    with Firmware(program) as firmware:
        device = Device(FaultyLine(firmware))
        found = [device.classify(image) for image in tiny_images[:3]]
    assert device.retries == 0
    assert len({tuple(answer.scores.tolist()) for answer in found}) == 3
    return found


def test_the_firmware_says_what_it_runs(program: Path, bundle: Path) -> None:
    with Firmware(program) as firmware:
        info = Device(FaultyLine(firmware)).info
    assert info.sha256 == sha256(bundle / "int8.tflite")
    assert (info.board, info.precision, info.runtime) == ("virtual", "int8", "compiled")
    assert (info.labels, info.input) == (("a", "b", "c"), (96, 96, 1))


def test_warmup_is_not_part_of_the_time(
    program: Path, tiny_images: NDArray[np.uint8], truth: list[Inference]
) -> None:
    with Firmware(program) as firmware:
        device = Device(FaultyLine(firmware))
        if not device.info.keeps_image:
            with pytest.raises(DeviceError, match="4 tries: the device refused infer 1 5%: "):
                device.classify(tiny_images[0], warmup=5)
            return
        found = device.classify(tiny_images[0], warmup=5)
    assert found.ticks == truth[0].ticks


def test_no_fault_gives_a_wrong_result_and_every_exchange_ends(
    program: Path, tiny_images: NDArray[np.uint8], truth: list[Inference]
) -> None:
    good = mended = 0
    sentences = []
    for seed in range(RUNS):
        with Firmware(program) as firmware:
            line = FaultyLine(firmware, faults_of(random.Random(seed)), seed)
            begin = line.time
            try:
                device = Device(line)
                for image, right in zip(tiny_images, truth, strict=False):
                    assert line.time - begin <= EXCHANGE_S + MARGIN_S, seed
                    begin = line.time
                    found = device.classify(image)
                    assert found.scores.tolist() == right.scores.tolist(), seed
                    assert (found.ticks, found.runs) == (right.ticks, 1), seed
                    good += 1
                mended += device.retries > 0
            except DeviceError as error:
                sentences.append(str(error))
            assert line.time - begin <= EXCHANGE_S + MARGIN_S, seed
    assert good > RUNS // 2
    assert mended > RUNS // 20
    assert len(sentences) > RUNS // 10
    assert all("virtual" in sentence and "\n" not in sentence for sentence in sentences)


def test_a_board_that_loses_power_and_comes_back_is_found_again(
    program: Path, tiny_images: NDArray[np.uint8], truth: list[Inference]
) -> None:
    with Firmware(program) as first, Firmware(program) as second:
        line = FaultyLine(first, Faults())
        device = Device(line)
        line.device = second
        found = device.classify(tiny_images[1])
    assert found.scores.tolist() == truth[1].scores.tolist()


@pytest.mark.parametrize("keep_image", [True, False])
def test_a_clock_of_cycles_keeps_the_laps_in_microseconds(
    bundle: Path, tmp_path: Path, tiny_images: NDArray[np.uint8], keep_image: bool
) -> None:
    hz = 168_000_000
    flags = ('-DCLOCK="cycles"', f"-DCORE_HZ={hz}u")
    program = build(bundle, tmp_path, keep_image=keep_image, flags=flags)
    with Firmware(program) as firmware:
        line = Listening(FaultyLine(firmware))
        device = Device(line)
        found = device.classify(tiny_images[0])
        if keep_image:
            assert device.demo()[0].found.ticks == found.ticks
    assert device.info.clock == "cycles"
    start, end = (int(lap) for lap in re.findall(rb"m-lap-us-(\d+)", line.heard)[-2:])
    assert found.ticks % 12345 == 0  # a look at the virtual clock
    assert found.ticks > 12345
    assert abs((end - start) - found.ticks * 1e6 / hz) <= 1


class Listening:
    """A line whose bytes are counted, and the turns: something sent, then something awaited."""

    def __init__(self, line: FaultyLine) -> None:
        self.line, self.name = line, line.name
        self.heard = self.sent = b""
        self.turns = 0
        self._sending = False

    def now(self) -> float:
        return self.line.now()

    def read(self, timeout_s: float) -> bytes:
        self._sending = False
        data = self.line.read(timeout_s)
        self.heard += data
        return data

    def write(self, data: bytes, timeout_s: float) -> None:
        self.turns += not self._sending
        self._sending = True
        self.sent += data
        self.line.write(data, timeout_s)


def test_an_image_costs_little_more_than_its_bytes(
    program: Path, tiny_images: NDArray[np.uint8]
) -> None:
    with Firmware(program) as firmware:
        line = Listening(FaultyLine(firmware))
        device = Device(line)
        if not device.info.db_raw:
            return  # in hexadecimal digits it is more than twice as much
        line.heard, line.sent, line.turns = b"", b"", 0
        device.classify(tiny_images[0])
    byte_s = 10 / BAUD
    spent_s = (len(line.sent) + len(line.heard)) * byte_s + line.turns * USB_TURN_S
    print(f"{len(line.sent)} bytes sent, {len(line.heard)} received, {line.turns} turns")
    assert line.turns == 3
    assert tiny_images[0].size * byte_s >= 0.8 * spent_s
