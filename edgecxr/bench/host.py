# SPDX-License-Identifier: Apache-2.0
"""Measures a bundle's models on this host: each runtime and precision in a process of its own."""

from __future__ import annotations

import os
import selectors
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edgecxr.bench.messages import Measured, Message, Refusal, Request, Step, parse_message
from edgecxr.bench.runtimes import REFERENCE, RUNTIMES, Runtime
from edgecxr.core.files import sha256
from edgecxr.core.interpreter import Precision
from edgecxr.core.metrics import wilson
from edgecxr.core.process import module_command, module_environment, why_it_ended
from edgecxr.core.result import BenchRow
from edgecxr.core.tflm import measure_arena
from edgecxr.errors import DataError, ModelError

DEVICE = "host"
STALL_S = 600
"""A worker that says nothing for so long is ended. It speaks several times a second."""

Advance = Callable[[int], None]
Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""``progress(name, inferences)`` yields what to call with each number of inferences done."""


@dataclass(frozen=True)
class Settings:
    """How to measure: timed runs, runs before them, interpreter threads."""

    runs: int = 200
    warmup: int = 20
    threads: int = 1


@dataclass(frozen=True)
class Pictures:
    """What accuracy is measured on: uint8 pixels (N, H, W) and class indices (N,).

    Without the indices, scores are only compared.

    Raises:
        DataError: if there is no image.
    """

    images: NDArray[np.uint8]
    truth: NDArray[np.int64] | None

    def __post_init__(self) -> None:
        if len(self.images) == 0:
            raise DataError("expected at least one image to measure accuracy on, found none")


@dataclass(frozen=True)
class Outcome:
    """What came of one worker. ``scores`` and ``raw`` are None without images."""

    measured: Measured | None
    error: str | None = None
    missing: bool = False
    raw: NDArray[np.generic] | None = None
    scores: NDArray[np.float32] | None = None


Worker = Callable[[Request, Path, Advance], Outcome]
"""Carries out a request, here or elsewhere; the folder is for its own files."""


def _count(pictures: Pictures | None) -> int:
    return 0 if pictures is None else len(pictures.images)


def run(
    models: Mapping[Precision, Path],
    runtimes: Sequence[Runtime],
    pictures: Pictures | None,
    settings: Settings,
    *,
    progress: Progress,
    worker: Worker | None = None,
    device: str = DEVICE,
) -> tuple[list[BenchRow], list[str]]:
    """Measure every model on every runtime, one after the other.

    A runtime that dies of a model, or refuses it, gives a row with an error, and the others go on.

    Args:
        models: the files to run.
        pictures: None to measure latency alone, on random pixels.
        progress: shows how far each row is.
        worker: where another machine does the work; what is compared with is measured here.
        device: its name in the rows.

    Returns:
        The rows, and a sentence for each runtime that is missing there. Those have no row.
    """
    here = worker is None
    place = "here" if here else f"on {device}"
    rows: list[BenchRow] = []
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="edgecxr-bench-") as name:
        bench = _Bench(Path(name), pictures, settings, progress, worker or run_worker, device)
        for precision, model in models.items():
            host = bench.reference(model, precision, timed=here and RUNTIMES[REFERENCE] in runtimes)
            for runtime in runtimes:
                if runtime.name in missing:
                    continue
                known = host if here and runtime.name == REFERENCE and host else None
                outcome = known or bench.measure(runtime, model, precision)
                if outcome.missing and outcome.error:
                    missing[runtime.name] = (
                        f"{runtime.name} is not available {place}: {outcome.error}"
                    )
                    continue
                rows.append(bench.row(runtime, model, precision, outcome, host))
    return rows, list(missing.values())


def notes(rows: Sequence[BenchRow]) -> tuple[str, ...]:
    """What the figures of these rows mean, and what was not measured."""
    done = [row for row in rows if row.error is None]
    lines = ["Each row ran in a process of its own. No figure: not measured."]
    if any(row.accuracy is None for row in done):
        lines.append("No images were given: the latency is that of random pixels.")
    if any(row.agreement_with_host is not None for row in done):
        lines.append(
            "Same class, same bits: against LiteRT's reference kernels here, same file, "
            "same images."
        )
    if any(_rounds_otherwise(row) for row in done):
        lines.append(
            "TFLM rounds twice where LiteRT's reference rounds once in the last layer (int8 "
            "FULLY_CONNECTED), so their scores can differ by a few steps."
        )
    if any(row.latency_ms for row in done):
        lines.append(
            "Latency: one inference at a time, with the copy of its prepared image into the "
            "model; decoding and reading the scores are outside."
        )
    if any(row.arena_bytes and row.runtime == "tflm" for row in done):
        lines.append(
            "Arena of tflm: counted by TFLM on this host; a 32-bit board needs a little less with "
            "the same kernels."
        )
    if any(row.arena_bytes and row.runtime == "compiled" for row in done):
        lines.append("Arena of compiled: as planned at export, the same on every machine.")
    if any(row.peak_memory_bytes for row in done):
        lines.append(
            "Peak: highest resident memory up to the last timed run, Python and libraries "
            "included; of model: the part of it since before the model was loaded."
        )
    return tuple(lines)


def _rounds_otherwise(row: BenchRow) -> bool:
    same = row.bit_exact_with_host
    return row.runtime == "tflm" and row.precision == "int8" and same is not None and same < 1


class _Bench:
    """One benchmark with its temporary folder."""

    def __init__(
        self,
        folder: Path,
        pictures: Pictures | None,
        settings: Settings,
        progress: Progress,
        worker: Worker,
        device: str,
    ) -> None:
        self.folder, self.pictures, self.settings = folder, pictures, settings
        self.progress, self.worker, self.device = progress, worker, device
        self.images: Path | None = None
        if pictures is not None:
            self.images = folder / "images.npy"
            np.save(self.images, pictures.images)

    def reference(self, model: Path, precision: Precision, *, timed: bool) -> Outcome | None:
        """What the host's reference kernels say of the images; None without images."""
        if self.pictures is None:
            return None
        return self.measure(
            RUNTIMES[REFERENCE], model, precision, timed=timed, worker=run_worker, device=DEVICE
        )

    def measure(
        self,
        runtime: Runtime,
        model: Path,
        precision: Precision,
        *,
        timed: bool = True,
        worker: Worker | None = None,
        device: str | None = None,
    ) -> Outcome:
        """Run one worker to its end; without one of its own, where the rows are measured."""
        settings = self.settings
        runs = settings.runs if timed else 0
        request = Request(
            runtime=runtime.name,
            model=model.resolve(),
            images=self.images,
            raw_scores=self.folder / "raw.npy",
            scores=self.folder / "scores.npy",
            runs=runs,
            warmup=settings.warmup,
            threads=settings.threads if runtime.threaded else 1,
        )
        count = (runs + settings.warmup if runs else 0) + _count(self.pictures)
        where = device or self.device
        what = f"{runtime.name} {precision}" + ("" if where == DEVICE else f" on {where}")
        with self.progress(what, count) as advance:
            outcome = (worker or self.worker)(request, self.folder, advance)
        if outcome.measured is None or self.images is None:
            return outcome
        return Outcome(
            outcome.measured, raw=np.load(request.raw_scores), scores=np.load(request.scores)
        )

    def row(
        self,
        runtime: Runtime,
        model: Path,
        precision: Precision,
        outcome: Outcome,
        host: Outcome | None,
    ) -> BenchRow:
        known = BenchRow(
            device=self.device,
            runtime=runtime.name,
            precision=precision,
            model_bytes=model.stat().st_size,
            model_sha256=sha256(model),
            error=outcome.error,
        )
        measured = outcome.measured
        if measured is None:
            return known
        figures: dict[str, object] = {
            "interpreter": measured.interpreter,
            "threads": self.settings.threads if runtime.threaded else 1,
            "arena_bytes": _arena(model) if runtime.name == "tflm" else measured.arena_bytes,
            "latency_ms": measured.latency_ms,
            "peak_memory_bytes": measured.peak_memory_bytes,
            "model_memory_bytes": measured.model_memory_bytes,
            **_accuracy(outcome, self.pictures),
            **_agreement(outcome, host),
        }
        return known.model_copy(update=figures)


def _arena(model: Path) -> int | None:
    try:
        return measure_arena(model).bytes_used
    except ModelError:
        return None


def _accuracy(outcome: Outcome, pictures: Pictures | None) -> dict[str, object]:
    if outcome.scores is None or pictures is None:
        return {}
    if pictures.truth is None:
        return {"images": len(pictures.images)}
    right = int((outcome.scores.argmax(axis=1) == pictures.truth).sum())
    count = len(pictures.truth)
    return {"images": count, "accuracy": right / count, "accuracy_ci95": wilson(right, count)}


def _agreement(outcome: Outcome, host: Outcome | None) -> dict[str, object]:
    """Against the reference kernels on this host, for the same file and the same images."""
    if host is None or host.scores is None or outcome.scores is None:
        return {}
    same_class = outcome.scores.argmax(axis=1) == host.scores.argmax(axis=1)
    same_bits = np.all(outcome.raw == host.raw, axis=1)
    return {
        "compared_with": REFERENCE,
        "agreement_with_host": float(same_class.mean()),
        "bit_exact_with_host": float(same_bits.mean()),
        "max_score_difference": float(np.abs(outcome.scores - host.scores).max()),
    }


def run_worker(request: Request, folder: Path, advance: Advance) -> Outcome:
    """Start a worker, follow it, and say how it ended. It never outlives this call."""
    asked = folder / "request.json"
    asked.write_text(request.model_dump_json())
    with tempfile.TemporaryFile() as complaints:
        worker = subprocess.Popen(
            module_command("edgecxr.bench.worker", str(asked)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=module_environment(),
            bufsize=0,
        )
        return follow(worker, request, complaints, advance)


def follow(
    worker: subprocess.Popen[bytes],
    request: Request,
    complaints: IO[bytes],
    advance: Advance,
    *,
    greeting: Callable[[IO[bytes]], object] = lambda _: None,
) -> Outcome:
    """Read what a worker that was started says, to its end, and say how it ended.

    Args:
        worker: its stdout is an unbuffered pipe.
        complaints: a file that takes its stderr.
        greeting: reads what comes before the worker's own words.
    """
    try:
        assert worker.stdout is not None
        greeting(worker.stdout)
        last = _follow(worker.stdout, advance)
        returncode = worker.wait(STALL_S)
    except _StalledError:
        return Outcome(None, f"{request.runtime} said nothing for {STALL_S} s and was ended")
    finally:
        worker.kill()
        worker.wait()
    if isinstance(last, Refusal):
        return Outcome(None, last.sentence, last.missing)
    if isinstance(last, Measured) and returncode == 0:
        return Outcome(last)
    complaints.seek(0)
    cause = why_it_ended(returncode, complaints.read().decode(errors="replace"))
    return Outcome(None, f"{request.runtime} could not run {request.model}: {cause}")


class _StalledError(Exception):
    pass


def _follow(channel: IO[bytes], advance: Advance) -> Message | None:
    """Read messages until the worker closes its end; pass steps on, return the last other one."""
    last: Message | None = None
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            if not selector.select(STALL_S):
                raise _StalledError
            chunk = os.read(channel.fileno(), 65536)
            if not chunk:
                return last
            *lines, waiting = (waiting + chunk).split(b"\n")
            for line in lines:
                message = parse_message.validate_json(line)
                if isinstance(message, Step):
                    advance(message.inferences)
                else:
                    last = message
