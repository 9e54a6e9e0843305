# SPDX-License-Identifier: Apache-2.0
"""The large networks of the papers: VGG19 and ResNet50."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecxr.training.architectures.spec import Spec, image, with_head

if TYPE_CHECKING:
    import keras

# (convolutions, filters) of the five blocks; Simonyan and Zisserman 2015, Table 1, column E.
VGG19_BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))


def vgg19(spec: Spec) -> keras.Model:
    """VGG19 (Simonyan and Zisserman 2015) with global average pooling instead of its two layers of
    4096 neurons. At width 1 its body takes Keras' ImageNet weights."""
    import keras

    inputs = x = image(spec)
    for block, (count, base) in enumerate(VGG19_BLOCKS, start=1):
        for index in range(1, count + 1):
            x = keras.layers.Conv2D(
                spec.filters(base),
                3,
                padding="same",
                activation="relu",
                # Without batch normalisation, Keras' default draw lets sixteen layers fade out.
                kernel_initializer="he_normal",
                name=f"block{block}_conv{index}",
            )(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return with_head(inputs, x, spec, "vgg19")


def resnet50(spec: Spec) -> keras.Model:
    """ResNet50 (He et al. 2016), Keras' own body."""
    import keras

    inputs = image(spec)
    body = keras.applications.ResNet50(input_tensor=inputs, include_top=False, weights=None)
    x = keras.layers.GlobalAveragePooling2D()(body.output)
    return with_head(inputs, x, spec, "resnet50")
