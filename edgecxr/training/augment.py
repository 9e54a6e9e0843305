# SPDX-License-Identifier: Apache-2.0
"""Augmentation: a random affine map and a random exposure for each image.

There is no flip by default: the heart lies left, and a mirrored chest (situs inversus) is a
finding, not a variation. Every draw follows from (seed, epoch, batch), so that a resumed run
repeats it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Augmentation(BaseModel):
    """Ranges of the random draws; each draw is uniform in ± the value. 0 switches a part off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shift: float = Field(0.06, ge=0, le=0.5, description="share of the image's side")
    rotation: float = Field(8.0, ge=0, le=180, description="degrees")
    zoom: float = Field(0.1, ge=0, lt=1, description="relative; height and width on their own")
    contrast: float = Field(0.2, ge=0, lt=1, description="relative, about the image's mean")
    brightness: float = Field(0.1, ge=0, le=1, description="share of the grey range")
    flip: bool = False

    @property
    def active(self) -> bool:
        return self.flip or any(
            (self.shift, self.rotation, self.zoom, self.contrast, self.brightness)
        )


def augment(images: Any, settings: Augmentation, seed: Any) -> Any:
    """Augment one batch.

    Args:
        images: float32 tensor (N, H, W, C) in [-1, 1).
        seed: int32 tensor (2,), for TensorFlow's stateless generators.
    """
    import tensorflow as tf

    shape = tf.shape(images)
    draws = tf.random.stateless_uniform((shape[0], 8), seed, -1.0, 1.0)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=_transforms(draws, settings, shape),
        output_shape=shape[1:3],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
    mean = tf.reduce_mean(moved, axis=(1, 2, 3), keepdims=True)
    contrast = 1.0 + settings.contrast * _per_image(draws[:, 5])
    # The grey range is 2 wide.
    brightness = 2.0 * settings.brightness * _per_image(draws[:, 6])
    exposed = (moved - mean) * contrast + mean + brightness
    return tf.clip_by_value(exposed, -1.0, 127.0 / 128.0)


def _per_image(draw: Any) -> Any:
    import tensorflow as tf

    return tf.reshape(draw, (-1, 1, 1, 1))


def _transforms(draws: Any, settings: Augmentation, shape: Any) -> Any:
    """(N, 8) rows [a0 a1 a2 b0 b1 b2 0 0] that map output to input pixels about the centre."""
    import math

    import tensorflow as tf

    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    angle = draws[:, 0] * (settings.rotation * math.pi / 180.0)
    scale_y = 1.0 + settings.zoom * draws[:, 1]
    scale_x = 1.0 + settings.zoom * draws[:, 2]
    if settings.flip:
        scale_x *= tf.where(draws[:, 7] < 0.0, -1.0, 1.0)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    a0, a1 = cosine * scale_x, -sine * scale_y
    b0, b1 = sine * scale_x, cosine * scale_y
    centre_x, centre_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    a2 = centre_x - a0 * centre_x - a1 * centre_y + settings.shift * width * draws[:, 3]
    b2 = centre_y - b0 * centre_x - b1 * centre_y + settings.shift * height * draws[:, 4]
    zero = tf.zeros_like(angle)
    return tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)
