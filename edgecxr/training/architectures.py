# SPDX-License-Identifier: Apache-2.0
"""Architectures as one registry: a name, and a function from a ``Spec`` to a Keras model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecxr.errors import UsageError

if TYPE_CHECKING:
    import keras

# (filters at width 1.0, stride) of the thirteen separable blocks; Howard et al. 2017, Table 1.
MOBILENET_V1_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)


@dataclass(frozen=True)
class Spec:
    """What an architecture is built from. Input: (height, width, channels), float32 in [-1, 1)."""

    height: int
    width: int
    channels: int
    classes: int
    width_multiplier: float = 0.25
    dropout: float = 0.0
    seed: int = 0


def mobilenet_v1(spec: Spec) -> keras.Model:
    """MobileNetV1 (Howard et al. 2017) with global average pooling and a dense head.

    SAME padding throughout, so that int8 conversion needs no PAD: five op types in all.
    """
    import keras

    def filters(base: int) -> int:
        return max(8, round(base * spec.width_multiplier))

    inputs = keras.Input((spec.height, spec.width, spec.channels), name="image")
    x = _normalised(keras.layers.Conv2D, inputs, filters=filters(32), kernel_size=3, strides=2)
    for base, stride in MOBILENET_V1_BLOCKS:
        x = _normalised(keras.layers.DepthwiseConv2D, x, kernel_size=3, strides=stride)
        x = _normalised(keras.layers.Conv2D, x, filters=filters(base), kernel_size=1)
    x = keras.layers.GlobalAveragePooling2D()(x)
    if spec.dropout > 0:
        x = keras.layers.Dropout(spec.dropout, seed=spec.seed)(x)
    outputs = keras.layers.Dense(spec.classes, activation="softmax", name="scores")(x)
    return keras.Model(inputs, outputs, name="mobilenet_v1")


def _normalised(layer: Callable[..., Any], x: Any, **settings: Any) -> Any:
    """Convolution without bias, batch normalisation, ReLU6: one int8 op after conversion."""
    import keras

    x = layer(padding="same", use_bias=False, **settings)(x)
    x = keras.layers.BatchNormalization(momentum=0.95)(x)
    return keras.layers.ReLU(max_value=6.0)(x)


ARCHITECTURES: dict[str, Callable[[Spec], keras.Model]] = {"mobilenet_v1": mobilenet_v1}


def check(name: str) -> None:
    """Raise UsageError if there is no such architecture."""
    if name not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UsageError(f"expected an architecture of {known}, found {name!r}")


def build(name: str, spec: Spec) -> keras.Model:
    """Build an architecture by its name.

    Raises:
        UsageError: if there is no such architecture.
    """
    check(name)
    return ARCHITECTURES[name](spec)
