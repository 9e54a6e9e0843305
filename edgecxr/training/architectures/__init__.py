# SPDX-License-Identifier: Apache-2.0
"""Architectures as one registry: a name, and what makes a Keras model of a ``Spec``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecxr.errors import UsageError
from edgecxr.training.architectures.deep import resnet50, vgg19
from edgecxr.training.architectures.mobilenet import efficientnet_b0, mobilenet_v1, mobilenet_v2
from edgecxr.training.architectures.small import complex_cnn, dhanapal_cnn, simple_cnn, soric_cnn
from edgecxr.training.architectures.spec import Spec, is_head

if TYPE_CHECKING:
    import keras

__all__ = ["ARCHITECTURES", "Architecture", "Spec", "build", "check", "find"]

# Moving statistics over about 20 batches. Keras' bodies take 100 to 1000, which a training on a
# few hundred X-rays does not have: validation would be measured with statistics of the first draw.
_MOMENTUM = 0.95


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry.

    Attributes:
        build: from a ``Spec`` to a model whose last layer is called "scores".
        about: one line for a person.
        width: the multiplier that the network is known by; what ``--width`` is by default.
        any_width: whether it can be built at other widths.
        own_layers: whether ``activation`` and ``l2`` mean anything to it.
        min_size: the smallest height and width, in pixels.
    """

    build: Callable[[Spec], keras.Model]
    about: str
    width: float = 1.0
    any_width: bool = True
    own_layers: bool = False
    min_size: int = 32


ARCHITECTURES: dict[str, Architecture] = {
    "mobilenet_v1": Architecture(mobilenet_v1, "MobileNetV1 (the default)", 0.25, min_size=8),
    "mobilenet_v2": Architecture(mobilenet_v2, "MobileNetV2 (Hao)", 0.35),
    "efficientnet_b0": Architecture(efficientnet_b0, "EfficientNet-B0 (Hao)", any_width=False),
    "soric_cnn": Architecture(soric_cnn, "CNN of separable convolutions (Sorić)", own_layers=True),
    "dhanapal_cnn": Architecture(dhanapal_cnn, "CNN of four blocks (Dhanapal)", own_layers=True),
    "vgg19": Architecture(vgg19, "VGG19 (Dhanapal)"),
    "simple_cnn": Architecture(simple_cnn, "CNN of two blocks (Karcevski)", own_layers=True),
    "complex_cnn": Architecture(complex_cnn, "CNN of eight layers (Karcevski)", own_layers=True),
    "resnet50": Architecture(resnet50, "ResNet50 (Karcevski)", any_width=False),
}


def find(name: str) -> Architecture:
    """The registry's entry of this name.

    Raises:
        UsageError: if there is no such architecture.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UsageError(f"expected an architecture of {known}, found {name!r}")
    return ARCHITECTURES[name]


def check(name: str, spec: Spec) -> None:
    """Refuse what an architecture cannot do, before anything slow happens.

    Raises:
        UsageError: if there is no such architecture, or it has no such width, size or option.
    """
    found = find(name)
    if not found.any_width and spec.width_multiplier != found.width:
        raise UsageError(
            f"{name} has only the width {found.width:g}, found --width "
            f"{spec.width_multiplier:g}; leave --width away"
        )
    if min(spec.height, spec.width) < found.min_size:
        raise UsageError(
            f"{name} needs images of {found.min_size} pixels at least, found "
            f"{spec.height}×{spec.width}; pass a larger --size"
        )
    if not found.own_layers and (spec.activation != "default" or spec.l2):
        option = "--l2" if spec.activation == "default" else "--activation"
        raise UsageError(
            f"{name} has its layers fixed, so {option} means nothing to it; leave it away, or "
            "take one of " + ", ".join(n for n, a in ARCHITECTURES.items() if a.own_layers)
        )


def build(name: str, spec: Spec, *, freeze: bool = False) -> keras.Model:
    """Build an architecture by its name.

    Args:
        freeze: let only the head learn; batch normalisation then keeps its statistics too.

    Raises:
        UsageError: as :func:`check` does.
    """
    import keras

    check(name, spec)
    model = ARCHITECTURES[name].build(spec)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM
        if freeze and not is_head(layer.name):
            layer.trainable = False
    return model
