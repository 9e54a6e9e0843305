# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from edgecxr.bench import worker
from edgecxr.bench.messages import Measured, Message, Request, Step, parse_message
from edgecxr.bench.worker import in_steps, measure, time_single_runs
from edgecxr.core.interpreter import open_interpreter
from edgecxr.errors import ModelError


def request_for(model: Path, folder: Path, images: Path | None, **changes: object) -> Request:
    known = Request(
        runtime="litert",
        model=model,
        images=images,
        raw_scores=folder / "raw.npy",
        scores=folder / "scores.npy",
        runs=5,
        warmup=2,
        threads=1,
    )
    return known.model_copy(update=changes)


def test_every_run_is_timed_and_the_collector_is_on_again(tiny_int8, tiny_images) -> None:
    interpreter = open_interpreter(tiny_int8)
    steps: list[int] = []
    latency = time_single_runs(interpreter, tiny_images[:3], 50, 4, steps.append)
    assert 0 < latency.min <= latency.p50 <= latency.p95 <= latency.max
    assert (latency.runs, latency.warmup, sum(steps)) == (50, 4, 54)
    assert gc.isenabled()


def test_a_worker_writes_the_scores_of_every_image(tiny_int8, tiny_images, tmp_path) -> None:
    images = tmp_path / "images.npy"
    np.save(images, tiny_images)
    told: list[Message] = []
    found = measure(request_for(tiny_int8, tmp_path, images), told.append)
    expected = open_interpreter(tiny_int8)
    np.testing.assert_array_equal(np.load(tmp_path / "raw.npy"), expected.raw(tiny_images))
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), expected.scores(tiny_images))
    assert sum(step.inferences for step in told if isinstance(step, Step)) == 7 + len(tiny_images)
    assert found.interpreter.name == expected.name


def test_without_images_only_the_latency_is_measured(tiny_float32, tmp_path) -> None:
    found = measure(request_for(tiny_float32, tmp_path, None), lambda _: None)
    assert found.latency_ms is not None
    assert not (tmp_path / "raw.npy").exists()


def test_without_runs_there_is_no_latency(tiny_float32, tmp_path) -> None:
    found = measure(request_for(tiny_float32, tmp_path, None, runs=0), lambda _: None)
    assert found.latency_ms is None


def test_a_bad_model_is_refused(tmp_path) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"nothing")
    with pytest.raises(ModelError):
        measure(request_for(bad, tmp_path, None), lambda _: None)


def test_steps_add_up_and_are_few(monkeypatch) -> None:
    seconds = iter(range(1000))
    monkeypatch.setattr(worker.time, "monotonic", lambda: next(seconds) * 0.1)
    told: list[Message] = []
    with in_steps(told.append) as advance:
        for _ in range(37):
            advance(1)
    steps = [step.inferences for step in told if isinstance(step, Step)]
    assert sum(steps) == 37
    assert len(steps) < 15


def test_messages_come_back_as_what_they_were(tiny_float32, tmp_path) -> None:
    found = measure(request_for(tiny_float32, tmp_path, None), lambda _: None)
    for message in (found, Step(inferences=3)):
        assert parse_message.validate_json(message.model_dump_json()) == message
    assert isinstance(found, Measured)
