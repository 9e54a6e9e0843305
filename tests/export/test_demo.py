# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgecxr.export.demo import DemoImage, demo_source, pack, unpack

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
pictures = sizes.flatmap(lambda size: arrays(np.uint8, size))


@given(pictures)
def test_an_unpacked_picture_is_near_the_mean_of_its_pixels(picture) -> None:
    height, width = picture.shape
    packed = pack(picture)
    assert len(packed) == (((height + 1) // 2) * ((width + 1) // 2) + 1) // 2
    found = unpack(packed, height, width)
    assert found.shape == picture.shape
    for y in range(0, height, 2):
        for x in range(0, width, 2):
            there = found[y : y + 2, x : x + 2]
            assert there.min() == there.max()
            mean = float(picture[y : y + 2, x : x + 2].mean())
            assert abs(float(there[0, 0]) - mean) <= 17 / 2


@given(pictures)
def test_packing_again_changes_nothing(picture) -> None:
    height, width = picture.shape
    once = pack(picture)
    assert pack(unpack(once, height, width)) == once


def test_every_level_is_there() -> None:
    levels = np.arange(16, dtype=np.uint8) * 17
    picture = levels.reshape(2, 8).repeat(2, axis=0).repeat(2, axis=1)
    assert pack(picture) == bytes.fromhex("0123456789abcdef")
    np.testing.assert_array_equal(unpack(pack(picture), 4, 16), picture)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_source_has_every_image_and_an_end(count: int) -> None:
    images = [DemoImage(f"number {i}", np.full((4, 4), i, np.uint8)) for i in range(count)]
    source = demo_source(images)
    assert f"#define ECX_DEMO_IMAGES {count}\n" in source
    assert [f'"number {i}"' in source for i in range(4)] == [i < count for i in range(4)]
    assert source.rstrip().endswith("{0, 0},\n};")
