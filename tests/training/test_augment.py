# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecxr.training.augment import Augmentation, augment

STILL = {"shift": 0, "rotation": 0, "zoom": 0, "contrast": 0, "brightness": 0}


def batch(count: int = 2, side: int = 32) -> Any:
    """Noise that fills half of the range, so that small changes are not clipped."""
    import tensorflow as tf

    return tf.random.stateless_uniform((count, side, side, 1), (1, 2), -0.5, 0.5)


def test_augmentation_follows_its_seed_and_stays_in_range() -> None:
    import tensorflow as tf

    batch = tf.random.stateless_uniform((4, 32, 32, 1), (1, 2), -1.0, 127 / 128)
    strong = Augmentation(shift=0.3, rotation=90, zoom=0.5, contrast=0.9, brightness=0.5, flip=True)
    first = augment(batch, strong, (5, 6)).numpy()
    np.testing.assert_array_equal(first, augment(batch, strong, (5, 6)).numpy())
    assert not np.array_equal(first, augment(batch, strong, (5, 7)).numpy())
    assert first.min() >= -1.0
    assert first.max() <= 127 / 128


def test_augmentation_of_nothing_changes_nothing() -> None:
    import tensorflow as tf

    batch = tf.random.stateless_uniform((2, 32, 32, 1), (1, 2), -1.0, 127 / 128)
    still = Augmentation(**STILL)
    assert not still.active
    np.testing.assert_allclose(augment(batch, still, (5, 6)), batch, atol=1e-6)


def test_flip_mirrors_left_and_right() -> None:
    import tensorflow as tf

    batch = tf.random.stateless_uniform((64, 8, 8, 1), (1, 2), -1.0, 127 / 128)
    only_flip = Augmentation(**STILL, flip=True)
    out = augment(batch, only_flip, (5, 6)).numpy()
    same = [np.allclose(a, b, atol=1e-5) for a, b in zip(out, batch.numpy(), strict=True)]
    mirrored = [
        np.allclose(a, b[:, ::-1], atol=1e-5) for a, b in zip(out, batch.numpy(), strict=True)
    ]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 10 < sum(mirrored) < 54


@pytest.mark.parametrize("part", ["gamma", "shade", "blur", "noise", "erase"])
def test_each_part_changes_images_and_follows_its_seed(part: str) -> None:
    settings = Augmentation(**STILL, **{part: 0.9})
    assert settings.active
    images = batch(8)
    first = augment(images, settings, (5, 6)).numpy()
    np.testing.assert_array_equal(first, augment(images, settings, (5, 6)).numpy())
    assert not np.array_equal(first, augment(images, settings, (5, 7)).numpy())
    changed = np.abs(first - images.numpy()).max(axis=(1, 2, 3)) > 1e-3
    assert changed.sum() >= 5


def test_gamma_keeps_the_order_of_greys_and_both_ends_to_two_levels() -> None:
    import tensorflow as tf

    ramp = tf.reshape(tf.linspace(-1.0, 127 / 128, 64 * 64), (1, 64, 64, 1))
    bent = augment(tf.tile(ramp, (6, 1, 1, 1)), Augmentation(**STILL, gamma=0.7), (1, 1)).numpy()
    for image in bent:
        assert (np.diff(image.ravel()) >= 0).all()
        assert image.min() == pytest.approx(-1.0, abs=2 / 128)
        assert image.max() == pytest.approx(127 / 128, abs=2 / 128)


def test_blur_keeps_the_mean_and_changes_the_contrast_of_noise_both_ways() -> None:
    images = batch(16)
    out = augment(images, Augmentation(**STILL, blur=1.0), (3, 4)).numpy()
    np.testing.assert_allclose(
        out.mean(axis=(1, 2, 3)), images.numpy().mean(axis=(1, 2, 3)), atol=0.02
    )
    ratio = out.std(axis=(1, 2, 3)) / images.numpy().std(axis=(1, 2, 3))
    assert ratio.min() < 0.8
    assert ratio.max() > 1.2


def test_shade_is_smooth() -> None:
    import tensorflow as tf

    flat = augment(tf.zeros((4, 96, 96, 1)), Augmentation(**STILL, shade=0.2), (3, 4)).numpy()
    assert np.abs(np.diff(flat, axis=1)).max() < 0.05
    assert np.ptp(flat, axis=(1, 2, 3)).min() > 0.1


def test_erase_makes_one_rectangle_of_its_share_of_the_images() -> None:
    images = batch(200, 48)
    out = augment(images, Augmentation(**STILL, erase=0.5), (3, 4)).numpy()
    changed = (np.abs(out - images.numpy()) > 1e-6)[..., 0]
    erased = [mask for mask in changed if mask.any()]
    assert 70 < len(erased) < 130
    for mask in erased:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        # A pixel may happen to have the mean's grey.
        assert box.mean() > 0.98
        assert max(len(rows), len(columns)) <= 0.4 * 48
