# SPDX-License-Identifier: Apache-2.0
"""The batches of one epoch: order, augmentation, mixing, and what teachers say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecxr.training.augment import augment
from edgecxr.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Images:
    """pixels: uint8 (N, H, W); labels: int64 (N,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


def normalised(pixels: Any) -> Any:
    """uint8 (N, H, W) → float32 (N, H, W, 1) as (pixel − 128)/128, which int8 holds exactly."""
    import tensorflow as tf

    return (tf.cast(pixels, tf.float32)[..., tf.newaxis] - 128.0) / 128.0


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Weight of each class so that all classes weigh the same and the mean over images is 1."""
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)


def steps_of_epoch(images: int, batch: int) -> int:
    """Full batches in an epoch: a last batch of one or two images would upset batch statistics."""
    return max(1, images // batch)


class Batches:
    """Order, augmentation and mixing follow from (seed, epoch) alone."""

    def __init__(
        self,
        images: Images,
        classes: int,
        settings: TrainingSettings,
        teachers: Sequence[keras.Model] = (),
    ) -> None:
        import tensorflow as tf

        self.count = len(images.labels)
        self.settings = settings
        self.steps = steps_of_epoch(self.count, settings.batch)
        self._teachers = teachers
        self._pixels = tf.constant(np.asarray(images.pixels))
        self._targets = tf.one_hot(images.labels, classes)
        balanced = settings.class_balance == "weights"
        weights = class_weights(images.labels, classes) if balanced else np.ones(classes, "float32")
        self._weights = tf.constant(weights[images.labels])

    def of_epoch(self, epoch: int) -> Any:
        """A tf.data.Dataset of (images, targets, weights): float32 (N, H, W, 1), (N, classes),
        (N,)."""
        import tensorflow as tf

        order = np.random.default_rng([self.settings.seed, epoch]).permutation(self.count)
        order = order[: self.steps * self.settings.batch]
        indices = tf.data.Dataset.from_tensor_slices(order).batch(self.settings.batch)
        seeds = tf.data.Dataset.range(self.steps).map(
            lambda step: tf.stack([tf.cast(self.settings.seed, tf.int64), epoch * 2**20 + step])
        )
        pairs = tf.data.Dataset.zip(indices, seeds)
        return pairs.map(self._batch, num_parallel_calls=2, deterministic=True).prefetch(8)

    def _batch(self, indices: Any, seed: Any) -> tuple[Any, Any, Any]:
        import tensorflow as tf

        images = normalised(tf.gather(self._pixels, indices))
        targets, weights = tf.gather(self._targets, indices), tf.gather(self._weights, indices)
        if self.settings.augmentation.active:
            images = augment(images, self.settings.augmentation, seed)
        if self.settings.mixup > 0:
            images, targets, weights = _mixed(
                (images, targets, weights), self.settings.mixup, seed + 2**40
            )
        if self._teachers:
            share = self.settings.teacher_share
            said = soft_scores(self._teachers, images, self.settings.temperature)
            targets = (1.0 - share) * targets + share * said
        return images, targets, weights


def _mixed(batch: tuple[Any, ...], alpha: float, seed: Any) -> tuple[Any, ...]:
    """Mixup (Zhang et al. 2018): each image with the one at its mirrored place in the batch, in
    shares drawn from Beta(alpha, alpha); targets and weights in the same shares."""
    import tensorflow as tf

    count = tf.shape(batch[0])[0]
    gammas = tf.random.stateless_gamma((count, 2), seed, alpha=alpha)
    # Two gammas of a small alpha can both underflow to 0: then nothing is mixed.
    share = tf.math.divide_no_nan(gammas[:, 0], tf.reduce_sum(gammas, axis=1))
    share = tf.maximum(share, 1.0 - share)

    def mix(values: Any) -> Any:
        mine = tf.reshape(share, (-1, *[1] * (len(values.shape) - 1)))
        return mine * values + (1.0 - mine) * tf.reverse(values, axis=[0])

    return tuple(mix(values) for values in batch)


def soft_scores(teachers: Sequence[keras.Model], images: Any, temperature: float) -> Any:
    """Mean over teachers of their softened scores, (N, classes): p^(1/T), made to sum to 1
    (Hinton et al. 2015)."""
    import tensorflow as tf

    said = []
    for teacher in teachers:
        raised = tf.pow(teacher(images, training=False), 1.0 / temperature)
        said.append(raised / tf.reduce_sum(raised, axis=1, keepdims=True))
    return tf.add_n(said) / len(said)
