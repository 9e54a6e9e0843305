# SPDX-License-Identifier: Apache-2.0
"""The real firmware behind a line with faults: right results or a sentence, within ten seconds."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecxr.bench.device import EXCHANGE_S, Device
from edgecxr.bench.protocol import Inference
from edgecxr.core.files import sha256
from edgecxr.errors import DeviceError
from tests.bench.simulated import Faults, FaultyLine
from tests.bench.test_device import MARGIN_S, faults_of
from tests.bench.virtual_firmware import Firmware, build
from tests.bundles import write_bundle

RUNS = 500


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
