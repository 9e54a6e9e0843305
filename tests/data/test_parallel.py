# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.data.parallel import map_parallel


@given(st.lists(st.integers(), max_size=500), st.integers(1, 8))
@settings(deadline=None, max_examples=30)
def test_results_come_in_order(items: list[int], workers: int) -> None:
    found = map_parallel(lambda n: n * 2, items, description="", workers=workers)
    assert list(found) == [n * 2 for n in items]


def test_progress_adds_up() -> None:
    steps: list[int] = []

    @contextmanager
    def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
        assert (description, total) == ("Counting", 1000)
        yield steps.append

    found = list(map_parallel(str, range(1000), description="Counting", progress=progress))
    assert len(found) == sum(steps) == 1000
    assert len(steps) > 10


def test_an_error_ends_the_work_early() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 3:
            raise ValueError(item)
        done.append(item)

    with pytest.raises(ValueError, match="3"):
        list(map_parallel(work, range(100_000), description="", workers=2))
    assert len(done) < 10_000
