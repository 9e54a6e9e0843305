# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edgecxr.data import similar
from edgecxr.data.anatomy import OPACITIES, draw
from edgecxr.data.similar import Signatures, groups, pairs_between, pairs_within, signatures


@pytest.fixture(scope="module")
def phantoms() -> NDArray[np.uint8]:
    """uint8 (36, 128, 128), twelve of each class."""
    labels = [*OPACITIES] * 12
    return np.stack([draw(label, np.random.default_rng(i), 128) for i, label in enumerate(labels)])


def found(images: NDArray[np.uint8]) -> set[tuple[int, int]]:
    return {(pair.first, pair.second) for pair in pairs_within(signatures(images))}


def test_phantoms_of_one_class_are_not_duplicates(phantoms: NDArray[np.uint8]) -> None:
    assert found(phantoms) == set()


def _again(image: NDArray[np.uint8], how: str) -> NDArray[np.uint8]:
    picture = Image.fromarray(image)
    changed = {
        "copied": picture,
        "equalized": ImageOps.equalize(picture),
        "brighter": picture.point([min(255, v + 30) for v in range(256)]),
        "smaller": picture.resize((96, 96), Image.Resampling.LANCZOS).resize((128, 128)),
        "negative": ImageOps.invert(picture),
        "labelled": picture.copy(),
    }[how]
    if how == "labelled":
        changed.paste(255, (0, 0, 14, 128))
    return np.asarray(changed)


@pytest.mark.parametrize(
    "how", ["copied", "equalized", "brighter", "smaller", "negative", "labelled"]
)
def test_a_changed_copy_is_found_and_nothing_else(phantoms: NDArray[np.uint8], how: str) -> None:
    images = np.concatenate([phantoms, _again(phantoms[7], how)[None]])
    assert found(images) == {(7, len(phantoms))}


def test_the_score_of_a_negative_is_negative(phantoms: NDArray[np.uint8]) -> None:
    pair = pairs_between(signatures(phantoms[:1]), signatures(255 - phantoms[:1]))[0]
    assert pair.score < -0.99


def test_pairs_do_not_depend_on_the_blocks(
    phantoms: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.concatenate([phantoms, phantoms[::3]])
    whole = pairs_within(signatures(images))
    monkeypatch.setattr(similar, "_BLOCK", 8)
    parts = pairs_within(signatures(images))
    assert len(whole) == 12
    assert [(p.first, p.second) for p in parts] == [(p.first, p.second) for p in whole]
    both = pairs_between(signatures(phantoms), signatures(phantoms[::3]))
    assert [(p.first, p.second) for p in both] == [(3 * i, i) for i in range(12)]


def test_pictures_without_detail_are_like_no_other() -> None:
    flat = np.full((4, 128, 128), 90, np.uint8)
    flat[2:, 40:60, 40:60] = 200  # the same letter, burnt into two blanks
    marks = signatures(flat)
    assert isinstance(marks, Signatures)
    assert not marks.scale.any()
    assert found(flat) == set()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15))
def test_groups_hold_what_pairs_connect(pairs: list[tuple[int, int]]) -> None:
    made = groups(10, pairs)
    where = {item: i for i, group in enumerate(made) for item in group}
    assert all(where[a] == where[b] for a, b in pairs)
    assert sorted(where) == sorted({item for pair in pairs for item in pair})
    # No group can be cut in two without cutting a pair.
    for group in made:
        reached = {group[0]}
        for _ in group:
            reached |= {b for pair in pairs for a, b in (pair, pair[::-1]) if a in reached}
        assert reached == set(group)
