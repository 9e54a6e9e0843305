# SPDX-License-Identifier: Apache-2.0
"""MobileNetV1, MobileNetV2 and EfficientNet-B0."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgecxr.training.architectures.spec import Spec, image, with_head

if TYPE_CHECKING:
    import keras

# (filters at width 1.0, stride) of the thirteen separable blocks; Howard et al. 2017, Table 1.
MOBILENET_V1_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)


def mobilenet_v1(spec: Spec) -> keras.Model:
    """MobileNetV1 (Howard et al. 2017) with global average pooling and a dense head.

    SAME padding throughout, so that int8 conversion needs no PAD: five op types in all.
    """
    import keras

    inputs = image(spec)
    x = _normalised(keras.layers.Conv2D, inputs, filters=spec.filters(32), kernel_size=3, strides=2)
    for base, stride in MOBILENET_V1_BLOCKS:
        x = _normalised(keras.layers.DepthwiseConv2D, x, kernel_size=3, strides=stride)
        x = _normalised(keras.layers.Conv2D, x, filters=spec.filters(base), kernel_size=1)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return with_head(inputs, x, spec, "mobilenet_v1")


def _normalised(layer: Callable[..., Any], x: Any, **settings: Any) -> Any:
    """Convolution without bias, batch normalisation, ReLU6: one int8 op after conversion."""
    import keras

    x = layer(padding="same", use_bias=False, **settings)(x)
    x = keras.layers.BatchNormalization(momentum=0.95)(x)
    return keras.layers.ReLU(max_value=6.0)(x)


def mobilenet_v2(spec: Spec) -> keras.Model:
    """MobileNetV2 (Sandler et al. 2018), Keras' own body; Hao's networks have width 0.35."""
    import keras

    inputs = image(spec)
    body = keras.applications.MobileNetV2(
        input_tensor=inputs,
        alpha=spec.width_multiplier,
        include_top=False,
        weights=None,
    )
    x = keras.layers.GlobalAveragePooling2D()(body.output)
    return with_head(inputs, x, spec, "mobilenet_v2")


def efficientnet_b0(spec: Spec) -> keras.Model:
    """EfficientNet-B0 (Tan and Le 2019), Keras' own body."""
    import keras

    inputs = image(spec)
    # Keras' body begins with a division by 255, which is undone here: the input is in [-1, 1).
    scaled = keras.layers.Rescaling(255.0)(inputs)
    body = keras.applications.EfficientNetB0(input_tensor=scaled, include_top=False, weights=None)
    x = keras.layers.GlobalAveragePooling2D()(body.output)
    return with_head(inputs, x, spec, "efficientnet_b0")
