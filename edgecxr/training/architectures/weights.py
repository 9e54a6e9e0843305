# SPDX-License-Identifier: Apache-2.0
"""ImageNet weights of RGB networks, brought to grayscale input in [-1, 1).

A gray picture is an RGB picture with three equal channels, so the first convolution's kernels may
be summed over them. What each network expects of a channel is an affine map of the pixel; it goes
into the kernel and into the offset that follows, so that the gray network computes what the RGB
network would compute of the gray picture (but for the padded border, which is black there and mean
gray here).
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecxr.errors import TrainingError, UsageError
from edgecxr.training.architectures.spec import is_head
from edgecxr.training.keras_file import RefusedError, check_weights

if TYPE_CHECKING:
    import keras

IMAGENET = "imagenet"

# What Keras' networks expect of a channel's pixel 0 to 255: (pixel − mean) / deviation, in the
# order of the kernel's channels (the Caffe networks are BGR). Source: keras.applications.
_TF = ((127.5,) * 3, (127.5,) * 3)
_CAFFE = ((103.939, 116.779, 123.68), (1.0,) * 3)
_TORCH = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_EXPECTED = {
    "mobilenet_v1": ("MobileNet", _TF),
    "mobilenet_v2": ("MobileNetV2", _TF),
    "efficientnet_b0": ("EfficientNetB0", _TORCH),
    "vgg19": ("VGG19", _CAFFE),
    "resnet50": ("ResNet50", _CAFFE),
}


def load_weights(model: keras.Model, name: str, weights: str, width: float) -> None:
    """Give the body of a gray model the weights of its RGB original; the head keeps its draw.

    Args:
        name: the architecture's name.
        weights: "imagenet" (from Keras' cache, or downloaded), or a file of Keras' weights without
            the top.
        width: the width multiplier.

    Raises:
        UsageError: if Keras has no such network.
        RefusedError: if the file is larger than it may be once unpacked.
        TrainingError: if the weights cannot be had, or do not fit.
    """
    if name not in _EXPECTED:
        raise UsageError(
            f"--weights fits {', '.join(_EXPECTED)}, found {name}; leave --weights away"
        )
    factory, (mean, deviation) = _EXPECTED[name]
    original = _original(factory, weights, width, model.input_shape[1:3])
    scale = np.divide(128.0, deviation, dtype=np.float32)
    offset = (np.subtract(128.0, mean) / deviation).astype(np.float32)
    _copy(original, model, weights, scale, offset)


def _original(factory: str, weights: str, width: float, size: tuple[int, int]) -> keras.Model:
    import keras

    options: dict[str, Any] = {"include_top": False, "input_shape": (*size, 3)}
    if factory.startswith("MobileNet"):
        options["alpha"] = width
    elif width != 1.0:
        raise UsageError(f"--weights of {factory} needs --width 1, found {width:g}")
    make = getattr(keras.applications, factory)
    if weights != IMAGENET:
        original = make(weights=None, **options)
        try:
            check_weights(Path(weights))
            original.load_weights(weights)
        except RefusedError:
            raise
        except Exception as error:  # of a stranger's file Keras raises whatever happens in it
            raise TrainingError(
                f"{weights} does not hold Keras' weights of {factory} without its top; "
                "give another file, or --weights imagenet"
            ) from error
        return original
    try:
        # Keras announces a download on stdout, which is for data, and warns of sizes other than
        # 224, which the kernels do not care about.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return make(weights=IMAGENET, **options)
    except ValueError as error:
        raise TrainingError(f"Keras has no ImageNet weights of {factory} so: {error}") from error
    except Exception as error:  # keras.utils.get_file raises no narrower class
        if "URL fetch failure" not in str(error):
            raise
        raise TrainingError(
            f"ImageNet weights of {factory} are not in Keras' cache and could not be downloaded; "
            "go online once, or give their file with --weights FILE"
        ) from error


def _copy(
    original: keras.Model,
    model: keras.Model,
    weights: str,
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
) -> None:
    sources = [layer for layer in original.layers if _has_weights(layer)]
    targets = [x for x in model.layers if _has_weights(x) and not is_head(x.name)]
    shift: NDArray[np.float32] | None = None
    for index, (target, source) in enumerate(zip(targets, sources, strict=True)):
        values = source.get_weights()
        if index == 0:
            values, shift = gray_kernel(values, scale, offset)
        elif shift is not None:
            # Batch normalisation follows a convolution without offset, and takes it instead.
            values[2] = values[2] - shift
            shift = None
        if [v.shape for v in values] != [w.shape for w in target.weights]:
            raise TrainingError(
                f"the layer {target.name} has other shapes than in the weights {weights}; "
                "they fit the architecture's own width only"
            )
        target.set_weights(values)


def gray_kernel(
    values: list[NDArray[np.float32]], scale: NDArray[np.float32], offset: NDArray[np.float32]
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32] | None]:
    """The first convolution for gray input x, given that its channel c expects scale·x + offset.

    Args:
        values: kernel (h, w, 3, filters), and its offset (filters,) if it has one.
        scale, offset: (3,).

    Returns:
        The weights for (h, w, 1, filters), and what they leave out: (filters,) to be added to the
        convolution's output, or None where its own offset holds it.
    """
    kernel = values[0]
    gray = np.einsum("hwcf,c->hwf", kernel, scale)[:, :, np.newaxis, :]
    shift = np.einsum("hwcf,c->f", kernel, offset)
    if len(values) == 2:
        return [gray, values[1] + shift], None
    return [gray], shift


def _has_weights(layer: Any) -> bool:
    import keras

    # EfficientNet's Normalization holds the statistics that _TORCH states.
    return bool(layer.weights) and not isinstance(layer, keras.layers.Normalization)
