# SPDX-License-Identifier: Apache-2.0
"""The memory plan as a picture: bytes of the arena against time, as SVG."""

from __future__ import annotations

from collections.abc import Iterator

from edgecxr.export.compiled.memory import Buffer
from edgecxr.export.compiled.plan import Plan
from edgecxr.export.compiled.schedule import PUSH

WIDTH, HEIGHT = 1000, 460
LEFT, RIGHT, TOP, BOTTOM = 72, 16, 56, 96
COLOURS = {
    "input rows": "#8d99ae",
    "rows": "#2a6f97",
    "staging row": "#e09f3e",
    "scratch": "#9e2a2b",
}


def picture(plan: Plan, title: str) -> str:
    """An SVG image; the same plan gives the same bytes."""
    across = (WIDTH - LEFT - RIGHT) / len(plan.timeline.steps)
    up = (HEIGHT - TOP - BOTTOM) / plan.total
    shapes = []
    for buffer in plan.buffers:
        kind = _kind(plan, buffer)
        at = plan.placement.offsets[buffer.name]
        for (low, high), alive in buffer.alive.items():
            for start, end in _runs(alive & ((1 << len(plan.timeline.steps)) - 1)):
                x, width = LEFT + start * across, max((end - start) * across, 0.4)
                y = HEIGHT - BOTTOM - (at + high) * up
                shapes.append(
                    f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" '
                    f'height="{(high - low) * up:.2f}" fill="{COLOURS[kind]}">'
                    f"<title>{_escape(_label(plan, buffer))}</title></rect>"
                )
    body = "\n".join((*shapes, *_axes(plan, across, up), *_legend(plan, title)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="#222">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _runs(alive: int) -> Iterator[tuple[int, int]]:
    """(first step, step after the last) of every run of set bits."""
    position = 0
    while alive:
        skip = (alive & -alive).bit_length() - 1
        alive >>= skip
        length = (~alive & (alive + 1)).bit_length() - 1
        yield position + skip, position + skip + length
        alive >>= length
        position += skip + length


def _kind(plan: Plan, buffer: Buffer) -> str:
    if buffer.name == f"value {plan.model.input.storage}":
        return "input rows"
    return {"value": "rows", "staging": "staging row", "scratch": "scratch"}[buffer.name.split()[0]]


def _label(plan: Plan, buffer: Buffer) -> str:
    kind, number = buffer.name.split()
    if kind == "scratch":
        return f"scratch of {plan.model.layers[int(number)].name}"
    value = plan.timeline.lives[int(number)].value
    return f"{'staging row of ' if kind == 'staging' else ''}{value.shape} {value.name}"


def _axes(plan: Plan, across: float, up: float) -> Iterator[str]:
    floor, steps = HEIGHT - BOTTOM, plan.timeline.steps
    tick = next(1 << bits for bits in range(8, 64) if plan.total >> bits <= 12)
    for size in (*range(0, plan.total, tick), plan.total):
        y = floor - size * up
        anchor = f'<text x="{LEFT - 6}" y="{y + 4:.2f}" text-anchor="end">{size:,}</text>'
        if size == plan.total or plan.total - size > tick / 3:
            yield (
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.2f}" y2="{y:.2f}" stroke="#bbb"/>'
            )
            yield anchor
    free = 0.0  # where the next label may start
    for segment in plan.timeline.segments:
        start = next(
            i
            for i, s in enumerate(steps)
            if segment.start <= s.layer < segment.end or (segment.arriving and s.layer == PUSH)
        )
        x = LEFT + start * across
        yield f'<line x1="{x:.2f}" x2="{x:.2f}" y1="{TOP}" y2="{floor + 6}" stroke="#888"/>'
        end = segment.end - 1
        names = str(segment.start) if end == segment.start else f"{segment.start}–{end}"
        last = max(i for i, s in enumerate(steps) if s.layer == end)
        middle, half = x + (last + 1 - start) * across / 2, 4.0 * len(names)
        if middle - half > free + 4:
            free = middle + half
            yield f'<text x="{middle:.2f}" y="{floor + 20}" text-anchor="middle">{names}</text>'
    yield (
        f'<text x="{(LEFT + WIDTH) / 2}" y="{floor + 40}" text-anchor="middle">'
        "time: rows and maps as they are made, left to right; numbers are layers</text>"
    )


def _legend(plan: Plan, title: str) -> Iterator[str]:
    yield f'<text x="{LEFT}" y="24" font-size="16">{_escape(title)}</text>'
    yield (
        f'<text x="{LEFT}" y="44">arena {plan.total:,} bytes; the first {plan.depth} layers run '
        "while the image arrives</text>"
    )
    for i, (name, colour) in enumerate(COLOURS.items()):
        x = LEFT + 150 * i
        yield f'<rect x="{x}" y="{HEIGHT - 30}" width="14" height="14" fill="{colour}"/>'
        yield f'<text x="{x + 20}" y="{HEIGHT - 18}">{name}</text>'


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
