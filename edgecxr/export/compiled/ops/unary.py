# SPDX-License-Identifier: Apache-2.0
"""RELU, RELU6, LEAKY_RELU, LOGISTIC and HARD_SWISH.

On int8 each is a table of 256 bytes, filled here with TFLite's own integer arithmetic.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.quant import (
    activation_range,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)
from edgecxr.export.compiled.build import Builder, number
from edgecxr.export.compiled.fixed import clamp, input_radius, logistic, rounding_shift
from edgecxr.export.compiled.layers import Constant, Value
from edgecxr.export.compiled.ops.elementwise import ElementwiseLayer, layer_name
from edgecxr.export.cpp import float_literal
from edgecxr.export.graph import Op

EVERY_INT8 = np.arange(-128, 128, dtype=np.int32)


def parse(builder: Builder, op: Op) -> None:
    x, y = builder.value(op), builder.output(op)
    if x.dtype != y.dtype or x.dtype == "uint8":
        raise builder.unsupported(
            op, f"{x.dtype} → {y.dtype}", "int8 → int8 and float32 → float32 are supported"
        )
    if x.dtype == "float32":
        function, arguments = _float_form(op)
        builder.add(ElementwiseLayer(op, (x,), y, function, arguments))
        return
    values = _TABLES[op.name](builder, op, x, y)
    add_table(builder, op, x, y, values)


def add_table(builder: Builder, op: Op, x: Value, y: Value, values: NDArray[np.int64]) -> None:
    """Add the layer that looks every byte up in ``values``, clamped to y's type."""
    limits = np.iinfo(y.dtype)
    table = np.clip(values, limits.min, limits.max).astype(y.dtype).view(np.int8)
    name = f"{layer_name(op)}_table"
    function = "ecx_table_u8" if x.dtype == "uint8" else "ecx_table_s8"
    builder.add(ElementwiseLayer(op, (x,), y, function, name, (Constant(name, "int8_t", table),)))


def _float_form(op: Op) -> tuple[str, str]:
    if op.name == "LEAKY_RELU":
        return "ecx_leaky_relu_f32", float_literal(number(op, "alpha"))
    return {
        "RELU": ("ecx_clamp_f32", "0.0f, 3.40282347e+38f"),
        "RELU6": ("ecx_clamp_f32", "0.0f, 6.0f"),
        "LOGISTIC": ("ecx_logistic_f32", ""),
        "HARD_SWISH": ("ecx_hard_swish_f32", ""),
    }[op.name]


def _ratio(x: Value, y: Value) -> float:
    """x.scale / y.scale as TFLite computes it for activations: in float."""
    return float(np.float32(x.scale) / np.float32(y.scale))


def _rescaled(values: NDArray[np.int32], real: float) -> NDArray[np.int64]:
    return multiply_by_quantized_multiplier(values, *quantize_multiplier(real)).astype(np.int64)


def _relu(builder: Builder, op: Op, x: Value, y: Value) -> NDArray[np.int64]:  # noqa: ARG001
    values = _rescaled(EVERY_INT8 - x.zero_point, _ratio(x, y)) + y.zero_point
    return np.clip(values, *activation_range("RELU", y.scale, y.zero_point))


def _relu6(builder: Builder, op: Op, x: Value, y: Value) -> NDArray[np.int64]:
    if (x.scale, x.zero_point) != (y.scale, y.zero_point):
        raise builder.unsupported(
            op,
            "another output scale",
            "equal scales are supported; TFLM and LiteRT differ on others",
        )
    return np.clip(EVERY_INT8, *activation_range("RELU6", y.scale, y.zero_point)).astype(np.int64)


def _leaky_relu(builder: Builder, op: Op, x: Value, y: Value) -> NDArray[np.int64]:
    alpha = np.float32(number(op, "alpha"))
    if alpha < 0:
        raise builder.unsupported(op, f"alpha {alpha}", "alpha ≥ 0 is supported")
    slope = float(np.float32(x.scale) * alpha / np.float32(y.scale))
    values = EVERY_INT8 - x.zero_point
    return (
        np.where(values >= 0, _rescaled(values, _ratio(x, y)), _rescaled(values, slope))
        + y.zero_point
    )


def _logistic(builder: Builder, op: Op, x: Value, y: Value) -> NDArray[np.int64]:
    if y.zero_point != -128 or y.scale != 1 / 256:
        raise builder.unsupported(
            op, "another output scale", "scale 1/256 and zero point -128 are supported"
        )
    fraction, shift = math.frexp(x.scale * (1 << (31 - 4)))
    multiplier = min(math.floor(fraction * (1 << 31) + 0.5), (1 << 31) - 1)
    radius = input_radius(4, shift)
    values = []
    for value in (EVERY_INT8 - x.zero_point).tolist():
        if abs(value) >= radius:
            values.append(-128 if value < 0 or value <= -radius else 127)
            continue
        scaled = multiply_by_quantized_multiplier(np.array(value, np.int32), multiplier, shift)
        values.append(clamp(rounding_shift(logistic(int(scaled), 4), 23) - 128, -128, 127))
    return np.array(values, np.int64)


def _hard_swish(builder: Builder, op: Op, x: Value, y: Value) -> NDArray[np.int64]:
    hires = np.float32(1 / 128) * np.float32(x.scale)
    out, out_shift = _int16_multiplier(float(hires / np.float32(y.scale)))
    relu, relu_shift = _int16_multiplier(float(hires / (np.float32(3) / np.float32(32768))))
    if out_shift > 0:
        raise builder.unsupported(
            op, "an output scale far below the input's", "larger ones are supported"
        )
    return np.array(
        [
            _hard_swish_of(v * 128, out, out_shift, relu, relu_shift) + y.zero_point
            for v in (EVERY_INT8 - x.zero_point).tolist()
        ],
        np.int64,
    )


def _int16_multiplier(real: float) -> tuple[int, int]:
    multiplier, shift = quantize_multiplier(real)
    return min((multiplier + (1 << 15)) >> 16, 32767), shift


def _int16(value: int) -> int:
    return clamp(value, -32768, 32767)


def _hard_swish_of(value: int, out: int, out_shift: int, relu: int, relu_shift: int) -> int:
    """x * relu6(x + 3) / 6 in TFLite's int16 arithmetic (hard_swish.h), before the zero point."""

    def high(a: int, b: int) -> int:
        """SaturatingRoundingDoublingHighMul of int16."""
        return 32767 if a == b == -32768 else (a * b + (1 << 14)) >> 15

    gate = value
    if relu_shift > 0:
        gate = _int16(gate << (relu_shift - 1))
    gate = high(gate, relu)
    if relu_shift > 0:
        gate = _int16(gate << 1)
    if relu_shift < 0:
        gate = rounding_shift(gate, -relu_shift)
    gate = (gate + (1 << 15)) >> 1
    product = gate * high(value, out)
    truncated = abs(product) >> 15
    return rounding_shift(truncated if product >= 0 else -truncated, -out_shift)


_TABLES = {
    "RELU": _relu,
    "RELU6": _relu6,
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _logistic,
    "HARD_SWISH": _hard_swish,
}
