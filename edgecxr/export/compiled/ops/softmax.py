# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX over the channels."""

from __future__ import annotations

import numpy as np

from edgecxr.core.quant import quantize_multiplier
from edgecxr.export.compiled.build import Builder, number
from edgecxr.export.compiled.fixed import (
    exp_on_negative,
    high_mul,
    input_radius,
    wrap32,
)
from edgecxr.export.compiled.layers import Constant, Layer, Overlap, Value
from edgecxr.export.cpp import float_literal
from edgecxr.export.graph import Op

DIFF_BITS = 5  # integer bits of the scaled difference, as in TFLite's softmax.h


class SoftmaxLayer(Layer):
    overlap = Overlap.PIXELS

    def __init__(self, op: Op, x: Value, y: Value, beta: float) -> None:
        super().__init__(f"softmax_{op.index}", op.name, (x,), y)
        self.beta = beta

    def constants(self) -> tuple[Constant, ...]:
        if self.output.dtype == "float32":
            return ()
        return (Constant(f"{self.name}_exps", "int32_t", exps(self.inputs[0].scale, self.beta)),)

    def map_call(self, xs: tuple[str, ...], y: str, scratch: str) -> str:  # noqa: ARG002
        x = self.inputs[0]
        n = x.height * x.width
        if self.output.dtype == "float32":
            beta = float_literal(self.beta)
            return f"ecx_softmax_f32({xs[0]}, {y}, {n}, {x.channels}, {beta});"
        table = self.constants()[0]
        return (
            f"ecx_softmax_s8({xs[0]}, {y}, {n}, {x.channels}, {table.name}, {table.nbytes // 4});"
        )


def exps(scale: float, beta: float) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """exp(-d * scale * beta) in Q0.31 for the differences d that softmax.h does not skip."""
    real = min(beta * scale * (1 << (31 - DIFF_BITS)), float((1 << 31) - 1))
    multiplier, shift = quantize_multiplier(real)
    last = min(255, input_radius(DIFF_BITS, shift))
    values = [
        exp_on_negative(high_mul(wrap32(-d << shift), multiplier), DIFF_BITS)
        for d in range(last + 1)
    ]
    # Below 2**11 a value adds nothing to the sum (Q12.19) and gives output 0, like a skipped one.
    while values[-1] < 1 << 11:
        values.pop()
    return np.array(values, np.int32)


def parse(builder: Builder, op: Op) -> None:
    x, y = builder.value(op), builder.output(op)
    beta = number(op, "beta")
    if y.dtype == "int8" and (y.zero_point != -128 or abs(y.scale * 256 - 1) > 1e-3 or beta <= 0):
        raise builder.unsupported(
            op, "another output scale", "scale 1/256 and zero point -128 are supported"
        )
    if x.dtype != y.dtype:
        raise builder.unsupported(op, f"{x.dtype} → {y.dtype}", "equal types are supported")
    builder.add(SoftmaxLayer(op, x, y, beta))
