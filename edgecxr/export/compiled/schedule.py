# SPDX-License-Identifier: Apache-2.0
"""When every row is made and last read, for a given streaming depth.

The first ``depth`` layers run row by row while the input arrives: after every new row, the deepest
layer that can make a row makes one (``ecx_stream_next`` does the same on the target). The others
run afterwards, each over its whole map.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edgecxr.export.compiled.build import Model
from edgecxr.export.compiled.layers import Layer, Value, Window

PUSH = -1  # the "layer" of a step in which an input row arrives
POINT = Window()


@dataclass(frozen=True)
class Step:
    """``layer`` makes ``row`` of its output, or all rows where ``row`` is None."""

    layer: int
    row: int | None


@dataclass
class Lives:
    """For each row of one storage: the step of its birth and the last step that reads it."""

    value: Value
    born: list[int]
    died: list[int]


@dataclass
class Schedule:
    model: Model
    depth: int
    steps: list[Step] = field(default_factory=list)
    lives: dict[int, Lives] = field(default_factory=dict)  # by storage

    @property
    def streamed(self) -> int:
        """Number of steps of the streamed part."""
        tail = (i for i, step in enumerate(self.steps) if step.layer >= self.depth)
        return next(tail, len(self.steps))


def streamable(model: Model) -> int:
    """How many of the first layers could run row by row."""
    rows = {model.input.storage: model.input}
    for count, layer in enumerate(model.layers):
        for value in layer.inputs:
            if value.storage not in rows or rows[value.storage].rows_key != value.rows_key:
                return count
        same = all(value.height == layer.output.height for value in layer.inputs)
        if layer.window is None or (len(layer.inputs) > 1 and not same):
            return count
        rows[layer.output.storage] = layer.output
    return len(model.layers)


def ready(layer: Layer, row: int, done: dict[int, int]) -> bool:
    """Whether all the input rows that output row ``row`` reads are there."""
    window = layer.window or POINT
    return row < layer.output.height and all(
        done[value.storage] > window.last(row, value.height) for value in layer.inputs
    )


def schedule(model: Model, depth: int) -> Schedule:
    """The steps of one inference, and the lives of all rows."""
    result = Schedule(model, depth)
    _start(result, model.input)
    for layer in model.layers:
        _start(result, layer.output)
    done = {storage: 0 for storage in result.lives}
    for row in range(model.input.height):
        _step(result, PUSH, row, done)
        while (index := _next(model, depth, done)) is not None:
            _step(result, index, done[model.layers[index].output.storage], done)
    for index in range(depth, len(model.layers)):
        layer = model.layers[index]
        for row in range(layer.output.height) if layer.by_rows else (None,):
            _step(result, index, row, done)
    lives = result.lives[model.output.storage]
    lives.died = [len(result.steps)] * len(lives.died)
    return result


def _start(result: Schedule, value: Value) -> None:
    # A storage is described by the value that made it; a view adds no rows of its own.
    nothing = [-1] * value.height
    result.lives.setdefault(value.storage, Lives(value, list(nothing), list(nothing)))


def _next(model: Model, depth: int, done: dict[int, int]) -> int | None:
    for index in range(depth - 1, -1, -1):
        layer = model.layers[index]
        if ready(layer, done[layer.output.storage], done):
            return index
    return None


def _step(result: Schedule, index: int, row: int | None, done: dict[int, int]) -> None:
    now = len(result.steps)
    result.steps.append(Step(index, row))
    if index != PUSH:
        layer = result.model.layers[index]
        window = layer.window or POINT
        for value in layer.inputs:
            lives = result.lives[value.storage]
            rows = range(len(lives.died))
            if row is not None and value.rows_key == lives.value.rows_key:
                rows = range(window.first(row), window.last(row, value.height) + 1)
            for r in rows:
                lives.died[r] = now
    output = result.model.input if index == PUSH else result.model.layers[index].output
    lives = result.lives[output.storage]
    for r in range(len(lives.born)) if row is None else (row,):
        lives.born[r] = now
        lives.died[r] = max(lives.died[r], now)
        done[output.storage] += 1


def ring_height(lives: Lives) -> int:
    """The fewest row slots so that no row is overwritten while it lives."""
    born, died = lives.born, lives.died
    height = 1
    while any(born[r + height] <= died[r] for r in range(len(born) - height)):
        height += 1
    return height
