# SPDX-License-Identifier: Apache-2.0
"""Makes tiny classifiers as ``.tflite`` files: ``python tiny_model.py FOLDER ours|foreign``.

A process of its own, since TensorFlow takes seconds to import and prints to the terminal. The
weights are drawn, not trained: a model with a constant output ends TFLM and the reference kernels,
so the last layer is scaled to the pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tests.images import blocky_images

CLASSES = 3


Normalise = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From gray pixels (N, 96, 96) to a model's input (N, 96, 96, channels)."""


def build(images: NDArray[np.uint8], normalise: Normalise) -> Any:
    """A small model whose last layer is drawn so that these images get different scores."""
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(7)
    image = layers.Input(normalise(images[:1]).shape[1:])
    x = layers.Conv2D(8, 3, 2, "same", activation="relu6")(image)
    x = layers.DepthwiseConv2D(3, 2, "same", activation="relu6", bias_initializer="ones")(x)
    x = layers.Conv2D(12, 1, activation="relu6", bias_initializer="ones")(x)
    features = layers.GlobalAveragePooling2D()(x)
    head = layers.Dense(CLASSES, activation="softmax")
    model = tf.keras.Model(image, head(features))
    found = tf.keras.Model(image, features).predict(normalise(images), verbose=0)
    kernel = np.random.default_rng(1).normal(size=(found.shape[1], CLASSES))
    kernel *= 4 / (found.std(axis=0)[:, np.newaxis] + 0.3)
    head.set_weights([kernel, -found.mean(axis=0) @ kernel])
    return model


def normalised(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (images[..., np.newaxis].astype(np.float32) - 128) / 128


def rgb(low: float, high: float) -> Normalise:
    """Gray in three channels, as other tools give it: 0 to 255 becomes low to high."""

    def normalise(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        colours = np.repeat(images[..., np.newaxis], 3, axis=-1)
        return (colours * ((high - low) / 255) + low).astype(np.float32)

    return normalise


def representative(
    images: NDArray[np.uint8], normalise: Normalise
) -> Callable[[], Iterator[list[NDArray[np.float32]]]]:
    """The images, and the two ends of the range: for models of ours the input scale is 1/128."""
    ends = normalise(np.stack([np.full((96, 96), end, np.uint8) for end in (0, 255)]))
    return lambda: ([image[np.newaxis]] for image in [*normalise(images), *ends])


def convert(
    model: Any,
    images: NDArray[np.uint8] | None,
    normalise: Normalise = normalised,
    ends: tuple[Any, Any] = (tf.int8, tf.int8),
) -> bytes:
    """The ``.tflite`` file: int8, with ``ends``, when calibrated with images, else float32."""
    function = tf.function(lambda x: model(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:])))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if images is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative(images, normalise)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type, converter.inference_output_type = ends
    return bytes(converter.convert())


def main(folder: Path, what: str) -> None:
    """``ours``: gray, float32 and int8. ``foreign``: RGB, as other tools make them."""
    images = blocky_images()
    if what == "ours":
        model = build(images, normalised)
        (folder / "float32.tflite").write_bytes(convert(model, None))
        (folder / "int8.tflite").write_bytes(convert(model, images))
        return
    for name, low in (("unit", 0), ("signed", -1)):
        normalise = rgb(low, 1)
        model = build(images, normalise)
        (folder / f"{name}-float32.tflite").write_bytes(convert(model, None))
        for end in (tf.int8, tf.uint8):
            data = convert(model, images, normalise, (end, end))
            (folder / f"{name}-{end.name}.tflite").write_bytes(data)
    for ends in ((tf.uint8, tf.int8), (tf.int8, tf.uint8), (tf.uint8, tf.float32)):
        data = convert(model, images, normalise, ends)
        (folder / f"{name}-{ends[0].name}-{ends[1].name}.tflite").write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
