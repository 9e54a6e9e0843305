# SPDX-License-Identifier: Apache-2.0
"""Augmentation: for each image a random affine map, a random exposure and random damage.

There is no flip by default: the heart lies left, and a mirrored chest (situs inversus) is a
finding, not a variation. Every draw follows from (seed, epoch, batch), so that a resumed run
repeats it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

# A random shade is drawn on a grid of so many points a side and enlarged to the image.
SHADE_GRID = 4
# Where the draws of an image stand, so that switching one part off leaves the others' draws.
DRAWS = (
    *("rotation", "zoom_y", "zoom_x", "shift_x", "shift_y", "contrast", "brightness", "flip"),
    *("gamma", "blur", "noise", "erase", "erase_y", "erase_x", "erase_height", "erase_width"),
)


class Augmentation(BaseModel):
    """Ranges of the random draws; each draw is uniform in ± the value. 0 switches a part off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shift: float = Field(0.06, ge=0, le=0.5, description="share of the image's side")
    rotation: float = Field(8.0, ge=0, le=180, description="degrees")
    zoom: float = Field(0.1, ge=0, lt=1, description="relative; height and width on their own")
    contrast: float = Field(0.2, ge=0, lt=1, description="relative, about the image's mean")
    brightness: float = Field(0.1, ge=0, le=1, description="share of the grey range")
    flip: bool = False
    gamma: float = Field(0.0, ge=0, le=3, description="natural logarithm of the exponent")
    shade: float = Field(0.0, ge=0, le=1, description="smooth over the image; share of the range")
    blur: float = Field(0.0, ge=0, le=1, description="+1 is a 5×5 binomial blur; below 0 sharpens")
    noise: float = Field(0.0, ge=0, le=1, description="largest deviation; share of the grey range")
    erase: float = Field(0.0, ge=0, le=1, description="share of images with a grey rectangle")

    @property
    def active(self) -> bool:
        return any(self.model_dump().values())


def augment(images: Any, settings: Augmentation, seed: Any) -> Any:
    """Augment one batch.

    Args:
        images: float32 tensor (N, H, W, C) in [-1, 1).
        seed: integer tensor (2,), for TensorFlow's stateless generators.
    """
    import tensorflow as tf

    seed = tf.cast(seed, tf.int64)
    shape = tf.shape(images)
    uniform = tf.random.stateless_uniform((shape[0], len(DRAWS)), seed, -1.0, 1.0)
    draws = {name: uniform[:, i] for i, name in enumerate(DRAWS)}
    images = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=_transforms(draws, settings, shape),
        output_shape=shape[1:3],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
    images = _exposed(images, draws, settings, seed)
    if settings.blur > 0:
        images += settings.blur * _per_image(draws["blur"]) * (_blurred(images) - images)
    if settings.noise > 0:
        grain = tf.random.stateless_normal(shape, seed + 2**41)
        # The grey range is 2 wide.
        images += 2.0 * settings.noise * tf.abs(_per_image(draws["noise"])) * grain
    if settings.erase > 0:
        images = _erased(images, draws, settings.erase)
    return tf.clip_by_value(images, -1.0, 127.0 / 128.0)


def _exposed(images: Any, draws: dict[str, Any], settings: Augmentation, seed: Any) -> Any:
    """Gamma, contrast, brightness and shade."""
    import tensorflow as tf

    if settings.gamma > 0:
        exponent = tf.exp(settings.gamma * _per_image(draws["gamma"]))
        grey = tf.clip_by_value((images + 1.0) / 2.0, 1e-4, 1.0)
        images = 2.0 * tf.pow(grey, exponent) - 1.0
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    contrast = 1.0 + settings.contrast * _per_image(draws["contrast"])
    offset = 2.0 * settings.brightness * _per_image(draws["brightness"])
    if settings.shade > 0:
        shape = tf.shape(images)
        grid = (shape[0], SHADE_GRID, SHADE_GRID, 1)
        field = tf.random.stateless_uniform(grid, seed + 2**42, -1.0, 1.0)
        offset += 2.0 * settings.shade * tf.image.resize(field, shape[1:3], "bilinear")
    return (images - mean) * contrast + mean + offset


def _blurred(images: Any) -> Any:
    """[1 4 6 4 1]/16 in both directions, reflected at the border."""
    import tensorflow as tf

    padded = tf.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "REFLECT")
    kernel = tf.constant([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
    channels = images.shape[-1]
    for shape in ((5, 1), (1, 5)):
        line = tf.tile(tf.reshape(kernel, (*shape, 1, 1)), (1, 1, channels, 1))
        padded = tf.nn.depthwise_conv2d(padded, line, (1, 1, 1, 1), "VALID")
    return padded


def _erased(images: Any, draws: dict[str, Any], share: float) -> Any:
    """A rectangle of an eighth to three eighths of each side becomes the image's mean (random
    erasing, Zhong et al. 2020), in a share of the images."""
    import tensorflow as tf

    def inside(size: Any, centre: Any, extent: Any) -> Any:
        places = tf.linspace(-1.0, 1.0, size)[tf.newaxis]
        half = 0.25 + 0.125 * extent
        return tf.abs(places - centre[:, tf.newaxis]) < half[:, tf.newaxis]

    rows = inside(tf.shape(images)[1], draws["erase_y"], draws["erase_height"])
    columns = inside(tf.shape(images)[2], draws["erase_x"], draws["erase_width"])
    chosen = (draws["erase"] + 1.0) / 2.0 < share
    mask = rows[:, :, tf.newaxis] & columns[:, tf.newaxis] & chosen[:, tf.newaxis, tf.newaxis]
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return tf.where(mask[..., tf.newaxis], mean, images)


def _per_image(draw: Any) -> Any:
    import tensorflow as tf

    return tf.reshape(draw, (-1, 1, 1, 1))


def _transforms(draws: dict[str, Any], settings: Augmentation, shape: Any) -> Any:
    """(N, 8) rows [a0 a1 a2 b0 b1 b2 0 0] that map output to input pixels about the centre."""
    import math

    import tensorflow as tf

    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    angle = draws["rotation"] * (settings.rotation * math.pi / 180.0)
    scale_y = 1.0 + settings.zoom * draws["zoom_y"]
    scale_x = 1.0 + settings.zoom * draws["zoom_x"]
    if settings.flip:
        scale_x *= tf.where(draws["flip"] < 0.0, -1.0, 1.0)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    a0, a1 = cosine * scale_x, -sine * scale_y
    b0, b1 = sine * scale_x, cosine * scale_y
    centre_x, centre_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    shift_x = settings.shift * width * draws["shift_x"]
    shift_y = settings.shift * height * draws["shift_y"]
    a2 = centre_x - a0 * centre_x - a1 * centre_y + shift_x
    b2 = centre_y - b0 * centre_x - b1 * centre_y + shift_y
    zero = tf.zeros_like(angle)
    return tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)
