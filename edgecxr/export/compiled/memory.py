# SPDX-License-Identifier: Apache-2.0
"""Where buffers lie in the arena.

A buffer is a set of rectangles: bytes that live from one step to another. Rectangles of two buffers
that live at the same step must not share bytes, unless a layer works in place. For every pair that
is a set of forbidden distances between the two buffers, and placing a buffer means finding the
lowest offset whose distance to every placed one is allowed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

ALIGNMENT = 4

Bytes = tuple[int, int]  # from, to, within a buffer
Interval = tuple[int, int]  # the distances strictly between the two are forbidden


@dataclass(frozen=True)
class Rectangle:
    """``size`` bytes at ``offset`` of a buffer, alive in the steps born … died."""

    offset: int
    size: int
    born: int
    died: int


@dataclass(frozen=True)
class InPlace:
    """In ``step`` the buffer ``into`` may lie over ``source``, which dies then.

    ``slack`` is the largest allowed distance of the output's start from the input's, both taken at
    the rectangles of that step; None asks for the same start.
    """

    source: str
    into: str
    slack: int | None


@dataclass
class Buffer:
    """Steps are kept as bits of an integer: ``alive[bytes]`` has those in which the bytes live."""

    name: str
    rectangles: list[Rectangle]
    alive: dict[Bytes, int] = field(init=False)
    ends: dict[int, set[Bytes]] = field(init=False)
    starts: dict[int, set[Bytes]] = field(init=False)

    def __post_init__(self) -> None:
        self.alive = defaultdict(int)
        self.ends, self.starts = defaultdict(set), defaultdict(set)
        for r in self.rectangles:
            where = (r.offset, r.offset + r.size)
            self.alive[where] |= (1 << (r.died + 1)) - (1 << r.born)
            self.starts[r.born].add(where)
            self.ends[r.died].add(where)
        self.size = max(high for _, high in self.alive)
        self.born = min(self.starts)
        self.died = max(self.ends)


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The union of open intervals of integers."""
    merged: list[Interval] = []
    for low, high in sorted(intervals):
        if merged and low < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        elif low + 1 < high:
            merged.append((low, high))
    return merged


def forbidden(a: Buffer, b: Buffer, rule: InPlace | None = None) -> list[Interval]:
    """Distances ``offset(b) - offset(a)`` that make living bytes collide.

    ``rule`` says that a layer works in place from ``a`` into ``b``.
    """
    handed: dict[tuple[Bytes, Bytes], int] = defaultdict(int)
    intervals: list[Interval] = []
    if rule is not None:
        for step in a.ends.keys() & b.starts.keys():
            dying, starting = a.ends[step], b.starts[step]
            for x in dying:
                for y in starting:
                    handed[x, y] |= 1 << step
            intervals += _in_place(dying, starting, rule.slack)
    for x, x_alive in a.alive.items():
        for y, y_alive in b.alive.items():
            if x_alive & y_alive & ~handed.get((x, y), 0):
                intervals.append((x[0] - y[1], x[1] - y[0]))
    return merge(intervals)


def _in_place(dying: set[Bytes], starting: set[Bytes], slack: int | None) -> list[Interval]:
    """What stays forbidden where a layer turns the dying bytes into the starting ones."""
    start = min(dying)[0] - min(starting)[0]  # the distance at which both start together
    low = min(dying)[0] - max(high for _, high in starting)
    high = max(high for _, high in dying) - min(starting)[0]
    if slack is None:
        return [(low, start), (start, high)]
    return [(start + slack, high)]


@dataclass(frozen=True)
class Placement:
    offsets: dict[str, int]
    total: int


Pairs = dict[tuple[str, str], list[Interval]]


def place(buffers: Sequence[Buffer], rules: Sequence[InPlace], tries: int = 0) -> Placement:
    """Offsets with a small total: first fit in a few orders, then ``tries`` changed orders.

    The search is seeded, so the same buffers give the same placement.
    """
    pairs = _pairs(buffers, rules)
    by_size = sorted(buffers, key=lambda b: (-b.size, b.born, b.name))
    by_birth = sorted(buffers, key=lambda b: (b.born, -b.size, b.name))
    orders = [by_size, by_birth, by_birth[::-1]]
    best, order = min(
        ((_first_fit(order, pairs), order) for order in orders), key=lambda found: found[0].total
    )
    rng = random.Random(0)
    for _ in range(tries):
        trial = list(order)
        trial.insert(rng.randrange(len(trial)), trial.pop(rng.randrange(len(trial))))
        placement = _first_fit(trial, pairs)
        if placement.total <= best.total:
            best, order = placement, trial
    return best


def _pairs(buffers: Sequence[Buffer], rules: Sequence[InPlace]) -> Pairs:
    by_pair = {(rule.source, rule.into): rule for rule in rules}
    pairs: Pairs = {}
    for i, a in enumerate(buffers):
        for b in buffers[i + 1 :]:
            if a.born > b.died or b.born > a.died:
                continue
            if (b.name, a.name) in by_pair:
                found = forbidden(b, a, by_pair[b.name, a.name])
                pairs[b.name, a.name] = found
                pairs[a.name, b.name] = [(-high, -low) for low, high in found]
            else:
                found = forbidden(a, b, by_pair.get((a.name, b.name)))
                pairs[a.name, b.name] = found
                pairs[b.name, a.name] = [(-high, -low) for low, high in found]
    return pairs


def _first_fit(order: Sequence[Buffer], pairs: Pairs) -> Placement:
    offsets: dict[str, int] = {}
    total = 0
    for buffer in order:
        blocked = [
            (offset + low, offset + high)
            for other, offset in offsets.items()
            for low, high in pairs.get((other, buffer.name), ())
        ]
        at = 0
        for low, high in merge(blocked):
            if low < at < high:
                at = -(-high // ALIGNMENT) * ALIGNMENT
        offsets[buffer.name] = at
        total = max(total, at + buffer.size)
    return Placement(offsets, total)
