# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecxr.training.batches import Batches, Images, class_weights, normalised, soft_scores
from edgecxr.training.settings import TrainingSettings

STILL = {"shift": 0, "rotation": 0, "zoom": 0, "contrast": 0, "brightness": 0}


def images(count: int = 32) -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 16, 16)).astype(np.uint8)
    return Images(pixels, np.arange(count) % 4 // 3)


def settings(**values: Any) -> TrainingSettings:
    return TrainingSettings(batch=8, augmentation=STILL, **values)


def epoch(batches: Batches, number: int = 0) -> tuple[np.ndarray, ...]:
    parts = zip(*batches.of_epoch(number).as_numpy_iterator(), strict=True)
    return tuple(np.concatenate(part) for part in parts)


def says(*scores: float) -> Any:
    """A teacher that says the same of every image."""
    import tensorflow as tf

    def teacher(pixels: Any, training: bool) -> Any:
        assert not training
        return tf.tile([scores], (tf.shape(pixels)[0], 1))

    return teacher


def test_class_weights_balance_and_keep_the_mean() -> None:
    labels = np.array([0] * 30 + [1] * 10)
    weights = class_weights(labels, 2)
    assert weights[0] * 30 == pytest.approx(weights[1] * 10)
    assert weights[labels].mean() == pytest.approx(1.0)


def test_an_epoch_has_each_image_once_and_another_order_each_time() -> None:
    batches = Batches(images(), 2, settings())
    first, targets, weights = epoch(batches)
    expected = normalised(images().pixels).numpy()
    assert sorted(first.sum(axis=(1, 2, 3))) == pytest.approx(sorted(expected.sum(axis=(1, 2, 3))))
    assert not np.array_equal(first, epoch(batches, 1)[0])
    np.testing.assert_array_equal(first, epoch(batches)[0])
    assert targets.sum(axis=0).tolist() == [24, 8]
    assert (weights * targets[:, 1]).sum() == pytest.approx((weights * targets[:, 0]).sum())


def test_mixup_mixes_pixels_and_targets_in_the_same_shares() -> None:
    plain, plain_targets, _ = epoch(Batches(images(), 2, settings()))
    mixed, targets, _ = epoch(Batches(images(), 2, settings(mixup=1.0)))
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, atol=1e-6)
    partner = np.concatenate([plain[i : i + 8][::-1] for i in range(0, 32, 8)])
    other = np.concatenate([plain_targets[i : i + 8][::-1] for i in range(0, 32, 8)])
    moved = ((mixed - partner) * (plain - partner)).sum(axis=(1, 2, 3))
    share = moved / ((plain - partner) ** 2).sum(axis=(1, 2, 3))
    assert share.min() >= 0.5 - 1e-5
    assert np.ptp(share) > 0.2
    np.testing.assert_allclose(
        targets, share[:, None] * plain_targets + (1 - share[:, None]) * other, atol=1e-4
    )


def test_teachers_are_a_share_of_the_targets() -> None:
    wise = Batches(images(), 2, settings(teacher_share=0.25), [says(0.2, 0.8), says(0.4, 0.6)])
    _, targets, _ = epoch(wise)
    _, labels, _ = epoch(Batches(images(), 2, settings()))
    np.testing.assert_allclose(targets, 0.75 * labels + 0.25 * np.array([0.3, 0.7]), atol=1e-6)


def test_temperature_softens_and_keeps_the_order() -> None:
    import tensorflow as tf

    pixels = tf.zeros((1, 8, 8, 1))
    hard = soft_scores([says(0.05, 0.95)], pixels, 1.0).numpy()[0]
    soft = soft_scores([says(0.05, 0.95)], pixels, 4.0).numpy()[0]
    np.testing.assert_allclose(hard, [0.05, 0.95], atol=1e-6)
    # Logits that are a quarter as far apart.
    assert np.log(soft[1] / soft[0]) == pytest.approx(np.log(0.95 / 0.05) / 4, abs=1e-5)
