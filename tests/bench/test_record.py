# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecxr.bench.protocol import DeviceInfo, Inference
from edgecxr.bench.record import Record
from edgecxr.errors import OutputError
from tests.bench.simulated import INFO

FIRMWARE = DeviceInfo.model_validate(INFO)
IMAGES = np.zeros((3, 96, 96), np.uint8)
ANSWER = Inference(np.array([1, -128, 127], np.int8), ticks=5, runs=1, image_crc=7)


def test_answers_come_back(tmp_path: Path) -> None:
    Record(tmp_path, FIRMWARE, IMAGES).add(2, ANSWER)
    found = Record(tmp_path, FIRMWARE, IMAGES).answers
    assert list(found) == [2]
    assert found[2].scores.tolist() == [1, -128, 127]
    assert found[2].scores.dtype == np.int8
    assert (found[2].ticks, found[2].runs, found[2].image_crc) == (5, 1, 7)


def test_a_line_that_was_cut_off_is_no_answer_and_harms_no_other(tmp_path: Path) -> None:
    record = Record(tmp_path, FIRMWARE, IMAGES)
    record.add(0, ANSWER)
    record.add(1, ANSWER)
    whole = record.path.read_text()
    for length in range(len(whole)):
        record.path.write_text(whole[:length])
        again = Record(tmp_path, FIRMWARE, IMAGES)
        kept = len(again.answers)
        assert kept <= 2
        again.add(2, ANSWER)
        assert len(Record(tmp_path, FIRMWARE, IMAGES).answers) == kept + 1, length


@pytest.mark.parametrize("change", [{"compiler": "gcc 13"}, {"board": "nano33"}])
def test_other_firmware_starts_afresh(tmp_path: Path, change: dict[str, str]) -> None:
    Record(tmp_path, FIRMWARE, IMAGES).add(0, ANSWER)
    assert Record(tmp_path, FIRMWARE.model_copy(update=change), IMAGES).answers == {}


def test_other_images_start_afresh(tmp_path: Path) -> None:
    Record(tmp_path, FIRMWARE, IMAGES).add(0, ANSWER)
    assert Record(tmp_path, FIRMWARE, IMAGES + 1).answers == {}


def test_the_stack_that_grows_is_the_same_firmware(tmp_path: Path) -> None:
    Record(tmp_path, FIRMWARE, IMAGES).add(0, ANSWER)
    grown = FIRMWARE.model_copy(update={"stack_bytes": 900})
    assert list(Record(tmp_path, grown, IMAGES).answers) == [0]


def test_forgetting_leaves_nothing(tmp_path: Path) -> None:
    record = Record(tmp_path, FIRMWARE, IMAGES)
    record.add(0, ANSWER)
    record.forget()
    assert record.answers == {}
    assert Record(tmp_path, FIRMWARE, IMAGES).answers == {}


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bench").write_text("a file")
    with pytest.raises(OutputError, match=r"could not be written: .*--cache"):
        Record(tmp_path, FIRMWARE, IMAGES).add(0, ANSWER)
