# SPDX-License-Identifier: Apache-2.0
"""Runs one model on one runtime: ``python -m edgecxr.bench.worker REQUEST``, started by ``bench``.

A process of its own, so that its memory is the model's alone, and so that a runtime that dies
takes nothing else with it. It answers with lines of JSON on stdout, each a
:mod:`edgecxr.bench.messages` object; whatever C code prints goes to stderr.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from edgecxr.bench.machine import forget_peak, peak_bytes, resident_bytes
from edgecxr.bench.messages import Measured, Message, Refusal, Request, Step
from edgecxr.bench.runtimes import RUNTIMES
from edgecxr.core.interpreter import Interpreter
from edgecxr.core.result import InterpreterInfo, Latency
from edgecxr.errors import EdgecxrError, MissingPackageError

_SEED = 1
_STEP_S = 0.25
_TIMED_IMAGES = 8
"""No run sees the pixels of the one before, and so few do not count as memory."""


def own_stdout() -> TextIO:
    """A stream to the parent on a private descriptor; descriptor 1 then leads to stderr."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def time_single_runs(
    interpreter: Interpreter,
    images: NDArray[np.uint8],
    runs: int,
    warmup: int,
    advance: Callable[[int], None],
) -> Latency:
    """Time ``interpreter.run`` alone: the copy of one encoded image in, and the inference.

    Decoding, normalising and reading the scores are outside. The images take turns.

    Args:
        images: uint8 pixels, shape (N, H, W).
        advance: called after each inference, outside the timed part.
    """
    encoded = interpreter.encode(images)
    batches = [encoded[index : index + 1] for index in range(len(encoded))]
    for index in range(warmup):
        interpreter.run(batches[index % len(batches)])
        advance(1)
    nanoseconds = np.empty(runs, np.int64)
    with no_garbage_collection():
        for index in range(runs):
            image = batches[index % len(batches)]
            start = time.perf_counter_ns()
            interpreter.run(image)
            nanoseconds[index] = time.perf_counter_ns() - start
            advance(1)
    return Latency.of(nanoseconds / 1e6, warmup)


def measure(request: Request, tell: Callable[[Message], None]) -> Measured:
    """Load the model, time it, read the memory, then score every image.

    Memory is read before the scoring, so that it does not count the images.

    Raises:
        EdgecxrError: if the runtime is missing or refuses the model.
    """
    runtime = RUNTIMES[request.runtime]
    runtime.preload()
    before = resident_bytes() if forget_peak() else None
    interpreter = runtime.open(request.model, request.threads)
    images = load_images(request, interpreter)
    latency = None
    if request.runs:
        some = np.ascontiguousarray(images[:_TIMED_IMAGES])
        with in_steps(tell) as advance:
            latency = time_single_runs(interpreter, some, request.runs, request.warmup, advance)
    peak = peak_bytes()
    if request.images is not None:
        with in_steps(tell) as advance:
            raw = interpreter.raw(images, advance=advance)
        np.save(request.raw_scores, raw)
        np.save(request.scores, interpreter.dequantize(raw))
    return Measured(
        interpreter=InterpreterInfo(
            name=interpreter.name, version=interpreter.version, kernels=interpreter.kernels
        ),
        arena_bytes=interpreter.arena_bytes,
        output_step=interpreter.output.scale if interpreter.precision == "int8" else 1.0,
        latency_ms=latency,
        peak_memory_bytes=peak,
        model_memory_bytes=None if peak is None or before is None else peak - before,
    )


def load_images(request: Request, interpreter: Interpreter) -> NDArray[np.uint8]:
    """The request's images, memory-mapped, or seeded random pixels of the model's size."""
    if request.images is not None:
        return np.asarray(np.load(request.images, mmap_mode="r"))
    height, width = interpreter.input.shape[1:3]
    generator = np.random.default_rng(_SEED)
    return generator.integers(0, 256, (_TIMED_IMAGES, height, width), np.uint8)


@contextmanager
def in_steps(tell: Callable[[Message], None]) -> Iterator[Callable[[int], None]]:
    """Count inferences, and tell of them a few times a second: telling disturbs what is timed."""
    waiting, last = 0, time.monotonic()

    def advance(n: int) -> None:
        nonlocal waiting, last
        waiting += n
        if time.monotonic() - last >= _STEP_S:
            tell(Step(inferences=waiting))
            waiting, last = 0, time.monotonic()

    yield advance
    tell(Step(inferences=waiting))


def main(path: Path) -> int:
    channel = own_stdout()

    def tell(message: Message) -> None:
        print(message.model_dump_json(), file=channel, flush=True)

    try:
        tell(measure(Request.model_validate_json(path.read_text()), tell))
    except EdgecxrError as error:
        tell(Refusal(missing=isinstance(error, MissingPackageError), sentence=str(error)))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
