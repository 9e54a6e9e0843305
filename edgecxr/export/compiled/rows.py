# SPDX-License-Identifier: Apache-2.0
"""Where the rows of a value lie: in a ring, beside it for a moment, or in the row that follows.

Three ways to save memory, found per value from the schedule:

- a ring has only as many slots as rows live at once;
- it needs one slot less where the newest row waits in a *staging* row until the layer that reads
  it has run: by then the oldest row is dead, and the newest moves into its slot. Staging rows of
  all values share bytes, since they live for a few steps only;
- a row that the next layer turns into its own row, pixel by pixel, lies at the end of the place
  where that row goes: it is *carried* and needs nothing of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgecxr.export.compiled.layers import Layer, Overlap, Value
from edgecxr.export.compiled.memory import ALIGNMENT, Rectangle
from edgecxr.export.compiled.schedule import Lives, Schedule


@dataclass(frozen=True)
class Home:
    """Row r of a storage is in slot r % slots, ``stride`` bytes apart.

    ``staged`` rows wait in the staging row first. A ``carrier`` is the storage in whose next row,
    ``delta`` bytes behind its start, this one lies; it then has no slots.
    """

    slots: int
    stride: int
    staged: frozenset[int] = frozenset()
    carrier: int | None = None
    delta: int = 0


def homes(timeline: Schedule) -> dict[int, Home]:
    """The home of every storage."""
    found: dict[int, Home] = {}
    for storage, lives in timeline.lives.items():
        slots = ring_height(lives)
        home = Home(slots, lives.value.row_bytes)
        reader = _row_reader(timeline, storage)
        if reader is not None and slots < lives.value.height:
            home = _staged(timeline, lives, reader, slots - 1) or home
        found[storage] = home
    for segment in timeline.segments:
        for index in range(segment.end - 1, segment.start - 1, -1):
            if segment.by_rows:
                _carry(timeline, index, found)
    return found


def ring_height(lives: Lives) -> int:
    """The fewest row slots so that no row is overwritten while it lives."""
    born, died = lives.born, lives.died
    height = 1
    while any(born[r + height] <= died[r] for r in range(len(born) - height)):
        height += 1
    return height


def _readers(timeline: Schedule, storage: int) -> list[int]:
    return [
        i
        for i, layer in enumerate(timeline.model.layers)
        if any(v.storage == storage for v in layer.inputs)
    ]


def _row_reader(timeline: Schedule, storage: int) -> int | None:
    """The only layer that reads the storage, if it reads windows of rows as they are made."""
    readers = _readers(timeline, storage)
    if len(readers) != 1:
        return None
    layer = timeline.model.layers[readers[0]]
    window = layer.window
    segment = timeline.segment_of(readers[0])
    made_inside = any(
        layer.output.storage == storage
        for layer in timeline.model.layers[segment.start : segment.end]
    )
    inside = made_inside or (segment.arriving and storage == timeline.model.input.storage)
    fits = window is not None and 1 < window.kernel >= window.stride
    return readers[0] if inside and fits and len(layer.inputs) == 1 else None


def _staged(timeline: Schedule, lives: Lives, reader: int, slots: int) -> Home | None:
    """A home with ``slots`` slots and a staging row, if the schedule allows it."""
    if slots < 1:
        return None
    staged = set()
    for row in range(slots, len(lives.born)):
        if lives.died[row - slots] < lives.born[row]:
            continue
        moved = lives.born[row] + 1  # the reader must run at once, and be done with the old row
        if moved >= len(timeline.steps) or timeline.steps[moved].layer != reader:
            return None
        if lives.died[row - slots] > moved:
            return None
        staged.add(row)
    stride = -(-lives.value.row_bytes // ALIGNMENT) * ALIGNMENT  # rows are moved word by word
    return Home(slots, stride, frozenset(staged))


def _carry(timeline: Schedule, index: int, found: dict[int, Home]) -> None:
    layer = timeline.model.layers[index]
    target = layer.output
    if layer.overlap is not Overlap.PIXELS:
        return
    for value in layer.inputs:
        home = found[value.storage]
        if _can_carry(timeline, layer, value) and home.slots == 1:
            delta = target.row_bytes - value.row_bytes
            carrier = target.storage
            if found[carrier].carrier is not None:  # a chain: all lie in the last one's row
                delta, carrier = delta + found[carrier].delta, _carrier(found[carrier])
            found[value.storage] = Home(0, value.row_bytes, carrier=carrier, delta=delta)
            return


def _carrier(home: Home) -> int:
    assert home.carrier is not None
    return home.carrier


def _can_carry(timeline: Schedule, layer: Layer, value: Value) -> bool:
    lives = timeline.lives[value.storage]
    made_by_rows = any(
        made.output.storage == value.storage
        and timeline.segment_of(i) == timeline.segment_of(timeline.model.layers.index(layer))
        for i, made in enumerate(timeline.model.layers)
    )
    return (
        made_by_rows
        and layer.may_overlap(value)
        and value.height == layer.output.height
        and value.row_bytes <= layer.output.row_bytes
        and value.rows_key == lives.value.rows_key
        and len(_readers(timeline, value.storage)) == 1
        and timeline.model.output.storage != value.storage
    )


def ring_rectangles(lives: Lives, home: Home, carried: list[Lives]) -> list[Rectangle]:
    """The rectangles of a ring, or of a whole map. ``carried`` rows are in place before theirs."""
    if not carried and len(set(zip(lives.born, lives.died, strict=True))) == 1:
        return [Rectangle(0, lives.value.nbytes, lives.born[0], lives.died[0])]
    return [
        Rectangle((row % home.slots) * home.stride, home.stride, born, died)
        for row, died in enumerate(lives.died)
        for born in (lives.born[row] + 1 if row in home.staged else _born(lives, carried, row),)
    ]


def staging_rectangles(lives: Lives, home: Home, carried: list[Lives]) -> list[Rectangle]:
    """The rectangles of the staging row."""
    return [
        Rectangle(0, home.stride, _born(lives, carried, row), lives.born[row] + 1)
        for row in sorted(home.staged)
    ]


def _born(lives: Lives, carried: list[Lives], row: int) -> int:
    return min(one.born[row] for one in (lives, *carried))
