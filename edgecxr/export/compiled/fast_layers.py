# SPDX-License-Identifier: Apache-2.0
"""Moves layers onto the fast int8 kernels of ecx_fast.h, where they give the same bits.

A value between a pointwise layer and a 3×3 depthwise layer becomes planar: its rows are
[channel][plane] cells, so that the depthwise kernel reads four columns with one load. Everything
else stays [column][channel].
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgecxr.export.compiled.build import Model
from edgecxr.export.compiled.fast import (
    PackedDepthwise,
    PackedPointwise,
    Sums,
    pack_depthwise,
    pack_pointwise,
)
from edgecxr.export.compiled.layers import Constant, Layer, Value, Window
from edgecxr.export.compiled.ops.conv import ConvLayer

WHOLE_RANGE = (-128, 127)


def _strides(value: Value) -> tuple[int, int]:
    """(from pixel to pixel, from channel to channel) in bytes."""
    return (1, value.plane) if value.plane else (value.channels, 1)


def _first_cell(value: Value, row: str) -> str:
    """Column 0 of channel 0 of a row."""
    return f"{row} + 1" if value.plane else row


class FastPointwise(Layer):
    window = Window()

    def __init__(self, layer: ConvLayer, x: Value, y: Value, packed: PackedPointwise) -> None:
        super().__init__(f"fast_{layer.name}", layer.op, (x,), y)
        self.packed = packed
        self.macs = layer.macs
        self.by_rows = y.plane > 0

    def row_scratch(self) -> int:
        taps = -(-self.inputs[0].channels // 8) * 8
        return 6 * taps + 3 * self.output.channels  # ECX_FAST_POINTWISE_SCRATCH

    def map_scratch(self) -> int:
        return self.row_scratch()

    def scratch_macro(self, by_rows: bool) -> str:  # noqa: ARG002
        return f"ECX_FAST_POINTWISE_SCRATCH({self.inputs[0].channels}, {self.output.channels})"

    def constants(self) -> tuple[Constant, ...]:
        x, y = self.inputs[0], self.output
        stream = f"{self.name}_stream"
        text = self.packed.initializer(stream, x.channels, y.channels, *_strides(y))
        return (
            Constant(stream, "uint32_t", self.packed.stream),
            Constant(self.name, "ecx_fast_pointwise", text, 24),
        )

    def row_call(self, rows: tuple[str, ...], y: str, scratch: str) -> str:
        return self._call(rows[0], _first_cell(self.output, y), self.output.width, scratch)

    def map_call(self, xs: tuple[str, ...], y: str, scratch: str) -> str:
        return self._call(xs[0], y, self.output.height * self.output.width, scratch)

    def _call(self, x: str, y: str, n: int, scratch: str) -> str:
        return f"{self.packed.kernel}({x}, {y}, {n}, &{self.name}, {scratch});"


class FastDepthwise(Layer):
    """Depthwise 3×3, or a 3×3 convolution of one channel: then all channels read that one."""

    by_rows = True
    takes_window = True

    def __init__(
        self, layer: ConvLayer, x: Value, y: Value, packed: PackedDepthwise, cells: int
    ) -> None:
        super().__init__(f"fast_{layer.name}", layer.op, (x,), y)
        self.packed = packed
        self.where = layer.where
        self.window = layer.window
        self.macs = layer.macs
        self.cells = cells

    def constants(self) -> tuple[Constant, ...]:
        x, y = self.inputs[0], self.output
        names = (f"{self.name}_stream", f"padding_{x.zero_point % 256}")
        strides = (x.plane if x.channels > 1 else 0, *_strides(y))
        text = self.packed.initializer(
            names, y.width, strides, self.where.stride_w, self.where.pad_left
        )
        return (
            Constant(names[0], "uint32_t", self.packed.stream),
            Constant(names[1], "int8_t", np.full(self.cells, x.zero_point, np.int8)),
            Constant(self.name, "ecx_fast_depthwise", text, 28),
        )

    def row_call(self, rows: tuple[str, ...], y: str, scratch: str) -> str:  # noqa: ARG002
        y = _first_cell(self.output, y)
        return f"ecx_fast_depthwise_s8({rows[0]}, {y}, &{self.name});"


def use_fast_kernels(model: Model) -> Model:
    """The model with every layer on a fast kernel that can be."""
    packed = _packed(model)
    planar = _planar_values(model, packed)
    cells = max((value.plane for value in planar.values()), default=0)
    layers: list[Layer] = []
    for layer in model.layers:
        x, y = (planar.get(v.index, v) for v in (layer.inputs[0], layer.output))
        found = packed.get(layer.name)
        if isinstance(layer, ConvLayer) and isinstance(found, PackedDepthwise) and x.plane:
            layers.append(FastDepthwise(layer, x, y, found, cells))
        elif isinstance(layer, ConvLayer) and isinstance(found, PackedPointwise):
            layers.append(FastPointwise(layer, x, y, found))
        else:
            layers.append(layer)
    source = planar.get(model.input.index, model.input)
    return replace(model, layers=tuple(layers), input=source)


def _packed(model: Model) -> dict[str, PackedDepthwise | PackedPointwise]:
    """What the kernels need, for every layer that has an exact form."""
    found: dict[str, PackedDepthwise | PackedPointwise] = {}
    for layer in model.layers:
        if isinstance(layer, ConvLayer) and _suits(layer):
            w = layer.weights
            sums = Sums(w.taps.astype(np.int8), w.bias.astype(np.int64), w.multiplier, w.shift)
            one: PackedDepthwise | PackedPointwise | None
            if _is_depthwise(layer):
                one = pack_depthwise(sums)
            else:
                one = pack_pointwise(sums, layer.output.zero_point)
            if one is not None:
                found[layer.name] = one
    return found


def _suits(layer: ConvLayer) -> bool:
    y, w = layer.output, layer.weights
    if y.dtype != "int8" or (w.low, w.high) != WHOLE_RANGE or not w.narrow:
        return False
    # A scale too small for TFLite has multiplier 0: a channel without steps, which nothing matches.
    if not np.all(w.multiplier > 0):
        return False
    pointwise = layer.form == "pointwise" and layer.op == "CONV_2D" and y.channels % 2 == 0
    return pointwise or (_is_depthwise(layer) and y.zero_point == -128)


def _is_depthwise(layer: ConvLayer) -> bool:
    x, y, w = layer.inputs[0], layer.output, layer.where
    right = (y.width - 1) * w.stride_w + 3 - w.pad_left - x.width
    one_to_one = layer.form == "depthwise" and x.channels == y.channels
    return (
        (one_to_one or (layer.form == "conv" and x.channels == 1))
        and (w.kernel_h, w.kernel_w) == (3, 3)
        and w.stride_h == w.stride_w <= 2
        and max(w.pad_top, w.pad_left, right) <= 1
    )


def _planar_values(
    model: Model, packed: dict[str, PackedDepthwise | PackedPointwise]
) -> dict[int, Value]:
    """The values to lay out in planes, by index: made by one fast layer, read by one depthwise."""
    maker = {layer.output.index: layer for layer in model.layers}
    readers: dict[int, list[Layer]] = {}
    for layer in model.layers:
        for value in layer.inputs:
            readers.setdefault(value.storage, []).append(layer)
    planar: dict[int, Value] = {}
    for layer in model.layers:
        x = layer.inputs[0]
        if not isinstance(packed.get(layer.name), PackedDepthwise):
            continue
        made = maker.get(x.index)
        fits = x.index == model.input.index and x.channels == 1
        if made is not None:
            fits = _writes_planes(made, packed, planar)
        if fits and len(readers[x.storage]) == 1 and x.index == x.storage:
            planar[x.index] = replace(x, plane=-(-(x.width + 2) // 4) * 4)
    return planar


def _writes_planes(
    layer: Layer,
    packed: dict[str, PackedDepthwise | PackedPointwise],
    planar: dict[int, Value],
) -> bool:
    found = packed.get(layer.name)
    if isinstance(found, PackedDepthwise):
        return layer.inputs[0].index in planar
    return isinstance(found, PackedPointwise) and found.writes_planes
