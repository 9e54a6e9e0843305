# SPDX-License-Identifier: Apache-2.0
"""ADD, MUL and PRELU: two operands, the second one possibly repeating."""

from __future__ import annotations

import numpy as np

from edgecxr.core.quant import activation_range, quantize_multiplier
from edgecxr.export.compiled.build import Builder
from edgecxr.export.compiled.layers import Constant, Value
from edgecxr.export.compiled.ops.elementwise import ElementwiseLayer, layer_name
from edgecxr.export.compiled.ops.window import activation_f32, activation_s8
from edgecxr.export.cpp import float_literal
from edgecxr.export.graph import Op, Tensor

Operand = tuple[int, int, int]  # zero point, multiplier, right shift
UNUSED = (0, 0)


class BinaryLayer(ElementwiseLayer):
    """``function(a, b, y, n, layer)``; ``fixed`` is b where it is a constant."""

    def __init__(
        self,
        op: Op,
        inputs: tuple[Value, ...],
        y: Value,
        function: str,
        constants: tuple[Constant, ...],
        fixed: str,
        period: int,
    ) -> None:
        super().__init__(op, inputs, y, function, f"&{layer_name(op)}", constants)
        self.fixed = fixed
        self.macs = y.elements
        if period > y.row_elements or any(v.height != y.height for v in inputs):
            self.window = None  # b belongs to the whole map, not to one row

    def may_overlap(self, value: Value) -> bool:
        return value.elements == self.output.elements  # what repeats is read again

    def _call(self, xs: tuple[str, ...], y: str, count: int) -> str:
        return super()._call((*xs, self.fixed), y, count)


def parse(builder: Builder, op: Op) -> None:
    first, second = (_operand(builder, op, position) for position in (0, 1))
    y_tensor = builder.graph.tensor(op.outputs[0])
    unfit = first.shape != y_tensor.shape or not builder.is_value(op, 0)
    swap = unfit and op.name != "PRELU"
    a_at, b_at = (1, 0) if swap else (0, 1)
    if swap:
        first, second = second, first
    if first.shape != y_tensor.shape or not builder.is_value(op, a_at):
        raise builder.unsupported(op, "both operands repeating", "one that repeats is supported")
    a, y = builder.value(op, a_at), builder.output(op)
    period = _period(builder, op, second)
    if not (a.dtype == y.dtype == second.dtype) or y.dtype == "uint8":
        raise builder.unsupported(op, "operands of several types", "int8 or float32 is supported")
    form = _form_f32 if y.dtype == "float32" else _form_s8
    suffix = "f32" if y.dtype == "float32" else "s8"
    name = layer_name(op)
    text = form(builder, op, first, second, y, period)
    constants = [Constant(name, f"ecx_binary_{suffix}", text, 12 if suffix == "f32" else 48)]
    inputs: tuple[Value, ...] = (a,)
    fixed = ""
    if builder.is_value(op, b_at):
        inputs = (a, builder.value(op, b_at))
    else:
        fixed = f"{name}_b"
        ctype = "float" if suffix == "f32" else "int8_t"
        constants.insert(0, Constant(fixed, ctype, builder.constant(op, b_at, y.dtype)))
    function = f"ecx_{op.name.lower()}_{suffix}"
    builder.add(BinaryLayer(op, inputs, y, function, tuple(constants), fixed, period))


def _operand(builder: Builder, op: Op, position: int) -> Tensor:
    tensor = builder.tensor(op, position)
    if tensor is None:
        raise builder.unsupported(op, "one operand", "two are expected")
    return tensor


def _period(builder: Builder, op: Op, b: Tensor) -> int:
    """After how many elements b repeats: its size, if it covers the last axes whole."""
    y_shape = builder.graph.tensor(op.outputs[0]).shape
    shape = b.shape
    while shape and shape[0] == 1:
        shape = shape[1:]
    if shape != (y_shape[-len(shape) :] if shape else ()):
        raise builder.unsupported(
            op,
            "operands that repeat along inner axes",
            "repeating along the first axes is supported",
        )
    return int(np.prod(shape, dtype=np.int64))


def _form_f32(builder: Builder, op: Op, a: Tensor, b: Tensor, y: Value, period: int) -> str:  # noqa: ARG001
    low, high = activation_f32(op)
    return f"{{{period}, {float_literal(low)}, {float_literal(high)}}}"


def _form_s8(builder: Builder, op: Op, a: Tensor, b: Tensor, y: Value, period: int) -> str:
    (a_scale, a_zero), (b_scale, b_zero) = (_quantization(builder, op, t) for t in (a, b))
    if op.name == "ADD":
        factors = _add_factors(builder, op, a_scale, b_scale, y.scale)
    elif op.name == "MUL":
        factors = (UNUSED, UNUSED, quantize_multiplier(a_scale * b_scale / y.scale))
    else:
        factors = (
            quantize_multiplier(a_scale / y.scale),
            quantize_multiplier(a_scale * b_scale / y.scale),
            UNUSED,
        )
    zeros = (a_zero, b_zero, y.zero_point)
    parts = [f"{{{z}, {m}, {-s}}}" for z, (m, s) in zip(zeros, factors, strict=True)]
    low, high = (
        activation_range("NONE", y.scale, y.zero_point)
        if op.name == "PRELU"
        else activation_s8(op, y)
    )
    return f"{{{', '.join(parts)}, {period}, {low}, {high}}}"


def _add_factors(
    builder: Builder, op: Op, a: float, b: float, y: float
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """add_common.cc: both operands in units of twice the larger scale, 2**20 times finer."""
    twice = 2 * max(a, b)
    reals = (a / twice, b / twice, twice / ((1 << 20) * y))
    if reals[2] >= 1:
        raise builder.unsupported(
            op, "an output scale far below the inputs'", "larger ones are supported"
        )
    return tuple(quantize_multiplier(real) for real in reals)  # type: ignore[return-value]


def _quantization(builder: Builder, op: Op, tensor: Tensor) -> tuple[float, int]:
    quantization = tensor.quantization
    if quantization is None or quantization.per_channel or not quantization.scale:
        raise builder.unsupported(op, "an operand without one scale", "one scale is supported")
    return quantization.scale[0], quantization.zero_point[0]
