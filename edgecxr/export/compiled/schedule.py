# SPDX-License-Identifier: Apache-2.0
"""When every row is made and last read.

The layers are cut into segments. A segment by rows makes its layers' rows in turn: always the
deepest layer that can make a row makes one (``ecx_stream_next`` does the same on the target). The
first segment may take its input rows as they arrive; the others find their input complete. A
segment by maps is one layer that makes its whole output in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edgecxr.export.compiled.build import Model
from edgecxr.export.compiled.layers import Layer, Value, Window

PUSH = -1  # the "layer" of a step in which an input row arrives
POINT = Window()


@dataclass(frozen=True)
class Segment:
    """Layers start … end - 1. ``arriving``: their input arrives row by row."""

    start: int
    end: int
    by_rows: bool
    arriving: bool = False


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
    segments: tuple[Segment, ...]
    steps: list[Step] = field(default_factory=list)
    lives: dict[int, Lives] = field(default_factory=dict)  # by storage
    last_reader: dict[int, int] = field(init=False)  # layer index by storage

    def __post_init__(self) -> None:
        layers = enumerate(self.model.layers)
        self.last_reader = {v.storage: i for i, layer in layers for v in layer.inputs}

    def segment_of(self, layer: int) -> Segment:
        return next(s for s in self.segments if s.start <= layer < s.end)

    def steps_of(self, layer: int) -> list[int]:
        return [i for i, step in enumerate(self.steps) if step.layer == layer]


def joinable(model: Model, start: int, end: int) -> bool:
    """Whether the layers start … end - 1 can run in one segment by rows."""
    made: dict[int, Value] = {}
    for layer in model.layers[start:end]:
        if layer.window is None:
            return False
        for value in layer.inputs:
            inside = made.get(value.storage)
            if inside is not None and inside.rows_key != value.rows_key:
                return False
            if value.height != layer.output.height and len(layer.inputs) > 1:
                return False
        made[layer.output.storage] = layer.output
    return True


def streamable(model: Model) -> int:
    """How many of the first layers can run while the input arrives."""
    key = model.input.rows_key
    for end in range(1, len(model.layers) + 1):
        inputs = model.layers[end - 1].inputs
        views = any(v.storage == key[0] and v.rows_key != key for v in inputs)
        if views or not joinable(model, 0, end):
            return end - 1
    return len(model.layers)


def schedule(model: Model, segments: Sequence[Segment]) -> Schedule:
    """The steps of one inference, and the lives of all rows."""
    result = Schedule(model, tuple(segments))
    for value in (model.input, *(layer.output for layer in model.layers)):
        # A storage is described by the value that made it; a view adds no rows of its own.
        nothing = [-1] * value.height
        result.lives.setdefault(value.storage, Lives(value, list(nothing), list(nothing)))
    done = dict.fromkeys(result.lives, 0)
    head = next((s for s in segments if s.arriving), None)
    for row in range(model.input.height):
        _step(result, PUSH, row, done)
        if head is not None:
            _run_rows(result, head, done)
    for segment in segments:
        if segment.by_rows and not segment.arriving:
            _run_rows(result, segment, done)
        elif not segment.by_rows:
            _step(result, segment.start, None, done)
    lives = result.lives[model.output.storage]
    lives.died = [len(result.steps)] * len(lives.died)
    return result


def _run_rows(result: Schedule, segment: Segment, done: dict[int, int]) -> None:
    last = segment.end - 1
    while True:
        for index in range(last, segment.start - 1, -1):
            layer = result.model.layers[index]
            row = done[layer.output.storage]
            if row < layer.output.height and _ready(result, layer, row, done):
                _step(result, index, row, done)
                # Behind this layer only the readers of its row can have become possible.
                last = min(segment.end - 1, result.last_reader.get(layer.output.storage, index))
                last = max(last, index)
                break
        else:
            return


def _ready(result: Schedule, layer: Layer, row: int, done: dict[int, int]) -> bool:
    window = layer.window or POINT
    for value in layer.inputs:
        there = done[value.storage]
        if value.rows_key != result.lives[value.storage].value.rows_key:
            there = value.height  # a view of a map that is complete
        if there <= window.last(row, value.height):
            return False
    return True


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
