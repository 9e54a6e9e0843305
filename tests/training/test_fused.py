# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np

from edgecxr.training.architectures import Spec, build
from edgecxr.training.fused import fused

PIXELS = np.random.default_rng(0).normal(size=(16, 32, 32, 1)).astype(np.float32)


def small() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    return build("mobilenet_v1", Spec(32, 32, 1, 3, 0.1))


def step(model: Any) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Scores in training, gradients, and the moving figures after it."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        scores = model(PIXELS, training=True)
        loss = tf.reduce_mean(scores[:, 0] ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    moving = [np.asarray(w) for w in model.non_trainable_variables]
    return scores.numpy(), [np.asarray(g) for g in gradients], moving


def test_the_fused_model_computes_and_learns_as_the_one_of_keras() -> None:
    plain = small()
    copy = fused(plain)
    assert [w.shape for w in copy.weights] == [w.shape for w in plain.weights]
    np.testing.assert_array_equal(copy(PIXELS).numpy(), plain(PIXELS).numpy())
    (scores, gradients, moving), (expected, theirs, average) = step(copy), step(plain)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    for mine, other in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4 + 1e-2 * np.abs(other).max())
    for mine, other in zip(moving, average, strict=True):
        # The fused op divides by N - 1: at 1×1 pixels and 16 images 7 % more, a twentieth of it.
        np.testing.assert_allclose(mine, other, rtol=5e-3, atol=1e-4)


def test_a_frozen_layer_stays_frozen() -> None:
    plain = small()
    for layer in plain.layers[:-1]:
        layer.trainable = False
    copy = fused(plain)
    before = copy.get_weights()
    copy(PIXELS, training=True)
    for mine, other in zip(copy.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, other)
