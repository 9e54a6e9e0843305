# SPDX-License-Identifier: Apache-2.0
"""MEAN over height and width."""

from __future__ import annotations

import numpy as np

from edgecxr.core.quant import quantize_multiplier
from edgecxr.export.compiled.build import Builder
from edgecxr.export.compiled.layers import Constant, Layer, Value
from edgecxr.export.graph import Op


class MeanLayer(Layer):
    def __init__(self, op: Op, x: Value, y: Value) -> None:
        super().__init__(f"mean_{op.index}", op.name, (x,), y)
        self.pixels = x.height * x.width
        self.macs = x.elements

    def constants(self) -> tuple[Constant, ...]:
        x, y = self.inputs[0], self.output
        if y.dtype == "float32":
            return ()
        multiplier, shift = _rescale(x.scale / y.scale, self.pixels)
        numbers = (self.pixels, x.channels, x.zero_point * self.pixels, multiplier, -shift)
        text = f"{{{', '.join(map(str, numbers))}, {y.zero_point}}}"
        return (Constant(self.name, "ecx_mean_s8_layer", text, 24),)

    def map_call(self, xs: tuple[str, ...], y: str, scratch: str) -> str:  # noqa: ARG002
        if self.output.dtype == "float32":
            return f"ecx_mean_f32({xs[0]}, {y}, {self.pixels}, {self.inputs[0].channels});"
        return f"ecx_mean_s8({xs[0]}, {y}, &{self.name});"


def _rescale(real: float, count: int) -> tuple[int, int]:
    """QuantizedMeanOrSum in reduce.h: 1 / count goes into the multiplier, rounded down."""
    multiplier, output_shift = quantize_multiplier(real)
    shift = min(count.bit_length() - 1, 32, 31 + output_shift)
    return (multiplier << shift) // count, output_shift - shift


def parse(builder: Builder, op: Op) -> None:
    x = builder.value(op)
    tensor = builder.tensor(op, 0)
    rank = 0 if tensor is None else len(tensor.shape)
    axes = {int(a) % max(rank, 1) for a in np.ravel(builder.constant(op, 1, "int32"))}
    if rank != 4 or axes != {1, 2}:
        raise builder.unsupported(
            op, f"axes {sorted(axes)}", "the mean over axes 1 and 2 is supported"
        )
    builder.add(MeanLayer(op, x, builder.output(op)))
