# SPDX-License-Identifier: Apache-2.0
"""Graph → model: every operator is handed to its family in ``ops``, which adds layers."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.pixels import PixelRange
from edgecxr.errors import ModelError
from edgecxr.export.compiled.layers import Layer, Value
from edgecxr.export.graph import Graph, Op, Tensor

# Which file of ``ops`` handles which operators. A family is imported when a model needs it.
FAMILIES: dict[str, tuple[str, ...]] = {
    "conv": ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"),
    "pool": ("AVERAGE_POOL_2D", "MAX_POOL_2D"),
    "mean": ("MEAN",),
    "binary": ("ADD", "MUL", "PRELU"),
    "unary": ("RELU", "RELU6", "LEAKY_RELU", "LOGISTIC", "HARD_SWISH"),
    "softmax": ("SOFTMAX",),
    "shape": ("RESHAPE", "SQUEEZE", "PAD", "CONCATENATION"),
    "quantize": ("QUANTIZE", "DEQUANTIZE"),
}
FAMILY_OF = {op: family for family, ops in FAMILIES.items() for op in ops}
VALUE_TYPES = ("int8", "uint8", "float32")


@dataclass(frozen=True)
class Model:
    """Layers in execution order, from one input to one output.

    ``source_shape`` is the input tensor's own shape, without the batch; ``pixels`` the range that
    the file names, or None.
    """

    layers: tuple[Layer, ...]
    input: Value
    output: Value
    source_shape: tuple[int, ...]
    sha256: str
    size: int
    pixels: PixelRange | None = None

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def flash(self) -> int:
        """Bytes of constants."""
        constants = {c.name: c.nbytes for layer in self.layers for c in layer.constants()}
        return sum(constants.values())


def describe(tensor: Tensor) -> str:
    """``int8[1, 96, 96, 1]``: how errors name a tensor."""
    return f"{tensor.dtype}[{', '.join(map(str, tensor.shape))}]"


class Builder:
    """What an op family sees while it turns one operator into layers."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.layers: list[Layer] = []
        self._values: dict[int, Value] = {}
        self._uses = Counter(i for op in graph.ops for i in op.inputs if i >= 0)
        self._uses.update(graph.outputs)

    def unsupported(self, op: Op, what: str, supported: str) -> ModelError:
        """The error for a form of an operator that these kernels do not have."""
        shapes = " → ".join(
            ", ".join(describe(self.graph.tensor(i)) for i in indices if i >= 0)
            for indices in (op.inputs, op.outputs)
        )
        return ModelError(f"{op.name} (operator {op.index}: {shapes}) has {what}; {supported}")

    def tensor(self, op: Op, position: int) -> Tensor | None:
        """The op's input tensor at ``position``, or None where it was left out."""
        if position >= len(op.inputs) or op.inputs[position] < 0:
            return None
        return self.graph.tensor(op.inputs[position])

    def value(self, op: Op, position: int = 0) -> Value:
        """The activation that the op reads at ``position``."""
        tensor = self.tensor(op, position)
        if tensor is None or tensor.index not in self._values:
            raise self.unsupported(
                op, f"no activation as input {position}", "constants are folded at conversion"
            )
        return self._values[tensor.index]

    def is_value(self, op: Op, position: int) -> bool:
        return op.inputs[position] in self._values

    def constant(self, op: Op, position: int, dtype: str) -> NDArray[np.generic]:
        """The constant that the op reads at ``position``."""
        tensor = self.tensor(op, position)
        if tensor is None or tensor.data is None or tensor.dtype != dtype:
            found = "nothing" if tensor is None else describe(tensor)
            kind = "" if tensor is None or tensor.constant else " that is no constant"
            raise self.unsupported(
                op, f"{found}{kind} as input {position}", f"a constant {dtype} tensor is supported"
            )
        return tensor.data

    def output(self, op: Op) -> Value:
        """A new value for the op's output tensor."""
        return self.define(op.outputs[0])

    def define(self, index: int, of: Value | None = None) -> Value:
        """The value of tensor ``index``: new bytes, or a view of another value's."""
        tensor = self.graph.tensor(index)
        height, width, channels = _map_shape(tensor)
        scale, zero_point = _quantization(tensor)
        storage = index if of is None else of.storage
        value = Value(
            index, tensor.name, height, width, channels, tensor.dtype, scale, zero_point, storage
        )
        self._values[index] = value
        return value

    def add(self, layer: Layer) -> None:
        self.layers.append(layer)

    def only_producer(self, value: Value) -> Layer | None:
        """The layer that made ``value``, if nobody else reads it: the caller may replace it."""
        made = [layer for layer in self.layers if layer.output.index == value.index]
        return made[-1] if made and self._uses[value.index] == 1 else None


def number(op: Op, option: str) -> float:
    """A numeric option of an operator."""
    value = op.options[option]
    assert isinstance(value, (int, float))  # the reader's table says so
    return value


def view(value: Value, height: int, width: int, channels: int) -> Value:
    """The same bytes with another shape."""
    return replace(value, height=height, width=width, channels=channels)


def _map_shape(tensor: Tensor) -> tuple[int, int, int]:
    shape = tensor.shape
    if len(shape) == 4 and shape[0] == 1:
        return shape[1], shape[2], shape[3]
    if len(shape) == 3 and shape[0] == 1:
        return 1, shape[1], shape[2]
    if len(shape) <= 2:
        return (1, *((1, 1, *shape)[-2:]))  # type: ignore[return-value]
    raise ModelError(
        f"tensor {tensor.name!r} is {describe(tensor)}, but the compiled runtime takes maps of "
        "batch 1 with at most four dimensions; convert the model with a fixed batch of 1"
    )


def _quantization(tensor: Tensor) -> tuple[float, int]:
    if tensor.dtype not in VALUE_TYPES:
        raise ModelError(
            f"tensor {tensor.name!r} is {describe(tensor)}, but the compiled runtime computes with "
            f"{', '.join(VALUE_TYPES)}; convert the model to full int8 or leave it in float32"
        )
    if tensor.dtype == "float32":
        return 0.0, 0
    quantization = tensor.quantization
    if quantization is None or quantization.per_channel or not quantization.scale:
        raise ModelError(
            f"tensor {tensor.name!r} is {describe(tensor)} without one scale and zero point, which "
            "every int8 activation needs; convert the model again with a representative dataset"
        )
    return quantization.scale[0], quantization.zero_point[0]


def build_model(graph: Graph) -> Model:
    """Turn a graph into layers.

    Raises:
        ModelError: if the graph has several inputs or outputs, or an operator, a type or a form
            that the compiled runtime does not have. The message names it.
    """
    for what, ends in (("input", graph.inputs), ("output", graph.outputs)):
        if len(ends) != 1:
            raise ModelError(
                f"the model has {len(ends)} {what}s, but the compiled runtime takes exactly one; "
                "convert a model with one input and one output"
            )
    builder = Builder(graph)
    source = builder.define(graph.inputs[0])
    for op in graph.ops:
        family = FAMILY_OF.get(op.name)
        if family is None:
            raise builder.unsupported(
                op, "no kernel in the compiled runtime", f"it has {', '.join(sorted(FAMILY_OF))}"
            )
        importlib.import_module(f"edgecxr.export.compiled.ops.{family}").parse(builder, op)
    if not builder.layers or graph.outputs[0] not in builder._values:
        raise ModelError(
            "the model's output is not computed by any operator; convert a model that computes"
        )
    output = builder._values[graph.outputs[0]]
    shape = graph.tensor(source.index).shape
    layers = tuple(builder.layers)
    return Model(layers, source, output, shape[1:], graph.sha256, graph.size, graph.pixels)
