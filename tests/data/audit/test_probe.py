# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecxr.data.audit import features
from edgecxr.data.audit.probe import told_by_pixels, told_by_table

TARGET = np.repeat([0, 1, 1], 60)
ALONE = np.arange(len(TARGET))


def noise(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def test_noise_tells_nothing_and_the_target_everything() -> None:
    nothing = told_by_table(noise((180, 3)), TARGET, ALONE)
    assert nothing is not None
    assert nothing.ci95[0] < nothing.chance == 0.5
    assert nothing.sure_gain < 0.05
    everything = told_by_table(TARGET[:, None].astype(np.float32), TARGET, ALONE)
    assert everything is not None
    assert everything.balanced_accuracy == 1
    assert everything.sure_gain > 0.9
    assert everything.majority == pytest.approx(2 / 3, abs=1e-4)


def test_only_pixels_that_are_seen_count() -> None:
    pixels = noise((180, 8, 8))
    pixels[:, 4, 4] += 9 * TARGET
    seen = np.ones((8, 8), bool)
    whole = told_by_pixels(pixels, seen, TARGET, ALONE)
    seen[4, 4] = False
    rest = told_by_pixels(pixels, seen, TARGET, ALONE)
    assert whole is not None
    assert rest is not None
    assert whole.sure_gain > 0.9
    assert rest.sure_gain < 0.05


def test_what_belongs_together_is_not_learnt_and_asked() -> None:
    """Pairs with equal pixels and random labels: remembered, unless a pair stays in one fold."""
    target = np.repeat(np.random.default_rng(3).integers(0, 2, 60), 2)
    table = np.repeat(noise((60, 1)), 2, axis=0)
    told = told_by_table(table, target, np.repeat(np.arange(60), 2))
    assert told is not None
    assert told.sure_gain < 0.05


def test_too_few_images_or_equal_figures_say_nothing() -> None:
    assert told_by_table(np.ones((180, 3), np.float32), TARGET, ALONE) is None
    assert told_by_table(noise((180, 3)), TARGET, ALONE // 60 * 60) is None
    assert told_by_table(noise((180, 3)), np.zeros(180, np.int64), ALONE) is None
    empty = np.zeros((0, 8, 8), np.float32)
    nobody = np.zeros(0, np.int64)
    assert told_by_pixels(empty, np.ones((8, 8), bool), nobody, nobody) is None


def test_masks_hide_what_they_say() -> None:
    border, no_lungs = features.border_mask(), features.no_lungs_mask()
    assert border.mean() == pytest.approx(1 - 0.75**2)
    assert not border[4:-4, 4:-4].any()
    assert not no_lungs[15, 9]
    assert not no_lungs[15, 22]
    assert np.array_equal(no_lungs, no_lungs[:, ::-1])
    assert 0.3 < no_lungs.mean() < 0.5
