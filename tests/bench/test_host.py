# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgecxr.bench import host
from edgecxr.bench.host import Pictures, Settings, notes, run
from edgecxr.bench.messages import Request
from edgecxr.bench.runtimes import choose
from edgecxr.core.files import sha256
from edgecxr.core.interpreter import open_interpreter
from edgecxr.core.metrics import wilson
from edgecxr.core.process import export_model, module_command
from edgecxr.core.result import BenchRow
from edgecxr.core.tflm import measure_arena
from edgecxr.errors import DataError

pytestmark = pytest.mark.heavy

QUICK = Settings(runs=5, warmup=1)


@contextmanager
def unwatched(_name: str, _total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _n: None


def truth(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64) % 3


def worker_that_runs(script: str, runtime: str) -> Callable[..., list[str]]:
    """A ``module_command`` whose worker for one runtime runs a script instead."""

    def command(module: str, path: str) -> list[str]:
        if Request.model_validate_json(Path(path).read_text()).runtime == runtime:
            return [sys.executable, "-c", script]
        return module_command(module, path)

    return command


def children() -> set[str]:
    return {
        pid
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


def test_every_runtime_is_measured_on_the_images(tiny_int8, tiny_images) -> None:
    pictures = Pictures(tiny_images, truth(24))
    chosen = choose(["litert", "litert-reference", "tflm"])
    rows, missing = run({"int8": tiny_int8}, chosen, pictures, QUICK, progress=unwatched)
    assert missing == []
    assert [row.runtime for row in rows] == ["litert", "litert-reference", "tflm"]
    for row in rows:
        assert row.error is None
        assert row.device == "host"
        assert row.images == 24
        assert row.latency_ms is not None
        assert row.latency_ms.runs == 5
        assert row.model_sha256 == sha256(tiny_int8)
        assert row.model_bytes == tiny_int8.stat().st_size
        assert row.peak_memory_bytes is not None
        assert row.flash_bytes is row.ram_bytes is row.stack_bytes is row.instructions is None
    assert [row.arena_bytes for row in rows] == [None, None, measure_arena(tiny_int8).bytes_used]


def test_the_compiled_runtime_says_its_planned_arena(tiny_int8, tmp_path) -> None:
    planned = export_model(tiny_int8, tmp_path / "c", "--format", "c")["arena_bytes"]
    rows, _ = run({"int8": tiny_int8}, choose(["compiled"]), None, QUICK, progress=unwatched)
    assert [row.arena_bytes for row in rows] == [planned]
    assert any("planned at export" in line for line in notes(rows))


def test_accuracy_is_that_of_the_same_model_run_here(tiny_float32, tiny_images) -> None:
    pictures = Pictures(tiny_images, truth(24))
    rows, _ = run(
        {"float32": tiny_float32}, choose(["litert"]), pictures, QUICK, progress=unwatched
    )
    called = open_interpreter(tiny_float32).scores(tiny_images).argmax(axis=1)
    right = int((called == truth(24)).sum())
    assert rows[0].accuracy == right / 24
    assert rows[0].accuracy_ci95 == wilson(right, 24)


def test_the_host_agrees_with_itself(tiny_int8, tiny_images) -> None:
    pictures = Pictures(tiny_images, truth(24))
    rows, _ = run(
        {"int8": tiny_int8}, choose(["litert-reference"]), pictures, QUICK, progress=unwatched
    )
    assert rows[0].agreement_with_host == rows[0].bit_exact_with_host == 1
    assert rows[0].max_score_difference == 0


def test_without_images_accuracy_is_unknown(tiny_int8) -> None:
    rows, _ = run({"int8": tiny_int8}, choose(["litert"]), None, QUICK, progress=unwatched)
    assert rows[0].latency_ms is not None
    assert rows[0].images is rows[0].accuracy is rows[0].agreement_with_host is None
    assert any("random pixels" in note for note in notes(rows))


def test_a_runtime_that_dies_leaves_the_others_alone(monkeypatch, tiny_int8, tiny_images) -> None:
    command = worker_that_runs("import os; os.abort()", "tflm")
    monkeypatch.setattr(host, "module_command", command)
    pictures = Pictures(tiny_images, truth(24))
    rows, _ = run(
        {"int8": tiny_int8}, choose(["tflm", "litert"]), pictures, QUICK, progress=unwatched
    )
    assert rows[0].error is not None
    assert "tflm could not run" in rows[0].error
    assert "SIGABRT" in rows[0].error
    assert rows[0].accuracy is rows[0].latency_ms is None
    assert rows[1].error is None
    assert rows[1].agreement_with_host is not None


def test_a_reference_that_dies_costs_only_the_comparison(
    monkeypatch, tiny_int8, tiny_images
) -> None:
    command = worker_that_runs("raise ValueError('no good')", "litert-reference")
    monkeypatch.setattr(host, "module_command", command)
    pictures = Pictures(tiny_images, truth(24))
    rows, _ = run({"int8": tiny_int8}, choose(["litert"]), pictures, QUICK, progress=unwatched)
    assert rows[0].accuracy is not None
    assert rows[0].agreement_with_host is None


def test_a_runtime_that_is_not_installed_has_no_row_but_a_reason(tiny_int8) -> None:
    if choose(["tflite-runtime"])[0].package is not None:
        pytest.skip("tflite-runtime is installed here")
    rows, missing = run(
        {"int8": tiny_int8}, choose(["tflite-runtime"]), None, QUICK, progress=unwatched
    )
    assert rows == []
    assert len(missing) == 1
    assert missing[0].startswith("tflite-runtime is not available here")


def test_a_silent_worker_is_ended(monkeypatch, tiny_int8) -> None:
    command = worker_that_runs("import signal; signal.pause()", "litert")
    monkeypatch.setattr(host, "module_command", command)
    monkeypatch.setattr(host, "STALL_S", 0.2)
    rows, _ = run({"int8": tiny_int8}, choose(["litert"]), None, QUICK, progress=unwatched)
    assert rows[0].error == "litert said nothing for 0.2 s and was ended"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interruption_leaves_no_worker(tiny_int8, tiny_images) -> None:
    before = children()
    seen: list[set[str]] = []

    @contextmanager
    def interrupting(_name: str, _total: int) -> Iterator[Callable[[int], None]]:
        def interrupt(_n: int) -> None:
            seen.append(children() - before)
            raise KeyboardInterrupt

        yield interrupt

    pictures = Pictures(tiny_images, truth(24))
    with pytest.raises(KeyboardInterrupt):
        run({"int8": tiny_int8}, choose(["tflm"]), pictures, QUICK, progress=interrupting)
    assert len(seen[0]) == 1
    assert children() == before


@pytest.mark.parametrize(("same", "said"), [(0.0, True), (0.9, True), (1.0, False), (None, False)])
def test_other_rounding_is_explained_where_it_shows(same, said) -> None:
    row = BenchRow(
        device="host",
        runtime="tflm",
        precision="int8",
        model_bytes=1,
        model_sha256="ab",
        bit_exact_with_host=same,
    )
    assert any("rounds twice" in note for note in notes([row])) is said


def test_no_images_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="at least one image"):
        Pictures(np.empty((0, 96, 96), np.uint8), truth(0))
