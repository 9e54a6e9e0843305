# SPDX-License-Identifier: Apache-2.0
"""RESHAPE and SQUEEZE (views), PAD and CONCATENATION (copies)."""

from __future__ import annotations

import numpy as np

from edgecxr.export.compiled.build import Builder, number
from edgecxr.export.compiled.layers import Constant, Layer, Value, Window
from edgecxr.export.compiled.ops.elementwise import layer_name
from edgecxr.export.graph import Op

Pads = tuple[int, int, int, int, int, int]  # top, bottom, left, right, before and after in a pixel


class PadLayer(Layer):
    by_rows = True
    takes_window = True

    def __init__(self, op: Op, x: Value, y: Value, pads: Pads) -> None:
        super().__init__(layer_name(op), op.name, (x,), y)
        self.pads = pads
        self.window = Window(1, 1, pads[0])

    def constants(self) -> tuple[Constant, ...]:
        x, y = self.inputs[0], self.output
        _, _, left, right, before, after = self.pads
        pixel = y.channels * y.itemsize
        numbers = (
            *(x.width, x.channels * x.itemsize, left * pixel, right * pixel),
            *(before * y.itemsize, after * y.itemsize, y.zero_point),
        )
        text = f"{{{', '.join(map(str, numbers))}}}"
        return (Constant(self.name, "ecx_pad_layer", text, 28),)

    def row_call(self, rows: tuple[str, ...], y: str, scratch: str) -> str:  # noqa: ARG002
        return f"ecx_pad_row({rows[0]}[0], {y}, &{self.name});"


class ConcatenationLayer(Layer):
    def __init__(self, op: Op, inputs: tuple[Value, ...], y: Value, outer: int) -> None:
        super().__init__(layer_name(op), op.name, inputs, y)
        self.outer = outer

    def map_call(self, xs: tuple[str, ...], y: str, scratch: str) -> str:  # noqa: ARG002
        stride = self.output.nbytes // self.outer
        calls, at = [], 0
        for x, value in zip(xs, self.inputs, strict=True):
            block = value.nbytes // self.outer
            to = f"(int8_t *)({y}) + {at}"
            calls.append(f"ecx_copy_blocks({x}, {to}, {self.outer}, {block}, {stride});")
            at += block
        return "\n  ".join(calls)


def parse(builder: Builder, op: Op) -> None:
    {"PAD": _parse_pad, "CONCATENATION": _parse_concatenation}.get(op.name, _parse_view)(
        builder, op
    )


def _parse_view(builder: Builder, op: Op) -> None:
    x = builder.value(op)
    y = builder.define(op.outputs[0], of=x)
    if x.elements != y.elements or x.dtype != y.dtype or not _same_scale(x, y):
        raise builder.unsupported(op, "another size or scale", "equal ones are expected")


def _same_scale(x: Value, y: Value) -> bool:
    return (x.scale, x.zero_point) == (y.scale, y.zero_point)


def _parse_pad(builder: Builder, op: Op) -> None:
    x, tensor = builder.value(op), builder.tensor(op, 1)
    kind = "int32" if tensor is None else tensor.dtype
    amounts = np.asarray(builder.constant(op, 1, kind), np.int64)
    rank = len(builder.graph.tensor(op.outputs[0]).shape)
    if amounts.shape != (rank, 2) or rank != 4 or amounts[0].any() or amounts.min() < 0:
        raise builder.unsupported(op, "paddings of another kind", "[1, h, w, c] is supported")
    y = builder.output(op)
    pads = tuple(int(v) for v in amounts[1:].reshape(-1))
    grown = (
        x.height + pads[0] + pads[1],
        x.width + pads[2] + pads[3],
        x.channels + pads[4] + pads[5],
    )
    if grown != (y.height, y.width, y.channels) or x.dtype != y.dtype or not _same_scale(x, y):
        raise builder.unsupported(
            op, "an output of another size or scale", "equal scales are supported"
        )
    if max(pads) > 255:
        raise builder.unsupported(op, f"a padding of {max(pads)}", "at most 255 is supported")
    builder.add(PadLayer(op, x, y, pads))  # type: ignore[arg-type]


def _parse_concatenation(builder: Builder, op: Op) -> None:
    inputs = tuple(builder.value(op, position) for position in range(len(op.inputs)))
    y = builder.output(op)
    shape = builder.graph.tensor(op.outputs[0]).shape
    axis = int(number(op, "axis")) % max(len(shape), 1)
    if op.options["fused_activation"] != "NONE" or any(
        x.dtype != y.dtype or not _same_scale(x, y) for x in inputs
    ):
        raise builder.unsupported(
            op, "an activation, or inputs of another scale or type", "equal scales are supported"
        )
    outer = int(np.prod(shape[:axis], dtype=np.int64))
    if sum(x.elements for x in inputs) != y.elements or any(x.elements % outer for x in inputs):
        raise builder.unsupported(op, "inputs of other sizes", "sizes that add up are expected")
    builder.add(ConcatenationLayer(op, inputs, y, outer))
