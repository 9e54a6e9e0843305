# SPDX-License-Identifier: Apache-2.0
"""The same model with batch normalisation as one fused op, to train with.

Keras 3 normalises by several ops over the whole feature map, forwards and backwards: in MobileNetV1
0.25 on a CPU they cost as much as all convolutions. The fused op halves the time of a step. What is
saved is the model with Keras' own layers: the weights are the same, in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def fused(model: keras.Model) -> keras.Model:
    """A copy of a model, with its weights, whose batch normalisation of (N, H, W, C) is fused."""
    import keras

    layer_class = _fused_layer()

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        # A subclass may normalise in another way.
        if type(layer) is keras.layers.BatchNormalization:
            return layer_class.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _fused_layer() -> Any:
    import keras
    import tensorflow as tf

    class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            last = self.axis in (-1, len(inputs.shape) - 1)
            if not (training and self.trainable and len(inputs.shape) == 4 and last):
                return super().call(inputs, training=training, mask=mask)
            channels = inputs.shape[-1]
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs,
                self.gamma if self.scale else tf.ones(channels),
                self.beta if self.center else tf.zeros(channels),
                epsilon=self.epsilon,
                is_training=True,
            )
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(self.momentum * moving + (1.0 - self.momentum) * now)
            return outputs

    return FusedBatchNormalization
