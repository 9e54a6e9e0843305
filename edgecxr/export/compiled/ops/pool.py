# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from edgecxr.export.compiled.build import Builder, number
from edgecxr.export.compiled.layers import Constant, Layer, Value, Window
from edgecxr.export.compiled.ops.elementwise import layer_name
from edgecxr.export.compiled.ops.window import Geometry, activation_f32, activation_s8, geometry
from edgecxr.export.cpp import float_literal
from edgecxr.export.graph import Op


class PoolLayer(Layer):
    by_rows = True
    takes_window = True

    def __init__(self, op: Op, x: Value, y: Value, where: Geometry) -> None:
        super().__init__(layer_name(op), op.name, (x,), y)
        self.where = where
        self.window = Window(where.kernel_h, where.stride_h, where.pad_top)
        self.macs = y.elements * where.kernel_h * where.kernel_w
        if y.dtype == "float32":
            self.limits = ", ".join(map(float_literal, activation_f32(op)))
        else:
            self.limits = ", ".join(map(str, activation_s8(op, y)))

    @property
    def suffix(self) -> str:
        return "f32" if self.output.dtype == "float32" else "s8"

    def constants(self) -> tuple[Constant, ...]:
        x, y, w = self.inputs[0], self.output, self.where
        numbers = (x.width, y.width, y.channels, w.kernel_h, w.kernel_w, w.stride_w, w.pad_left)
        text = f"{{{', '.join(map(str, numbers))}, {self.limits}}}"
        return (Constant(self.name, f"ecx_pool_{self.suffix}", text, 20),)

    def row_call(self, rows: tuple[str, ...], y: str, scratch: str) -> str:  # noqa: ARG002
        kind = self.op.removesuffix("_2D").lower()
        return f"ecx_{kind}_row_{self.suffix}({rows[0]}, {y}, &{self.name});"


def parse(builder: Builder, op: Op) -> None:
    kernel = int(number(op, "filter_height")), int(number(op, "filter_width"))
    x, where = geometry(builder, op, *kernel)
    y = builder.output(op)
    same = (x.scale, x.zero_point, x.channels) == (y.scale, y.zero_point, y.channels)
    if x.dtype != y.dtype or x.dtype == "uint8" or not same:
        raise builder.unsupported(op, "another output scale or type", "equal ones are supported")
    builder.add(PoolLayer(op, x, y, where))
