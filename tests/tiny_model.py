# SPDX-License-Identifier: Apache-2.0
"""Makes a tiny classifier as float32 and int8 ``.tflite`` files: ``python tiny_model.py FOLDER``.

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


def build(images: NDArray[np.uint8]) -> Any:
    """A small model whose last layer is drawn so that these images get different scores."""
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(7)
    image = layers.Input((96, 96, 1))
    x = layers.Conv2D(8, 3, 2, "same", activation="relu6")(image)
    x = layers.DepthwiseConv2D(3, 2, "same", activation="relu6", bias_initializer="ones")(x)
    x = layers.Conv2D(12, 1, activation="relu6", bias_initializer="ones")(x)
    features = layers.GlobalAveragePooling2D()(x)
    head = layers.Dense(CLASSES, activation="softmax")
    model = tf.keras.Model(image, head(features))
    found = tf.keras.Model(image, features).predict(normalised(images), verbose=0)
    kernel = np.random.default_rng(1).normal(size=(found.shape[1], CLASSES))
    kernel *= 4 / (found.std(axis=0)[:, np.newaxis] + 0.3)
    head.set_weights([kernel, -found.mean(axis=0) @ kernel])
    return model


def normalised(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (images[..., np.newaxis].astype(np.float32) - 128) / 128


def representative(images: NDArray[np.uint8]) -> Callable[[], Iterator[list[NDArray[np.float32]]]]:
    """The images, and the two ends of the range, so that the input scale is 1/128."""
    ends = [np.full((96, 96, 1), value, np.float32) for value in (-1.0, 127 / 128)]
    return lambda: ([image[np.newaxis]] for image in [*normalised(images), *ends])


def convert(model: Any, images: NDArray[np.uint8] | None) -> bytes:
    """The ``.tflite`` file: int8 throughout when calibrated with images, else float32."""
    function = tf.function(lambda x: model(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, 96, 96, 1)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if images is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative(images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def main(folder: Path) -> None:
    images = blocky_images()
    model = build(images)
    (folder / "float32.tflite").write_bytes(convert(model, None))
    (folder / "int8.tflite").write_bytes(convert(model, images))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
