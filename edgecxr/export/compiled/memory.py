# SPDX-License-Identifier: Apache-2.0
"""Where buffers lie in the arena.

A buffer is a set of rectangles: bytes that live from one step to another. Rectangles of two buffers
that live at the same step must not share bytes, unless a layer works in place. For every pair that
is a set of forbidden distances between the two buffers, and placing a buffer means finding the
lowest offset whose distance to every placed one is allowed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 4
TRIES = 60


@dataclass(frozen=True)
class Rectangle:
    """``size`` bytes at ``offset`` of a buffer, alive in the steps born … died."""

    offset: int
    size: int
    born: int
    died: int


@dataclass(frozen=True)
class InPlace:
    """In ``step`` the buffer ``into`` may lie over the dying ``source``.

    ``slack`` is the largest allowed distance of the output's start from the input's, both taken at
    the rectangles of that step; None asks for the same start.
    """

    source: str
    into: str
    slack: int | None


@dataclass
class Buffer:
    name: str
    rectangles: list[Rectangle]
    array: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = [(r.offset, r.offset + r.size, r.born, r.died) for r in self.rectangles]
        self.array = np.array(rows, np.int64).reshape(-1, 4)

    @property
    def size(self) -> int:
        return int(self.array[:, 1].max())

    @property
    def born(self) -> int:
        return int(self.array[:, 2].min())

    @property
    def died(self) -> int:
        return int(self.array[:, 3].max())


Interval = tuple[int, int]  # the distances strictly between the two are forbidden


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The union of open intervals of integers."""
    merged: list[Interval] = []
    for low, high in sorted(intervals):
        if merged and low < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        elif low + 1 < high:
            merged.append((low, high))
    return merged


def forbidden(a: Buffer, b: Buffer, rule: InPlace | None) -> list[Interval]:
    """Distances ``offset(b) - offset(a)`` that make living bytes collide."""
    x, y = a.array[:, None, :], b.array[None, :, :]
    together = (x[..., 2] <= y[..., 3]) & (y[..., 2] <= x[..., 3])
    low, high = x[..., 0] - y[..., 1], x[..., 1] - y[..., 0]
    intervals: list[Interval] = []
    if rule is not None:
        forward = rule.source == a.name
        handover = x[..., 3] == y[..., 2] if forward else y[..., 3] == x[..., 2]
        meeting = together & handover
        together &= ~handover
        steps = np.broadcast_to(x[..., 3] if forward else y[..., 3], meeting.shape)
        start = np.broadcast_to(x[..., 0], meeting.shape), np.broadcast_to(y[..., 0], meeting.shape)
        for step in np.unique(steps[meeting]):
            at = meeting & (steps == step)
            intervals += _in_place(
                int(start[0][at].min() - start[1][at].min()),
                rule.slack,
                forward,
                int(low[at].min()),
                int(high[at].max()),
            )
    return merge([*zip(low[together].tolist(), high[together].tolist(), strict=True), *intervals])


def _in_place(start: int, slack: int | None, forward: bool, low: int, high: int) -> list[Interval]:
    """What is left forbidden of (low, high) where the layer may work in place.

    ``start`` is the distance at which input and output start together. ``forward`` says that the
    distance is output - input, and not the other way round.
    """
    if slack is None:
        return [(low, start), (start, high)]
    if forward:
        return [(start + slack, high)]
    return [(low, start - slack)]


@dataclass(frozen=True)
class Placement:
    offsets: dict[str, int]
    total: int


def place(buffers: Sequence[Buffer], rules: Sequence[InPlace], seed: int = 0) -> Placement:
    """Offsets with a small total: first fit in several orders, the best one kept.

    The search is seeded, so the same buffers give the same placement.
    """
    pairs = _pairs(buffers, rules)
    floor = _living(buffers, rules)
    by_size = sorted(buffers, key=lambda b: (-b.size, b.born, b.name))
    by_birth = sorted(buffers, key=lambda b: (b.born, -b.size, b.name))
    orders = [by_size, by_birth, by_birth[::-1]]
    best = min((_first_fit(order, pairs) for order in orders), key=lambda p: p.total)
    rng = random.Random(seed)
    order = list(by_size)
    for _ in range(TRIES if len(buffers) > 2 else 0):
        if best.total <= floor:
            break
        trial = list(order)
        i, j = rng.randrange(len(trial)), rng.randrange(len(trial))
        trial.insert(j, trial.pop(i))
        placement = _first_fit(trial, pairs)
        if placement.total <= best.total:
            order = trial
            best = placement
    return best


def _pairs(
    buffers: Sequence[Buffer], rules: Sequence[InPlace]
) -> dict[tuple[str, str], list[Interval]]:
    by_pair = {frozenset((r.source, r.into)): r for r in rules}
    pairs = {}
    for i, a in enumerate(buffers):
        for b in buffers[i + 1 :]:
            if a.born <= b.died and b.born <= a.died:
                found = forbidden(a, b, by_pair.get(frozenset((a.name, b.name))))
                pairs[a.name, b.name] = found
                pairs[b.name, a.name] = [(-high, -low) for low, high in found]
    return pairs


def _living(buffers: Sequence[Buffer], rules: Sequence[InPlace]) -> int:
    """A lower bound of the total: the most bytes alive at a step, in-place pairs counted once."""
    last = max(b.died for b in buffers) + 2
    change = np.zeros(last, np.int64)
    shared = {rule.source for rule in rules}
    for buffer in buffers:
        end = buffer.array[:, 3] + (0 if buffer.name in shared else 1)
        size = buffer.array[:, 1] - buffer.array[:, 0]
        np.add.at(change, buffer.array[:, 2], size)
        np.subtract.at(change, np.maximum(end, buffer.array[:, 2]), size)
    return int(np.cumsum(change).max())


def _first_fit(
    order: Sequence[Buffer], pairs: dict[tuple[str, str], list[Interval]]
) -> Placement:
    offsets: dict[str, int] = {}
    total = 0
    for buffer in order:
        blocked: list[Interval] = []
        for other, offset in offsets.items():
            for low, high in pairs.get((other, buffer.name), ()):
                blocked.append((offset + low, offset + high))
        at = 0
        for low, high in merge(blocked):
            if low < at < high:
                at = -(-high // ALIGNMENT) * ALIGNMENT
        offsets[buffer.name] = at
        total = max(total, at + buffer.size)
    return Placement(offsets, total)
