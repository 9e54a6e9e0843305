# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import time
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecxr.bench.device import EXCHANGE_S, Device, check_model
from edgecxr.errors import DeviceError, VerificationError
from tests.bench.simulated import INFO, Faults, FaultyLine, SimulatedDevice, scores_of, ticks_of

RUNS = 5000
MARGIN_S = 0.05


def picture(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (96, 96), np.uint8)


def test_a_good_line_carries_images_and_scores() -> None:
    line = FaultyLine(SimulatedDevice())
    device = Device(line)
    assert device.info.board == "stm32f405"
    for seed in range(3):
        image = picture(seed)
        found = device.classify(image)
        assert found.scores.tolist() == scores_of(image.tobytes())
        assert found.ticks == ticks_of(image.tobytes())
        assert found.image_crc == zlib.crc32(image.tobytes())
    assert device.retries == 0
    assert line.damage == 0


def test_an_image_crosses_at_four_fifths_of_the_line_rate() -> None:
    line = FaultyLine(SimulatedDevice())
    device = Device(line)
    begin = line.time
    device.classify(picture(1))
    transfer = line.time - begin - 0.05
    assert transfer < 9216 * line.BYTE_S / 0.8


class Slow(SimulatedDevice):
    """It computes for longer than a fast device may be silent."""

    def feed(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        wait = 12.0 if data.startswith(b"infer") else 0.0
        return [(delay + wait, said) for delay, said in super().feed(data, now)]


def test_a_slow_device_is_left_in_peace_when_its_exchange_may_take_longer() -> None:
    device = Device(FaultyLine(Slow()), limit_s=60)
    found = device.classify(picture(1))
    assert found.scores.tolist() == scores_of(picture(1).tobytes())
    assert device.retries == 0


def faults_of(random_: random.Random) -> Faults:
    """From a line that loses a byte a minute to one that carries nothing."""
    rate = 10 ** random_.uniform(-6.5, -2.5)
    vanish = random_.randrange(40_000) if random_.random() < 0.1 else None
    return Faults(
        drop=rate * random_.random(),
        double=rate * random_.random(),
        flip=rate * random_.random(),
        delay=rate * random_.random(),
        cut=rate * 0.1 * random_.random(),
        vanish_at=vanish,
    )


def test_no_fault_gives_a_wrong_result_and_every_exchange_ends() -> None:
    good = failed = mended = 0
    sentences = []
    for seed in range(RUNS):
        faults = faults_of(random.Random(seed))
        line = FaultyLine(SimulatedDevice(), faults, seed)
        begin = line.time
        try:
            device = Device(line)
            assert device.info.model_dump() == DEFAULT.model_dump()
            assert line.time - begin <= EXCHANGE_S + MARGIN_S
            for number in range(3):
                image = picture(number)
                begin = line.time
                found = device.classify(image)
                assert found.scores.tolist() == scores_of(image.tobytes()), seed
                assert (found.ticks, found.runs) == (ticks_of(image.tobytes()), 1), seed
                good += 1
            mended += device.retries > 0
        except DeviceError as error:
            failed += 1
            sentences.append(str(error))
        assert line.time - begin <= EXCHANGE_S + MARGIN_S, seed
    assert good > RUNS
    assert all("virtual" in sentence and "\n" not in sentence for sentence in sentences)
    assert mended > RUNS // 10
    assert failed > RUNS // 10


DEFAULT = Device(FaultyLine(SimulatedDevice())).info


class Silent:
    def feed(self, _data: bytes, _now: float) -> list[tuple[float, bytes]]:
        return []

    def tick(self, _now: float) -> list[tuple[float, bytes]]:
        return []


class Says(Silent):
    """Answers whatever it is sent with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def feed(self, _data: bytes, _now: float) -> list[tuple[float, bytes]]:
        return [(0.0, self.answer)]


class Babbles(Silent):
    def tick(self, _now: float) -> list[tuple[float, bytes]]:
        return [(0.0, b"$GPGGA,123519,4807.038,N*47\r\n")]


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (Silent(), "nothing answers on virtual within 10 s"),
        (Says(b"login: "), r"not a board with edgecxr's firmware: .* found 'login: "),
        (Says(b"\x00\xff"), "not a board with edgecxr's firmware"),
        (Babbles(), r"not a board with edgecxr's firmware: .* found '\$GPGGA"),
        (Says(b"e-[Unknown]\r\nm-ready\r\n"), "speaks the protocol but is not edgecxr's firmware"),
        (SimulatedDevice(wire=2), "version 1 of the wire, found 2"),
        (SimulatedDevice(sha256="?"), "m-info is not what this edgecxr expects: sha256"),
    ],
)
def test_what_is_not_ours_is_one_sentence_in_ten_seconds(endpoint, said: str) -> None:
    line = FaultyLine(endpoint)
    with pytest.raises(DeviceError, match=said) as raised:
        Device(line)
    assert raised.value.exit_code == 3
    assert "\n" not in str(raised.value)
    assert line.time <= EXCHANGE_S + MARGIN_S


def test_a_device_that_stops_answering_fails_in_ten_seconds() -> None:
    line = FaultyLine(SimulatedDevice())
    device = Device(line)
    line.device = Silent()
    begin = line.time
    with pytest.raises(DeviceError, match=r"virtual gave no good reply in .*10 s"):
        device.classify(picture(1))
    assert line.time - begin <= EXCHANGE_S + MARGIN_S


def test_a_load_that_is_always_refused_is_tried_three_times_more() -> None:
    class Refuses(SimulatedDevice):
        loads = 0

        def _loaded(self) -> bytes:
            self.loads += 1
            self._raw = None
            return b"e-[CRC mismatch, expected 1, found 2]\r\nm-ready\r\n"

    endpoint = Refuses()
    device = Device(FaultyLine(endpoint))
    with pytest.raises(DeviceError, match="4 tries: the device refused: CRC mismatch, expected 1"):
        device.classify(picture(1))
    assert endpoint.loads == 4


def test_firmware_of_another_model_is_a_mismatch() -> None:
    device = Device(FaultyLine(SimulatedDevice()))
    check_model(device, "int8.tflite", INFO["sha256"])
    with pytest.raises(VerificationError, match=r"'cxr3' \(abababababab") as raised:
        check_model(device, "int8.tflite", "cd" * 32)
    assert raised.value.exit_code == 5


def test_thousands_of_runs_need_no_real_time() -> None:
    begin = time.monotonic()
    line = FaultyLine(Silent())
    with pytest.raises(DeviceError):
        Device(line)
    assert line.time > 9
    assert time.monotonic() - begin < 1
