# SPDX-License-Identifier: Apache-2.0
"""The memory plan: how deep to stream, which buffers exist, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass

from edgecxr.export.compiled.build import Model
from edgecxr.export.compiled.layers import Layer, Overlap, Value
from edgecxr.export.compiled.memory import ALIGNMENT, Buffer, InPlace, Placement, Rectangle, place
from edgecxr.export.compiled.schedule import (
    PUSH,
    Lives,
    Schedule,
    ring_height,
    schedule,
    streamable,
)


@dataclass(frozen=True)
class Ring:
    """Rows of one storage in the arena: row r is at offset + (r % slots) * stride."""

    offset: int
    stride: int
    slots: int
    rows: int

    @property
    def nbytes(self) -> int:
        return self.slots * self.stride


@dataclass(frozen=True)
class Plan:
    """``rings`` by storage; ``scratch`` by layer index, the streamed layers sharing one."""

    model: Model
    depth: int
    timeline: Schedule
    rings: dict[int, Ring]
    scratch: dict[int, int]
    buffers: tuple[Buffer, ...]
    placement: Placement

    @property
    def total(self) -> int:
        """Arena bytes."""
        return self.placement.total

    def ring(self, value: Value) -> Ring:
        """The rows of a value; those of a view of a whole map differ from its storage's own."""
        ring = self.rings[value.storage]
        if value.rows_key == self.timeline.lives[value.storage].value.rows_key:
            return ring
        return Ring(ring.offset, value.row_bytes, value.height, value.height)

    def live_bytes(self, layer: int) -> int:
        """The most bytes alive in any step of one layer."""
        steps = [i for i, step in enumerate(self.timeline.steps) if step.layer == layer]
        return max(self.occupied(step) for step in steps)

    def occupied(self, step: int) -> int:
        """Bytes of the arena that hold something living at ``step``."""
        spans: list[tuple[int, int]] = []
        for buffer in self.buffers:
            rows = buffer.array
            now = rows[(rows[:, 2] <= step) & (rows[:, 3] >= step)]
            at = self.placement.offsets[buffer.name]
            spans += [(at + int(low), at + int(high)) for low, high in now[:, :2]]
        total = end = 0
        for low, high in sorted(spans):
            total += max(0, high - max(low, end))
            end = max(end, high)
        return total


def make_plan(model: Model, depth: int | None = None) -> Plan:
    """The plan with the least total, or the plan for a given streaming depth."""
    if depth is not None:
        return _plan(model, depth, in_place=True)
    plans = [_plan(model, d, in_place=True) for d in range(streamable(model) + 1)]
    return min(plans, key=lambda plan: (plan.total, plan.depth))


def plain_plan(model: Model) -> Plan:
    """What a plain runtime needs: whole maps, nothing in place, dead maps reused."""
    return _plan(model, 0, in_place=False)


def _plan(model: Model, depth: int, *, in_place: bool) -> Plan:
    timeline = schedule(model, depth)
    shapes = _ring_shapes(timeline)
    buffers = [
        Buffer(_name(storage), _rectangles(lives, *shapes[storage]))
        for storage, lives in timeline.lives.items()
    ]
    scratch = _scratch_buffers(timeline)
    rules = _rules(timeline) if in_place else []
    everything = (*buffers, *(buffer for buffer, _ in scratch))
    placement = place(everything, rules)
    rings = {
        storage: Ring(placement.offsets[_name(storage)], stride, slots, len(lives.born))
        for (storage, lives), (slots, stride) in zip(
            timeline.lives.items(), shapes.values(), strict=True
        )
    }
    where = {layer: placement.offsets[buffer.name] for buffer, layers in scratch for layer in layers}
    return Plan(model, depth, timeline, rings, where, everything, placement)


def _name(storage: int) -> str:
    return f"value {storage}"


def _ring_shapes(timeline: Schedule) -> dict[int, tuple[int, int]]:
    """(slots, stride) per storage. A row that the next layer overwrites in place lies in the slot
    of the row that replaces it."""
    shapes = {
        storage: (ring_height(lives), lives.value.row_bytes)
        for storage, lives in timeline.lives.items()
    }
    for layer in reversed(timeline.model.layers[: timeline.depth]):
        slots, stride = shapes[layer.output.storage]
        for value in layer.inputs:
            storage = value.storage
            if (
                layer.overlap is Overlap.PIXELS
                and layer.may_overlap(value)
                and shapes[storage][0] == 1
                and value.height == layer.output.height
                and value.row_bytes <= stride
                and _readers(timeline.model, storage) == [layer]
            ):
                shapes[storage] = (slots, stride)
    return shapes


def _readers(model: Model, storage: int) -> list[Layer]:
    return [layer for layer in model.layers if any(v.storage == storage for v in layer.inputs)]


def _rectangles(lives: Lives, slots: int, stride: int) -> list[Rectangle]:
    size = lives.value.row_bytes
    if len(set(zip(lives.born, lives.died, strict=True))) == 1:  # a whole map
        return [Rectangle(0, size * len(lives.born), lives.born[0], lives.died[0])]
    return [
        Rectangle((row % slots) * stride, size, born, died)
        for row, (born, died) in enumerate(zip(lives.born, lives.died, strict=True))
    ]


def _scratch_buffers(timeline: Schedule) -> list[tuple[Buffer, tuple[int, ...]]]:
    """One scratch buffer for the streamed part, one for each later layer that needs some."""
    found = []
    layers = timeline.model.layers
    streamed = max((layer.row_scratch() for layer in layers[: timeline.depth]), default=0)
    if streamed:
        whole = Rectangle(0, _aligned(streamed), 0, timeline.streamed - 1)
        found.append((Buffer("scratch", [whole]), tuple(range(timeline.depth))))
    for index in range(timeline.depth, len(layers)):
        layer = layers[index]
        size = layer.row_scratch() if layer.by_rows else layer.map_scratch()
        steps = [i for i, step in enumerate(timeline.steps) if step.layer == index]
        if size:
            buffer = Buffer(f"scratch {index}", [Rectangle(0, _aligned(size), steps[0], steps[-1])])
            found.append((buffer, (index,)))
    return found


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _rules(timeline: Schedule) -> list[InPlace]:
    """The pairs of buffers between which a layer may work in place."""
    rules = []
    for index, layer in enumerate(timeline.model.layers):
        streamed = index < timeline.depth
        if layer.overlap is Overlap.SAME_START and (streamed or layer.by_rows):
            continue
        last = max(i for i, step in enumerate(timeline.steps) if step.layer == index)
        for value in layer.inputs:
            dies = max(timeline.lives[value.storage].died) <= last
            if dies and layer.may_overlap(value) and value.storage != layer.output.storage:
                slack = _slack(layer, value, whole=not streamed)
                rules.append(InPlace(_name(value.storage), _name(layer.output.storage), slack))
    return rules


def _slack(layer: Layer, value: Value, *, whole: bool) -> int | None:
    if layer.overlap is Overlap.SAME_START:
        return None
    rows = value.height if whole else 1
    return min(0, rows * (value.row_bytes - layer.output.row_bytes))


__all__ = ["PUSH", "Plan", "Ring", "make_plan", "plain_plan"]
