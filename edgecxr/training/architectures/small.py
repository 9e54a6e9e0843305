# SPDX-License-Identifier: Apache-2.0
"""The small networks that the papers drew themselves.

The papers name the layers' kinds and not every size. What they leave open is chosen here, and the
recipes say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecxr.training.architectures.spec import Spec, activated, image, penalty, with_head

if TYPE_CHECKING:
    import keras


def soric_cnn(spec: Spec) -> keras.Model:
    """Sorić: a block of Conv2D, four of SeparableConv2D with batch normalisation, pooling after
    each, dropout from the fourth on, L2; the activation is what the paper varies."""
    import keras

    inputs = image(spec)
    x = inputs
    for _ in range(2):
        x = _conv(x, 16, spec)
        x = activated(x, spec)
    x = keras.layers.MaxPooling2D(2)(x)
    for index, base in enumerate((32, 64, 128, 256)):
        for _ in range(2):
            x = keras.layers.SeparableConv2D(
                spec.filters(base),
                3,
                padding="same",
                depthwise_regularizer=penalty(spec),
                pointwise_regularizer=penalty(spec),
            )(x)
            x = activated(x, spec)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.MaxPooling2D(2)(x)
        if index >= 2 and spec.dropout > 0:
            x = keras.layers.Dropout(spec.dropout, seed=spec.seed + index)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return with_head(inputs, x, spec, "soric_cnn")


def dhanapal_cnn(spec: Spec) -> keras.Model:
    """Dhanapal: four blocks of convolution, batch normalisation, ReLU and pooling."""
    return _blocks(spec, (32, 64, 128, 256), normalise=True, name="dhanapal_cnn")


def simple_cnn(spec: Spec) -> keras.Model:
    """Karcevski's small network: two blocks of convolution and pooling, and a dense layer."""
    return _blocks(spec, (16, 32), normalise=False, name="simple_cnn")


def complex_cnn(spec: Spec) -> keras.Model:
    """Karcevski's larger network: four blocks of two convolutions each, and a dense layer."""
    return _blocks(spec, (32, 64, 128, 128), normalise=True, convolutions=2, name="complex_cnn")


def _blocks(
    spec: Spec, bases: tuple[int, ...], *, normalise: bool, name: str, convolutions: int = 1
) -> keras.Model:
    import keras

    inputs = x = image(spec)
    for base in bases:
        for _ in range(convolutions):
            x = _conv(x, base, spec)
            if normalise:
                x = keras.layers.BatchNormalization()(x)
            x = activated(x, spec)
        x = keras.layers.MaxPooling2D(2)(x)
    # Averaged over a 4×4 grid at most: flattened whole, the dense layer would hold nearly all of
    # the network's weights.
    x = keras.layers.AveragePooling2D(max(1, x.shape[1] // 4))(x)
    x = keras.layers.Flatten()(x)
    return with_head(inputs, x, spec, name)


def _conv(x: Any, base: int, spec: Spec) -> Any:
    import keras

    return keras.layers.Conv2D(
        spec.filters(base), 3, padding="same", kernel_regularizer=penalty(spec)
    )(x)
