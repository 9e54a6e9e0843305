# SPDX-License-Identifier: Apache-2.0
"""Builds ``.tflite`` files, sound or spoiled, with the schema that LiteRT ships."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray


class FlatModel:
    """A model in the making; ``model`` is LiteRT's own object, open to any change."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "INT8",
        scale: Sequence[float] = (0.5,),
        zero_point: Sequence[int] = (0,),
        data: NDArray[Any] | None = None,
        axis: int = 0,
    ) -> int:
        entry = schema.TensorT()
        entry.name = f"tensor{len(self.graph.tensors)}"
        entry.shape = list(shape)
        entry.type = getattr(schema.TensorType, dtype)
        entry.buffer = 0
        if data is not None:
            entry.buffer = len(self.model.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            self.model.buffers.append(buffer)
        if scale:
            entry.quantization = schema.QuantizationParametersT()
            entry.quantization.scale = list(scale)
            entry.quantization.zeroPoint = list(zero_point)
            entry.quantization.quantizedDimension = axis
        self.graph.tensors.append(entry)
        return len(self.graph.tensors) - 1

    def op(
        self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None
    ) -> Any:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        self.model.operatorCodes.append(code)
        entry = schema.OperatorT()
        entry.opcodeIndex = len(self.model.operatorCodes) - 1
        entry.inputs, entry.outputs = list(inputs), list(outputs)
        if options is not None:
            union = type(options).__name__.removesuffix("T")
            entry.builtinOptionsType = getattr(schema.BuiltinOptions, union)
            entry.builtinOptions = options
        self.graph.operators.append(entry)
        return entry

    def pack(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def options(kind: str, **values: Any) -> Any:
    """An options object of the schema: ``options("Conv2DOptions", strideH=2)``."""
    made = getattr(schema, f"{kind}T")()
    for name, value in values.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def small_classifier(precision: str = "int8") -> FlatModel:
    """CONV_2D, MEAN, FULLY_CONNECTED, SOFTMAX on 8×8×1, three classes."""
    rng = np.random.default_rng(5)
    flat = FlatModel()
    quantized = precision == "int8"
    dtype, number, bias = (
        ("INT8", np.int8, np.int32) if quantized else ("FLOAT32", np.float32, np.float32)
    )

    def weights(*shape: int) -> NDArray[Any]:
        return rng.integers(-100, 100, shape).astype(number)

    def scales(*values: float) -> Sequence[float]:
        return values if quantized else ()

    image = flat.tensor((1, 8, 8, 1), dtype, scales(1 / 128))
    per_channel = scales(0.01, 0.02, 0.03, 0.04)
    kernel = flat.tensor((4, 3, 3, 1), dtype, per_channel, (0,) * 4, weights(4, 3, 3, 1))
    kernel_bias = flat.tensor(
        (4,),
        np.dtype(bias).name.upper(),
        tuple(s / 128 for s in per_channel),
        (0,) * 4,
        rng.integers(-9, 9, 4).astype(bias),
    )
    features = flat.tensor((1, 4, 4, 4), dtype, scales(6 / 255), (-128,))
    flat.op(
        "CONV_2D",
        (image, kernel, kernel_bias),
        (features,),
        options("Conv2DOptions", padding=0, strideW=2, strideH=2, fusedActivationFunction=3),
    )
    axes = flat.tensor((2,), "INT32", (), (), np.array([1, 2], np.int32))
    mean = flat.tensor((1, 4), dtype, scales(6 / 255), (-128,))
    flat.op("MEAN", (features, axes), (mean,), options("ReducerOptions", keepDims=False))
    dense = flat.tensor((3, 4), dtype, scales(0.01), data=weights(3, 4))
    logits = flat.tensor((1, 3), dtype, scales(0.1))
    flat.op("FULLY_CONNECTED", (mean, dense, -1), (logits,), options("FullyConnectedOptions"))
    scores = flat.tensor((1, 3), dtype, scales(1 / 256), (-128,))
    flat.op("SOFTMAX", (logits,), (scores,), options("SoftmaxOptions", beta=1.0))
    flat.graph.inputs, flat.graph.outputs = [image], [scores]
    return flat


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A file with one to four bytes or words of it changed."""
    spoiled = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(data) - 4)
        kind = rng.randrange(3)
        if kind == 0:
            spoiled[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            spoiled[at] = rng.randrange(256)
        else:
            word = rng.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, rng.randrange(len(data))))
            struct.pack_into("<I", spoiled, at, word)
    return bytes(spoiled)
