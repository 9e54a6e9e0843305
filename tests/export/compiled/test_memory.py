# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edgecxr.export.compiled.memory import Buffer, InPlace, Rectangle, forbidden, merge, place

RECTANGLES = st.builds(
    lambda offset, size, born, life: Rectangle(offset, size, born, born + life),
    st.integers(0, 40),
    st.integers(1, 20),
    st.integers(0, 12),
    st.integers(0, 5),
)


def test_touching_intervals_stay_apart_because_their_end_is_allowed() -> None:
    assert merge([(0, 4), (4, 8)]) == [(0, 4), (4, 8)]
    assert merge([(0, 5), (4, 8)]) == [(0, 8)]
    assert merge([(3, 4)]) == []


def test_what_never_lives_together_may_lie_anywhere() -> None:
    a = Buffer("a", [Rectangle(0, 10, 0, 3)])
    assert forbidden(a, Buffer("b", [Rectangle(0, 10, 4, 5)])) == []
    assert forbidden(a, Buffer("b", [Rectangle(0, 4, 3, 5)])) == [(-4, 10)]


def test_rows_that_die_one_by_one_leave_room_for_rows_that_are_born_one_by_one() -> None:
    rows = Buffer("x", [Rectangle(8 * r, 8, 0, r + 1) for r in range(4)])
    made = Buffer("y", [Rectangle(8 * r, 8, r + 1, 9) for r in range(4)])
    assert place([rows, made], []).total == 40  # one row more than one map


def test_in_place_work_needs_one_buffer_only() -> None:
    x = Buffer("x", [Rectangle(0, 32, 0, 1)])
    y = Buffer("y", [Rectangle(0, 64, 1, 2)])
    assert place([x, y], []).total == 96
    grown = place([x, y], [InPlace("x", "y", -32)])
    assert grown.total == 64
    assert grown.offsets == {"x": 32, "y": 0}
    z = Buffer("z", [Rectangle(0, 16, 1, 2)])
    assert place([x, z], [InPlace("x", "z", None)]).offsets == {"x": 0, "z": 0}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(RECTANGLES, min_size=1, max_size=4), min_size=1, max_size=6))
def test_no_two_living_rectangles_of_two_buffers_share_a_byte(
    shapes: list[list[Rectangle]],
) -> None:
    buffers = [Buffer(str(i), rectangles) for i, rectangles in enumerate(shapes)]
    placement = place(buffers, [], tries=5)
    owner: dict[tuple[int, int], str] = {}
    for buffer in buffers:
        at = placement.offsets[buffer.name]
        assert at >= 0
        assert at % 4 == 0
        assert at + buffer.size <= placement.total
        for r in buffer.rectangles:
            for step in range(r.born, r.died + 1):
                for byte in range(at + r.offset, at + r.offset + r.size):
                    assert owner.setdefault((step, byte), buffer.name) == buffer.name
