# SPDX-License-Identifier: Apache-2.0
"""What an architecture is built from, and the parts that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import keras

Activation = Literal["default", "relu", "leaky_relu", "leaky_relu_30", "prelu"]

#: Slopes for negative values: Keras' own, and the one of Sorić's fourth variant.
LEAKY_SLOPES = {"leaky_relu": 0.3, "leaky_relu_30": 30.0}

#: Layers whose names begin so are the head: trained when the body is frozen, and never taken
#: from ImageNet weights.
HEAD = "head"
SCORES = "scores"


@dataclass(frozen=True)
class Spec:
    """Input: (height, width, channels), float32 in [-1, 1). Output: softmax over ``classes``.

    Attributes:
        width_multiplier: of the filters of every convolution.
        dropout: before the scores; the small networks have it in their body too.
        activation: of the body; "default" is the architecture's own.
        head_units: neurons of a hidden layer before the scores; 0 leaves it out.
        l2: penalty on the kernels of the body.
    """

    height: int
    width: int
    channels: int
    classes: int
    width_multiplier: float = 0.25
    dropout: float = 0.0
    seed: int = 0
    activation: Activation = "default"
    head_units: int = 0
    l2: float = 0.0

    def filters(self, base: int) -> int:
        """``base`` filters times the width multiplier, 8 at least."""
        return max(8, round(base * self.width_multiplier))


def image(spec: Spec) -> Any:
    import keras

    return keras.Input((spec.height, spec.width, spec.channels), name="image")


def activated(x: Any, spec: Spec) -> Any:
    """``x`` through the activation that the spec names; ReLU by default."""
    import keras

    if spec.activation == "prelu":
        # One slope for each channel: a slope for each pixel would tie the network to its size.
        return keras.layers.PReLU(shared_axes=[1, 2])(x)
    if spec.activation in LEAKY_SLOPES:
        return keras.layers.LeakyReLU(LEAKY_SLOPES[spec.activation])(x)
    return keras.layers.ReLU()(x)


def penalty(spec: Spec) -> Any:
    """The L2 regularizer of a kernel, or None."""
    import keras

    return keras.regularizers.L2(spec.l2) if spec.l2 else None


def with_head(inputs: Any, features: Any, spec: Spec, name: str) -> keras.Model:
    """Hidden layer (if any), dropout and scores on ``features``, a tensor (N, F)."""
    import keras

    x = features
    if spec.head_units:
        x = keras.layers.Dense(spec.head_units, activation="relu", name=f"{HEAD}_dense")(x)
    if spec.dropout > 0:
        x = keras.layers.Dropout(spec.dropout, seed=spec.seed, name=f"{HEAD}_dropout")(x)
    outputs = keras.layers.Dense(spec.classes, activation="softmax", name=SCORES)(x)
    return keras.Model(inputs, outputs, name=name)


def is_head(name: str) -> bool:
    """Whether the layer of this name is part of the head."""
    return name == SCORES or name.startswith(HEAD)
