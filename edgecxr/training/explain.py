# SPDX-License-Identifier: Apache-2.0
"""Grad-CAM: which part of an image speaks for a class, in the float32 Keras model.

Source: Selvaraju et al. 2017 (Grad-CAM, eq. 1 and 2). It shows where a class score would change
most, not why, and no finer than the feature map that it is computed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgecxr.core.bundle import Bundle
from edgecxr.errors import ModelError, UsageError
from edgecxr.training.keras_file import load_of
from edgecxr.training.tf import start_tensorflow

if TYPE_CHECKING:
    import keras

FINEST = 6
"""A feature map of fewer cells a side says too little about a place; the last layer of MobileNetV1
at 96 pixels has 3."""


@dataclass(frozen=True)
class Explanation:
    """Of one image.

    Attributes:
        heat: float32 (height, width), not negative, greatest value 1; all 0 if nothing in the
            image speaks for the class.
        explained: index of the class that the heat is for.
        scores: float32 (classes,), what the model says.
    """

    heat: NDArray[np.float32]
    explained: int
    scores: NDArray[np.float32]


class Explainer:
    """A bundle's Keras model, cut open at one layer.

    Attributes:
        layer: its name.
        cells: height and width of its feature map.
    """

    def __init__(self, bundle: Bundle, layer: str | None = None) -> None:
        """Load the model.

        Args:
            layer: whose feature maps are weighed; by default the last one with 6×6 cells or more.

        Raises:
            BundleError: if the bundle has no Keras model.
            MissingPackageError: if tensorflow is not installed.
            ModelError: if its file is refused, or the model has no feature map.
            UsageError: if there is no such layer, or it has no feature map.
        """
        bundle.path("keras")
        start_tensorflow(0)
        import keras

        model = load_of(bundle)
        chosen = _layer_of(model, layer)
        self.layer: str = chosen.name
        self.cells: tuple[int, int] = tuple(chosen.output.shape[1:3])
        self._model = keras.Model(model.inputs, [chosen.output, model.output])

    def explain(self, pixels: NDArray[np.uint8], label: int | None = None) -> Explanation:
        """Weigh the feature maps of one image.

        Args:
            pixels: (height, width), as the bundle's preprocessing gives them.
            label: index of the class to explain; None explains the top class.
        """
        import tensorflow as tf

        image = ((pixels.astype(np.float32) - 128) / 128)[np.newaxis, ..., np.newaxis]
        with tf.GradientTape() as tape:
            maps, scores = self._model(image, training=False)
            explained = int(np.argmax(scores[0])) if label is None else label
            # The logit but for a constant in the others' favour: what the softmax saturates,
            # the difference of logarithms does not.
            chance = tf.clip_by_value(scores[0, explained], 1e-7, 1 - 1e-7)
            logit = tf.math.log(chance) - tf.math.log(1 - chance)
        slopes = tape.gradient(logit, maps)
        weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
        coarse = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1))[0].numpy()
        return Explanation(_enlarged(coarse, pixels.shape), explained, scores.numpy()[0])

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the last layer with weights decides on: float32 (N, features).

        Args:
            images: (N, height, width), as the bundle's preprocessing gives them.
        """
        import keras

        last = [layer for layer in self._model.layers if layer.weights][-1]
        cut = keras.Model(self._model.inputs, keras.layers.Flatten()(last.input))
        pixels = (images.astype(np.float32) - 128) / 128
        found = cut.predict(pixels[..., np.newaxis], batch_size=64, verbose=0)
        return np.asarray(found, np.float32)


def _layer_of(model: keras.Model, name: str | None) -> Any:
    mapped = [layer for layer in model.layers if len(_shape(layer)) == 4][1:]
    if not mapped:
        raise ModelError("expected a model with feature maps, found none; Grad-CAM cannot tell")
    if name is None:
        fine = [layer for layer in mapped if min(_shape(layer)[1:3]) >= FINEST]
        return (fine or mapped)[-1]
    found = [layer for layer in mapped if layer.name == name]
    if not found:
        known = ", ".join(layer.name for layer in mapped[-4:])
        raise UsageError(f"expected a layer with a feature map, such as {known}; found {name!r}")
    return found[0]


def _shape(layer: Any) -> tuple[int, ...]:
    shape = getattr(layer.output, "shape", ())  # a layer of several outputs has no one shape
    return tuple(size or 0 for size in shape)


def _enlarged(coarse: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    height, width = shape
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)
    heat = np.asarray(image, np.float32)
    greatest = float(heat.max())
    return heat / greatest if greatest > 0 else np.zeros_like(heat)
