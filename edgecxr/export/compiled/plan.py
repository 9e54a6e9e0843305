# SPDX-License-Identifier: Apache-2.0
"""The memory plan: which layers run row by row together, which buffers exist, where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from edgecxr.export.compiled.build import Model
from edgecxr.export.compiled.layers import Layer, Overlap, Value
from edgecxr.export.compiled.memory import ALIGNMENT, Buffer, InPlace, Placement, Rectangle, place
from edgecxr.export.compiled.rows import Home, homes, ring_rectangles, staging_rectangles
from edgecxr.export.compiled.schedule import Schedule, Segment, joinable, schedule, streamable

STARTS = 5  # how many numbers of streamed layers are looked at closely
JOINS = 40  # how many layers are tried in each round, those with the largest maps
FINAL_TRIES = 400


@dataclass(frozen=True)
class Ring:
    """Rows in the arena: row r is at offset + (r % slots) * stride.

    ``staging`` is the offset of the staging row, -1 if there is none.
    """

    offset: int
    stride: int
    slots: int
    rows: int
    staging: int = -1


@dataclass(frozen=True)
class Plan:
    """``homes`` by storage; ``scratch`` is the offset of each layer's, by layer index."""

    model: Model
    timeline: Schedule
    homes: dict[int, Home]
    scratch: dict[int, int]
    buffers: tuple[Buffer, ...]
    placement: Placement

    @property
    def total(self) -> int:
        """Arena bytes."""
        return self.placement.total

    @property
    def depth(self) -> int:
        """How many of the first layers run while the input arrives."""
        return next((s.end for s in self.timeline.segments if s.arriving), 0)

    def ring(self, value: Value) -> Ring:
        """The rows of a value; those of a view of a whole map differ from its storage's own."""
        home, storage = self.homes[value.storage], value.storage
        if home.carrier is not None:
            return Ring(0, value.row_bytes, 1, value.height)
        offset = self.placement.offsets[_name(storage)]
        if value.rows_key != self.timeline.lives[storage].value.rows_key:
            return Ring(offset, value.row_bytes, value.height, value.height)
        staging = self.placement.offsets[_staging(storage)] if home.staged else -1
        return Ring(offset, home.stride, home.slots, value.height, staging)

    def scratch_bytes(self, layer: int) -> int:
        """Bytes of scratch that the layer gets."""
        return _scratch_size(self.timeline, layer)

    def live_bytes(self, layer: int) -> int:
        """The most bytes alive in any step of one layer."""
        return max(self.occupied(step) for step in self.timeline.steps_of(layer))

    def spans(self, step: int) -> list[tuple[int, int, str]]:
        """(from, to, buffer) of everything that lives in the arena at ``step``."""
        return sorted(
            (self.placement.offsets[b.name] + low, self.placement.offsets[b.name] + high, b.name)
            for b in self.buffers
            for (low, high), alive in b.alive.items()
            if alive >> step & 1
        )

    def occupied(self, step: int) -> int:
        """Bytes of the arena that hold something living at ``step``."""
        total = end = 0
        for low, high, _ in self.spans(step):
            total += max(0, high - max(low, end))
            end = max(end, high)
        return total


def make_plan(model: Model, depth: int | None = None) -> Plan:
    """The plan with the least total; with ``depth``, among those that stream so many layers."""
    depths = range(streamable(model) + 1) if depth is None else (depth,)
    starts = [_plan(model, _cut(model, d, ())) for d in depths]
    # What the head needs, no later choice can lower.
    starts.sort(key=lambda plan: (_head_peak(plan), plan.total))
    best = _improve(model, starts[0])
    for start in starts[1:STARTS]:
        if _head_peak(start) < best.total:
            best = min(best, _improve(model, start), key=_cost)
    return _plan(model, best.timeline.segments, tries=FINAL_TRIES)


def _head_peak(plan: Plan) -> int:
    """The most bytes alive in a step of the streamed part."""
    last = max(i for i, step in enumerate(plan.timeline.steps) if step.layer < plan.depth)
    change = [0] * (len(plan.timeline.steps) + 3)
    for buffer in plan.buffers:
        for r in buffer.rectangles:
            change[r.born] += r.size
            change[r.died + 1] -= r.size
    return max(accumulate(change[: last + 1]))


def _cost(plan: Plan) -> tuple[int, int]:
    return plan.total, sum(buffer.size for buffer in plan.buffers)


def _improve(model: Model, best: Plan) -> Plan:
    """Join and part segments behind the head as long as that lowers the cost."""
    weight = {
        i: layer.output.nbytes + sum(v.nbytes for v in layer.inputs)
        for i, layer in enumerate(model.layers)
    }
    behind = sorted(range(best.depth + 1, len(model.layers)), key=lambda i: (-weight[i], i))
    joins = {i for s in best.timeline.segments if not s.arriving for i in range(s.start + 1, s.end)}
    improved = True
    while improved:
        improved = False
        for index in behind[:JOINS]:
            trial = _plan(model, _cut(model, best.depth, joins ^ {index}))
            if _cost(trial) < _cost(best):
                best, joins, improved = trial, joins ^ {index}, True
    return best


def plain_plan(model: Model) -> Plan:
    """What a plain runtime needs: whole maps, nothing in place, dead maps reused."""
    return _plan(model, _cut(model, 0, ()), in_place=False)


def _cut(model: Model, head: int, joins: Iterable[int]) -> tuple[Segment, ...]:
    """Segments: the head, then one per layer, where layer i of ``joins`` joins the one before."""
    segments = [Segment(0, head, True, True)] if head else []
    for index in range(head, len(model.layers)):
        start = segments[-1].start if segments else 0
        free = bool(segments) and not segments[-1].arriving
        if index in joins and free and joinable(model, start, index + 1):
            segments[-1] = Segment(start, index + 1, True)
        else:
            segments.append(Segment(index, index + 1, model.layers[index].by_rows))
    return tuple(segments)


def _plan(
    model: Model, segments: Sequence[Segment], *, in_place: bool = True, tries: int = 0
) -> Plan:
    timeline = schedule(model, segments)
    found = homes(timeline)
    buffers = [*_row_buffers(timeline, found), *_scratch_buffers(timeline)]
    rules = _rules(timeline, found) if in_place else []
    placement = place(buffers, rules, tries)
    scratch = {
        i: placement.offsets[_scratch(i)]
        for i in range(len(model.layers))
        if _scratch(i) in placement.offsets
    }
    return Plan(model, timeline, found, scratch, tuple(buffers), placement)


def _name(storage: int) -> str:
    return f"value {storage}"


def _staging(storage: int) -> str:
    return f"staging {storage}"


def _scratch(layer: int) -> str:
    return f"scratch {layer}"


def _row_buffers(timeline: Schedule, found: dict[int, Home]) -> list[Buffer]:
    buffers = []
    for storage, lives in timeline.lives.items():
        home = found[storage]
        if home.carrier is not None:
            continue
        carried = [timeline.lives[s] for s, h in found.items() if h.carrier == storage]
        buffers.append(Buffer(_name(storage), ring_rectangles(lives, home, carried)))
        if home.staged:
            buffers.append(Buffer(_staging(storage), staging_rectangles(lives, home, carried)))
    return buffers


def _scratch_buffers(timeline: Schedule) -> list[Buffer]:
    buffers = []
    for index in range(len(timeline.model.layers)):
        if size := _scratch_size(timeline, index):
            steps = timeline.steps_of(index)
            buffers.append(Buffer(_scratch(index), [Rectangle(0, size, s, s) for s in steps]))
    return buffers


def _scratch_size(timeline: Schedule, index: int) -> int:
    layer = timeline.model.layers[index]
    by_rows = timeline.segment_of(index).by_rows
    size = layer.row_scratch() if by_rows else layer.map_scratch()
    return -(-size // ALIGNMENT) * ALIGNMENT


def _rules(timeline: Schedule, found: dict[int, Home]) -> list[InPlace]:
    """The pairs of buffers between which a layer may work in place."""
    rules = []
    for index, layer in enumerate(timeline.model.layers):
        by_rows = timeline.segment_of(index).by_rows
        if by_rows:
            continue  # rows in place are carried
        last = timeline.steps_of(index)[-1]
        for value in layer.inputs:
            dies = max(timeline.lives[value.storage].died) <= last
            if dies and layer.may_overlap(value) and value.storage != layer.output.storage:
                into = layer.output.storage
                if found[value.storage].carrier is None and found[into].carrier is None:
                    rules.append(InPlace(_name(value.storage), _name(into), _slack(layer, value)))
    return rules


def _slack(layer: Layer, value: Value) -> int | None:
    if layer.overlap is Overlap.SAME_START:
        return None
    return min(0, value.nbytes - layer.output.nbytes)
