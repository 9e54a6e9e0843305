# SPDX-License-Identifier: Apache-2.0
"""Many small jobs over a few threads: in order, with progress, and stopping at once on Ctrl-C."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# progress(description, total) yields advance(n), as cli.common.progress_bar does.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

# Jobs per task: a decode takes under a millisecond, as handing over a task does.
_BATCH = 16


def _ignore(_: int) -> None:
    """Progress that nobody watches."""


def map_parallel(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    description: str,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Iterator[R]:
    """Yield ``function(item)`` for each item in order.

    Threads, not processes: Pillow and hashlib leave the interpreter's lock while they work, and a
    process started beside TensorFlow's threads must import everything anew. Only a few tasks are
    ahead of the reader, so memory stays small and an error or Ctrl-C ends the work at once.

    Args:
        workers: threads; None: twice the processors, because each also waits for the lock.
    """
    count = workers or 2 * available_processors()
    bar = progress(description, len(items)) if progress else nullcontext(_ignore)
    batches = (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))

    def run(batch: Sequence[T]) -> list[R]:
        return [function(item) for item in batch]

    pool = ThreadPoolExecutor(count, thread_name_prefix="edgecxr-data")
    pending: deque[Future[list[R]]] = deque()
    with bar as advance:
        try:
            for batch in batches:
                pending.append(pool.submit(run, batch))
                if len(pending) > 4 * count:
                    results = pending.popleft().result()
                    advance(len(results))
                    yield from results
            while pending:
                results = pending.popleft().result()
                advance(len(results))
                yield from results
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def available_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
