# SPDX-License-Identifier: Apache-2.0
"""What the compiled runtime does not have is said in one sentence; broken files do no harm."""

from __future__ import annotations

import numpy as np
import pytest

from edgecxr.errors import ModelError
from edgecxr.export.compiled.build import FAMILY_OF, build_model
from edgecxr.export.compiled.compile import compile_graph
from edgecxr.export.reader import read_tflite
from tests.export.flat import FlatModel, options, small_classifier

pytestmark = pytest.mark.heavy

MUTATIONS = 2500


def one_op(
    name: str, made: object = None, *, shape: tuple[int, ...] = (1, 4, 4, 2), y: float = 0.5
) -> FlatModel:
    """A model of one operator from int8[shape] to int8[shape]."""
    flat = FlatModel()
    x = flat.tensor(shape)
    out = flat.tensor(shape, "INT8", (y,), (0,))
    flat.op(name, (x,), (out,), made)
    flat.graph.inputs, flat.graph.outputs = [x], [out]
    return flat


@pytest.mark.parametrize(
    ("flat", "message"),
    [
        (
            one_op("TANH"),
            r"TANH \(operator 0: int8\[1, 4, 4, 2\] → .*\) has no kernel",
        ),
        (one_op("LOGISTIC"), "scale 1/256 and zero point -128 are supported"),
        (one_op("RELU6", y=0.25), "equal scales are supported"),
        (one_op("LEAKY_RELU", options("LeakyReluOptions", alpha=-0.5)), "alpha ≥ 0 is supported"),
        (one_op("LOGISTIC", shape=(2, 4, 4, 2)), "convert the model with a fixed batch of 1"),
    ],
    ids=["operator", "scale", "scales", "option", "batch"],
)
def test_what_is_missing_is_named(flat: FlatModel, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_model(read_tflite(flat.pack()))


def test_the_list_of_operators_is_the_promised_one() -> None:
    promised = """CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED AVERAGE_POOL_2D MAX_POOL_2D MEAN ADD MUL
        PAD RESHAPE CONCATENATION SOFTMAX LOGISTIC RELU RELU6 LEAKY_RELU PRELU HARD_SWISH QUANTIZE
        DEQUANTIZE"""
    assert set(promised.split()) <= set(FAMILY_OF)


def test_two_inputs_are_refused() -> None:
    flat = one_op("RELU")
    flat.graph.inputs = [0, flat.tensor((1, 4))]
    with pytest.raises(ModelError, match="takes exactly one"):
        build_model(read_tflite(flat.pack()))


def compiles_or_refuses(data: bytes) -> bool:
    """True where it compiled; whatever else than a ModelError happens fails the test."""
    try:
        compile_graph(read_tflite(data))
    except ModelError:
        return False
    return True


def test_a_file_cut_at_any_byte_is_refused() -> None:
    data = small_classifier().pack()
    assert compiles_or_refuses(data)
    assert not any(compiles_or_refuses(data[:end]) for end in range(len(data)))


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_a_changed_file_is_refused_or_compiled(precision: str) -> None:
    data = np.frombuffer(small_classifier(precision).pack(), np.uint8)
    rng = np.random.default_rng(11)
    compiled = 0
    for _ in range(MUTATIONS):
        changed = data.copy()
        where = rng.integers(0, len(data), rng.integers(1, 4))
        changed[where] = rng.integers(0, 256, len(where))
        compiled += compiles_or_refuses(changed.tobytes())
    assert 0 < compiled < MUTATIONS


def test_a_scale_too_small_for_a_multiplier_compiles() -> None:
    flat = small_classifier()
    kernel = flat.graph.tensors[1]
    kernel.quantization.scale = [1e-30, *kernel.quantization.scale[1:]]
    assert compiles_or_refuses(flat.pack())
