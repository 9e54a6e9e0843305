# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import re
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgecxr.core.files import sha256
from edgecxr.errors import ModelError
from edgecxr.export.reader import MAX_BYTES, read_tflite
from tests.export.flat import FlatModel, mutated, options, small_classifier


def test_reads_a_small_classifier() -> None:
    data = small_classifier().pack()
    graph = read_tflite(data)
    assert graph.op_names == ("CONV_2D", "FULLY_CONNECTED", "MEAN", "SOFTMAX")
    assert (graph.size, graph.sha256) == (len(data), sha256(data))
    conv, _, dense, softmax = graph.ops
    assert conv.options == {
        "padding": "SAME",
        "stride_w": 2,
        "stride_h": 2,
        "fused_activation": "RELU6",
        "dilation_w": 1,
        "dilation_h": 1,
    }
    assert dense.inputs[2] == -1
    assert softmax.options == {"beta": 1.0}
    kernel = graph.tensor(conv.inputs[1])
    assert kernel.quantization is not None
    assert kernel.quantization.per_channel
    assert kernel.data is not None
    assert (kernel.data.shape, kernel.data.dtype) == ((4, 3, 3, 1), np.dtype(np.int8))
    assert not kernel.data.flags.writeable
    assert not graph.tensor(graph.inputs[0]).constant


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_agrees_with_litert_on_a_converted_model(tiny_models: Path, precision: str) -> None:
    data = (tiny_models / f"{precision}.tflite").read_bytes()
    _assert_agrees_with_litert(data)


def test_agrees_with_litert_on_a_built_model() -> None:
    _assert_agrees_with_litert(small_classifier().pack())


def _assert_agrees_with_litert(data: bytes) -> None:
    graph = read_tflite(data)
    litert = Interpreter(
        model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    details = litert.get_tensor_details()
    # LiteRT adds temporary tensors of its own after the file's.
    assert len(details) >= len(graph.tensors)
    for tensor, detail in zip(graph.tensors, details, strict=False):
        quantization = detail["quantization_parameters"]
        ours = tensor.quantization
        assert tensor.name == detail["name"]
        assert tensor.shape == tuple(detail["shape"])
        assert np.dtype(tensor.dtype) == np.dtype(detail["dtype"])
        assert (ours.scale if ours else ()) == tuple(quantization["scales"].tolist())
        assert (ours.zero_point if ours else ()) == tuple(quantization["zero_points"].tolist())
        assert (ours.axis if ours else 0) == quantization["quantized_dimension"]
    theirs = [
        (op["op_name"], tuple(op["inputs"]), tuple(op["outputs"]))
        for op in litert._get_ops_details()
    ]
    assert [(op.name, op.inputs, op.outputs) for op in graph.ops][: len(theirs)] == theirs
    litert.allocate_tensors()
    for tensor in graph.tensors:
        if tensor.data is not None:
            np.testing.assert_array_equal(tensor.data, litert.get_tensor(tensor.index))


def _set(path: str, value: Any) -> Callable[[FlatModel], None]:
    """A change to the model: ``_set("graph.tensors.0.shape", [1])``."""

    def change(flat: FlatModel) -> None:
        target: Any = flat
        *way, last = path.split(".")
        for step in way:
            target = target[int(step)] if step.isdigit() else getattr(target, step)
        setattr(target, last, value)

    return change


def _second_subgraph(flat: FlatModel) -> None:
    flat.model.subgraphs.append(flat.graph)


def _custom_op(flat: FlatModel) -> None:
    flat.model.operatorCodes[3].builtinCode = schema.BuiltinOperator.CUSTOM
    flat.model.operatorCodes[3].customCode = "MyOp"


def _swap_ops(flat: FlatModel) -> None:
    flat.graph.operators.reverse()


def _cycle(flat: FlatModel) -> None:
    flat.graph.operators[1].inputs[0] = flat.graph.operators[2].outputs[0]


SPOILED = {
    "version": (_set("model.version", 2), "schema version 2, expected 3"),
    "two subgraphs": (_second_subgraph, "2 subgraphs, expected exactly one"),
    "no subgraph": (_set("model.subgraphs", []), "0 subgraphs, expected exactly one"),
    "no input": (_set("graph.inputs", []), "has no input"),
    "no output": (_set("graph.outputs", []), "has no output"),
    "input index": (_set("graph.inputs", [99]), "input 99 of the model is none of its 9 tensors"),
    "output index": (_set("graph.outputs", [-1]), "output -1 of the model"),
    "input twice": (_set("graph.inputs", [0, 0]), "listed twice as input"),
    "constant input": (_set("graph.inputs", [1]), "input 1 of the model is a constant"),
    "dynamic": (
        _set("graph.tensors.0.shape", [1, -1, 8, 1]),
        'tensor 0 "tensor0" has the dynamic shape [1, -1, 8, 1]',
    ),
    "dynamic signature": (
        _set("graph.tensors.0.shapeSignature", [-1, -1, 8, 1]),
        "dynamic shape [-1, -1, 8, 1]",
    ),
    "empty": (_set("graph.tensors.3.shape", [1, 0]), "has no elements"),
    "rank": (_set("graph.tensors.3.shape", [1] * 9), "9 dimensions, at most 8"),
    "overflow": (_set("graph.tensors.3.shape", [2**30] * 8), "at most 2,147,483,647"),
    "buffer size": (_set("graph.tensors.1.shape", [4, 3, 3, 2]), "needs 72 bytes and has 36"),
    "buffer index": (_set("graph.tensors.1.buffer", 70), "is in buffer 70, and there are"),
    "outside buffer": (_set("model.buffers.1.offset", 4096), "outside the flatbuffer"),
    "sparse": (_set("graph.tensors.1.sparsity", schema.SparsityParametersT()), "stored sparse"),
    "external": (_set("graph.tensors.1.externalBuffer", 3), "external buffer"),
    "type": (_set("graph.tensors.3.type", schema.TensorType.INT4), "holds INT4, supported are"),
    "unknown type": (_set("graph.tensors.3.type", 77), "element type 77"),
    "zero scale": (_set("graph.tensors.0.quantization.scale", [0.0]), "scale 0.0, expected a fin"),
    "nan scale": (_set("graph.tensors.0.quantization.scale", [float("nan")]), "the scale nan"),
    "inf scale": (_set("graph.tensors.0.quantization.scale", [float("inf")]), "the scale inf"),
    "zero point": (
        _set("graph.tensors.0.quantization.zeroPoint", [128]),
        "zero point outside -128 to 127",
    ),
    "no zero point": (_set("graph.tensors.0.quantization.zeroPoint", []), "1 scales and 0 zero"),
    "channels": (
        _set("graph.tensors.1.quantization.quantizedDimension", 1),
        "4 scales for 3 channels in dimension 1",
    ),
    "axis": (_set("graph.tensors.1.quantization.quantizedDimension", -1), "in dimension -1"),
    "opcode index": (_set("graph.operators.0.opcodeIndex", 9), "operator 0 has code 9"),
    "opcode": (_set("model.operatorCodes.0.builtinCode", 4000), "operator code 0 is 4000"),
    "op input": (_set("graph.operators.0.inputs", [0, 1, 50]), "input 50 of operator 0 (CONV_2D)"),
    "op output": (_set("graph.operators.0.outputs", [-1]), "output -1 of operator 0"),
    "few inputs": (_set("graph.operators.0.inputs", [0]), "has 1 inputs and 1 outputs, expected 2"),
    "left out": (_set("graph.operators.0.inputs", [0, -1]), "expected 2 to 3 and 1"),
    "stride": (_set("graph.operators.0.builtinOptions.strideH", 0), "stride_h of operator 0"),
    "padding": (_set("graph.operators.0.builtinOptions.padding", 2), "padding of operator 0"),
    "beta": (_set("graph.operators.3.builtinOptions.beta", float("nan")), "beta of operator 3"),
    "options kind": (_set("graph.operators.0.builtinOptionsType", 2), "options of kind 2"),
    "order": (_swap_ops, "operator 0 (SOFTMAX) reads tensor 7 before"),
    "cycle": (_cycle, "operator 1 (MEAN) reads tensor 7 before"),
    "written twice": (_set("graph.operators.1.outputs", [3]), "writes tensor 3, which already"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_names_what_is_wrong(case: str) -> None:
    change, expected = SPOILED[case]
    flat = small_classifier()
    change(flat)
    with pytest.raises(ModelError, match=re.escape(expected)) as caught:
        read_tflite(flat.pack())
    assert "\n" not in str(caught.value)


def test_an_output_that_nothing_computes() -> None:
    flat = small_classifier()
    flat.graph.outputs = [flat.tensor((1, 3))]
    with pytest.raises(ModelError, match="output 9 of the model is never computed"):
        read_tflite(flat.pack())


def test_custom_operators_are_named() -> None:
    flat = small_classifier()
    _custom_op(flat)
    assert read_tflite(flat.pack()).ops[3].name == "CUSTOM:MyOp"


def test_a_batch_left_open_is_one() -> None:
    flat = small_classifier()
    flat.graph.tensors[0].shapeSignature = [-1, 8, 8, 1]
    assert read_tflite(flat.pack()).tensor(0).shape == (1, 8, 8, 1)


def test_a_name_cannot_break_the_sentence() -> None:
    flat = small_classifier()
    flat.graph.tensors[0].name = 'a"\n\x1b[31m' + "x" * 500
    flat.graph.tensors[0].shape = [1, -1]
    with pytest.raises(ModelError) as caught:
        read_tflite(flat.pack())
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 100, b"PK\3\4" + b"x" * 60])
def test_what_is_no_tflite_file_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"not a \.tflite file"):
        read_tflite(data)


def test_a_file_over_the_limit_is_refused() -> None:
    with pytest.raises(ModelError, match="16 MiB"):
        read_tflite(b"\x1c\0\0\0TFL3" + bytes(MAX_BYTES))


def test_every_truncation_is_an_error() -> None:
    data = small_classifier().pack()
    for length in range(len(data)):
        with pytest.raises(ModelError):
            read_tflite(data[:length])


def test_a_converted_model_truncated_is_an_error(tiny_int8: Path) -> None:
    data = tiny_int8.read_bytes()
    for length in range(0, len(data), 7):
        with pytest.raises(ModelError):
            read_tflite(data[:length])


def _outcome(data: bytes) -> str:
    """The error's text, or "" for a graph that holds together."""
    try:
        graph = read_tflite(data)
    except ModelError as error:
        return str(error)
    assert all(t.data is None or t.data.shape == t.shape for t in graph.tensors)
    return ""


def test_thousands_of_mutations_give_a_graph_or_a_model_error() -> None:
    rng = random.Random(20)
    data = small_classifier().pack()
    slowest = 0.0
    outcomes = []
    for _ in range(4000):
        spoiled = mutated(data, rng)
        begin = time.process_time()
        outcomes.append(_outcome(spoiled))
        slowest = max(slowest, time.process_time() - begin)
    assert all(text.isprintable() for text in outcomes)
    assert 1000 < sum(map(bool, outcomes)) < 4000
    assert slowest < 1.0


def test_mutations_need_little_memory() -> None:
    rng = random.Random(21)
    data = small_classifier().pack()
    tracemalloc.start()
    for _ in range(200):
        _outcome(mutated(data, rng))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_offsets_that_share_one_target_cannot_multiply_the_work() -> None:
    flat = FlatModel()
    flat.tensor((1,))
    flat.graph.tensors[0].name = "n" * 60_000
    flat.graph.inputs, flat.graph.outputs = [0], [0]
    data = _all_entries_the_first_tensor(flat, 16_000)
    begin = time.process_time()
    with pytest.raises(ModelError, match="far more than a model needs"):
        read_tflite(data)
    assert time.process_time() - begin < 2.0


def _all_entries_the_first_tensor(flat: FlatModel, count: int) -> bytes:
    """The packed model with ``count`` tensors, all at the place of the first."""
    # The subgraph's name makes room for a vector of offsets; its field then is the tensors' too.
    flat.graph.name = "#" * 4 * count
    data = bytearray(flat.pack())
    table = schema.Model.GetRootAs(bytes(data), 0).Subgraphs(0)._tab
    tensors, name = table.Offset(4), table.Offset(12)
    first = table.Indirect(table.Vector(tensors))
    room = table.Vector(name)
    struct.pack_into("<I", data, room - 4, count)
    for at in range(room, room + 4 * count, 4):
        struct.pack_into("<I", data, at, (first - at) % 2**32)
    struct.pack_into("<I", data, table.Pos + tensors, room - 4 - table.Pos - tensors)
    return bytes(data)


def test_too_many_tensors_are_refused() -> None:
    flat = FlatModel()
    for _ in range(16_385):
        flat.graph.tensors.append(schema.TensorT())
    flat.graph.inputs, flat.graph.outputs = [0], [0]
    with pytest.raises(ModelError, match="16,385 tensors, at most 16,384"):
        read_tflite(flat.pack())


def test_options_default_as_the_schema_says() -> None:
    flat = small_classifier()
    flat.graph.operators[0].builtinOptions = options("Conv2DOptions", strideW=1, strideH=1)
    conv = read_tflite(flat.pack()).ops[0]
    assert (conv.options["dilation_w"], conv.options["fused_activation"]) == (1, "NONE")


def test_the_bias_of_an_older_converter_is_read_along_its_only_dimension() -> None:
    flat = small_classifier()
    # As in the person_detect model of TFLM's examples: the dimension is that of the weights.
    flat.graph.tensors[2].quantization.quantizedDimension = 3
    bias = read_tflite(flat.pack()).tensor(2)
    assert bias.quantization is not None
    assert (bias.quantization.axis, len(bias.quantization.scale)) == (0, 4)
