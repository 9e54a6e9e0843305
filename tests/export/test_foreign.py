# SPDX-License-Identifier: Apache-2.0
"""What ``adapt`` makes of odd and damaged files; tests/cli/test_import.py has sound ones."""

from __future__ import annotations

import random

import pytest

from edgecxr.errors import ModelError
from edgecxr.export.foreign import adapt
from edgecxr.export.reader import read_tflite
from tests.export.flat import FlatModel, mutated, small_classifier


def with_uint8_ends() -> FlatModel:
    """The small classifier between two QUANTIZE that shift by 128."""
    flat = small_classifier()
    image, scores = flat.graph.inputs[0], flat.graph.outputs[0]
    pixels = flat.tensor((1, 8, 8, 1), "UINT8", (1 / 128,), (128,))
    shares = flat.tensor((1, 3), "UINT8", (1 / 256,), (0,))
    flat.op("QUANTIZE", (pixels,), (image,))
    flat.graph.operators.insert(0, flat.graph.operators.pop())
    flat.op("QUANTIZE", (scores,), (shares,))
    flat.graph.inputs, flat.graph.outputs = [pixels], [shares]
    return flat


def test_the_ends_become_int8() -> None:
    graph = read_tflite(adapt(with_uint8_ends().pack(), "0..1"))
    assert [graph.tensor(i).dtype for i in (*graph.inputs, *graph.outputs)] == ["int8", "int8"]
    assert "QUANTIZE" not in graph.op_names
    assert graph.pixels == "0..1"


@pytest.mark.parametrize("missing", ["quantization", "scale"])
@pytest.mark.parametrize("where", ["outside", "inside"])
@pytest.mark.parametrize("end", ["input", "output"])
def test_an_end_without_a_scale_is_refused(end: str, where: str, missing: str) -> None:
    flat = with_uint8_ends()
    operator = flat.graph.operators[0 if end == "input" else -1]
    sides = (operator.inputs, operator.outputs)
    tensor = flat.graph.tensors[sides[(end == "input") == (where == "inside")][0]]
    if missing == "quantization":
        tensor.quantization = None
    else:
        tensor.quantization.scale = tensor.quantization.zeroPoint = None
    with pytest.raises(ModelError, match=f"a uint8 {end} that is not int8 shifted by 128"):
        adapt(flat.pack(), None)


def test_a_file_without_buffers_can_name_its_range() -> None:
    flat = FlatModel()
    x, y = flat.tensor((1, 4, 4, 1)), flat.tensor((1, 4, 4, 1))
    flat.op("TANH", (x,), (y,))
    flat.graph.inputs, flat.graph.outputs = [x], [y]
    flat.model.buffers = None
    graph = read_tflite(adapt(flat.pack(), "-1..1"))
    assert graph.pixels == "-1..1"
    assert graph.tensor(x).data is None


def test_mutations_give_a_model_or_a_model_error() -> None:
    rng = random.Random(22)
    data = with_uint8_ends().pack()
    outcomes = []
    for _ in range(800):
        try:
            read_tflite(adapt(mutated(data, rng), "0..1"))
            outcomes.append("")
        except ModelError as error:
            outcomes.append(str(error))
    assert all(text == "" or text.isprintable() for text in outcomes)
    assert 200 < sum(map(bool, outcomes)) < 800
