# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization: ``model.keras`` → ``float32.tflite`` and ``int8.tflite``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.bundle import Bundle, QuantizationRecord
from edgecxr.core.decision import FEWEST, Decision, Wish, choose
from edgecxr.core.interpreter import open_interpreter
from edgecxr.errors import DataError, ModelError
from edgecxr.training.batches import Images
from edgecxr.training.keras_file import load_of
from edgecxr.training.tf import start_tensorflow

if TYPE_CHECKING:
    import keras

INPUT_SCALE = 1.0 / 128.0
INPUT_ZERO_POINT = 0
REPRESENTATIVE_IMAGES = 256


@dataclass(frozen=True)
class Quantized:
    """The bundle with both files and, if there are enough validation images, the rules that were
    chosen on them; and top-1 agreement of int8 with float32 on validation."""

    bundle: Bundle
    agreement: float
    validation_images: int


def quantize(
    bundle: Bundle, train: Images, validation: Images, *, representative: int, seed: int
) -> Quantized:
    """Convert, check the input quantization, measure agreement, and complete the bundle.

    Args:
        train: where the representative dataset is drawn from.
        representative: its size, in images.
        seed: of the draw.

    Raises:
        DataError: if there are not enough images.
        ModelError: if the Keras file is refused, or the converter does not give the input scale
            1/128 with zero point 0.
    """
    chosen = representative_indices(train.labels, representative, seed)
    start_tensorflow(seed)
    model = load_of(bundle)
    float32 = _convert(model, None)
    int8 = _convert(model, train.pixels[np.sort(chosen)])
    record, decision = _check(float32, int8, validation, representative=len(chosen), seed=seed)
    # Figures of earlier files do not describe these.
    completed = bundle.with_files(
        {"float32": float32, "int8": int8}, quantization=record, decision=decision, metrics={}
    )
    return Quantized(completed, record.validation_agreement, len(validation.labels))


def representative_indices(labels: NDArray[np.int64], size: int, seed: int) -> NDArray[np.int64]:
    """Indices of a stratified draw without replacement: equal numbers of each class where the
    class has that many, the rest filled up from all.

    Raises:
        DataError: if ``size`` is larger than the number of images.
    """
    if size > len(labels):
        raise DataError(
            f"expected at least {size} training images for the representative dataset, "
            f"found {len(labels)}; pass a smaller --representative"
        )
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    classes = np.unique(labels)
    first = [order[labels[order] == c][: size // len(classes)] for c in classes]
    chosen = np.concatenate(first)
    rest = order[~np.isin(order, chosen)]
    return np.concatenate([chosen, rest[: size - len(chosen)]]).astype(np.int64)


def representative_inputs(pixels: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    """float32 (1, H, W, 1) inputs whose range is the whole of [-1, 127/128].

    Two corner pixels of the first image are set to 0 and 255. Without both values the converter
    would choose a finer input scale than 1/128, and pixels would no longer be int8 + 128.
    """
    for index, image in enumerate(pixels):
        values = (image.astype(np.float32) - 128.0) / 128.0
        if index == 0:
            values[0, 0], values[-1, -1] = -1.0, 127.0 / 128.0
        yield [values[np.newaxis, ..., np.newaxis]]


def _convert(model: keras.Model, pixels: NDArray[np.uint8] | None) -> bytes:
    """float32 without ``pixels``; with them int8 throughout, calibrated on them."""
    import tensorflow as tf

    shape = (1, *model.input_shape[1:])
    function = tf.function(lambda image: model(image, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="image"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if pixels is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: representative_inputs(pixels)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    converted: Any = converter.convert()
    return bytes(converted)


def _check(
    float32: bytes, int8: bytes, validation: Images, *, representative: int, seed: int
) -> tuple[QuantizationRecord, Decision | None]:
    reference = open_interpreter(int8, kernels="reference")
    image, scores = reference.input, reference.output
    if (image.scale, image.zero_point) != (INPUT_SCALE, INPUT_ZERO_POINT):
        raise ModelError(
            f"expected an int8 input of scale 1/128 and zero point 0, the converter gave "
            f"{image.scale!r} and {image.zero_point}; the representative dataset must hold "
            "the whole pixel range"
        )
    as_float = open_interpreter(float32).scores(validation.pixels)
    as_int8 = reference.scores(validation.pixels)
    agreement = float((as_float.argmax(axis=1) == as_int8.argmax(axis=1)).mean())
    record = QuantizationRecord(
        method="post-training-int8",
        representative_images=representative,
        representative_seed=seed,
        input_scale=image.scale,
        input_zero_point=image.zero_point,
        output_scale=scores.scale,
        output_zero_point=scores.zero_point,
        validation_agreement=agreement,
    )
    if len(validation.labels) < FEWEST:
        return record, None
    return record, choose(as_float, as_int8, validation.labels, Wish(), scores.scale)
