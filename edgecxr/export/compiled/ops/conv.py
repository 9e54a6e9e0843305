# SPDX-License-Identifier: Apache-2.0
"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED, int8 and float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.quant import quantize_multiplier
from edgecxr.errors import ModelError
from edgecxr.export.compiled.build import Builder, view
from edgecxr.export.compiled.layers import Constant, Layer, Overlap, Value, Window
from edgecxr.export.compiled.ops.window import Geometry, activation_f32, activation_s8, geometry
from edgecxr.export.cpp import float_literal
from edgecxr.export.graph import Op

# A narrow layer's sums stay below this for every input; see ecx_kernels.h.
NARROW_SUM = 1 << 30


@dataclass(frozen=True)
class Weights:
    """Weights of one layer as [out channel][tap], with what follows the sum."""

    taps: NDArray[np.generic]  # int8 or float32 [out_c][taps]
    bias: NDArray[np.int64] | NDArray[np.float32]  # zero point folded in for int8
    multiplier: NDArray[np.int64]  # int8 only
    shift: NDArray[np.int64]  # int8 only: right shift
    low: float
    high: float

    @property
    def narrow(self) -> bool:
        reach = np.abs(self.bias) + 128 * np.abs(self.taps.astype(np.int64)).sum(axis=1)
        return bool(reach.max() < NARROW_SUM and self.shift.min() >= 1 and self.shift.max() <= 31)


class ConvLayer(Layer):
    """A convolution in one of three forms: pointwise, general, depthwise."""

    def __init__(
        self, op: Op, form: str, x: Value, y: Value, where: Geometry, weights: Weights
    ) -> None:
        super().__init__(f"{form}_{op.index}", op.name, (x,), y)
        self.form = form
        self.where = where
        self.weights = weights
        self.macs = y.height * y.width * weights.taps.size
        self.window = Window(where.kernel_h, where.stride_h, where.pad_top)
        self.takes_window = form != "pointwise"
        in_place = form == "depthwise" and y.elements <= x.elements and y.channels == x.channels
        if form == "pointwise":
            self.overlap = Overlap.PIXELS
        elif in_place:
            self.overlap = Overlap.SAME_START
        self.by_rows = form == "conv" or (form == "depthwise" and not in_place)

    @property
    def suffix(self) -> str:
        if self.output.dtype == "float32":
            return "f32"
        return "s8" if self.weights.narrow else "s8_wide"

    def row_scratch(self) -> int:
        x, w = self.inputs[0], self.where
        item = 2 if x.dtype == "int8" else 4
        if self.form == "depthwise":
            return item * w.kernel_h * _line(x.width, w.kernel_w)
        return 4 * item * _round_up(w.kernel_h * w.kernel_w * x.channels, 4)

    def map_scratch(self) -> int:
        x, w = self.inputs[0], self.where
        item = 2 if x.dtype == "int8" else 4
        if self.form == "depthwise":
            return item * (x.height + w.kernel_h) * _line(x.width, w.kernel_w)
        return self.row_scratch()

    def scratch_macro(self, by_rows: bool) -> str:
        x, w = self.inputs[0], self.where
        if x.dtype != "int8":
            return ""
        if self.form != "depthwise":
            taps = w.kernel_h * w.kernel_w * x.channels
            kind = "POINTWISE" if self.form == "pointwise" else "CONV"
            return f"ECX_{kind}_SCRATCH({taps})"
        if by_rows:
            return f"ECX_DEPTHWISE_ROW_SCRATCH({w.kernel_h}, {x.width}, {w.kernel_w})"
        return f"ECX_DEPTHWISE_MAP_SCRATCH({x.height}, {w.kernel_h}, {x.width}, {w.kernel_w})"

    def constants(self) -> tuple[Constant, ...]:
        if self.output.dtype == "float32":
            return self._constants_f32()
        w = self.weights
        taps = w.taps if self.form == "depthwise" else _interleave(w.taps)
        names = [f"{self.name}_{part}" for part in ("weights", "bias", "multiplier", "shift")]
        return (
            Constant(names[0], "int8_t", taps),
            Constant(names[1], "int32_t", _even(w.bias).astype(np.int32)),
            Constant(names[2], "int32_t", _even(w.multiplier).astype(np.int32)),
            Constant(names[3], "int8_t", _even(w.shift).astype(np.int8)),
            self._descriptor(names, f"{w.low:.0f}, {w.high:.0f}"),
        )

    def _constants_f32(self) -> tuple[Constant, ...]:
        w = self.weights
        names = [f"{self.name}_{part}" for part in ("weights", "bias")]
        return (
            Constant(names[0], "float", w.taps),
            Constant(names[1], "float", w.bias),
            self._descriptor(names, f"{float_literal(w.low)}, {float_literal(w.high)}"),
        )

    def _descriptor(self, names: list[str], limits: str) -> Constant:
        x, y, w = self.inputs[0], self.output, self.where
        zeros = f"{x.zero_point}, {y.zero_point}, " if y.dtype == "int8" else ""
        text = (
            f"{{{', '.join(names)}, {x.height}, {x.width}, {x.channels}, "
            f"{y.height}, {y.width}, {y.channels}, {w.kernel_h}, {w.kernel_w}, "
            f"{w.stride_h}, {w.stride_w}, {w.pad_top}, {w.pad_left}, "
            f"{max(1, y.channels // x.channels)}, {zeros}{limits}}}"
        )
        kind = "ecx_conv_f32" if y.dtype == "float32" else "ecx_conv_s8"
        return Constant(self.name, kind, text, 40)

    def row_call(self, rows: tuple[str, ...], y: str, scratch: str) -> str:
        if self.form == "pointwise":
            n = self.output.width
            return f"ecx_pointwise_{self.suffix}({rows[0]}, {y}, {n}, &{self.name}, {scratch});"
        return f"ecx_{self.form}_row_{self.suffix}({rows[0]}, {y}, &{self.name}, {scratch});"

    def map_call(self, xs: tuple[str, ...], y: str, scratch: str) -> str:
        if self.form == "pointwise":
            n = self.output.height * self.output.width
            return f"ecx_pointwise_{self.suffix}({xs[0]}, {y}, {n}, &{self.name}, {scratch});"
        return f"ecx_{self.form}_map_{self.suffix}({xs[0]}, {y}, &{self.name}, {scratch});"


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _line(width: int, kernel: int) -> int:
    """Elements of a padded line in scratch: ECX_DEPTHWISE_ROW_SCRATCH of ecx_kernels.h."""
    return (width + kernel + 4) & ~1


def _even(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.pad(values, (0, len(values) % 2))


def _interleave(taps: NDArray[np.generic]) -> NDArray[np.generic]:
    """[out_c][taps] → [out_c / 2][taps / 2][w[c][k], w[c+1][k], w[c][k+1], w[c+1][k+1]]."""
    channels, count = taps.shape
    padded = np.pad(taps, ((0, channels % 2), (0, count % 2)))
    pairs = padded.reshape(-1, 2, padded.shape[1] // 2, 2)
    return np.ascontiguousarray(pairs.transpose(0, 2, 3, 1)).reshape(-1)


def parse(builder: Builder, op: Op) -> None:
    if op.name == "FULLY_CONNECTED":
        _parse_fully_connected(builder, op)
        return
    depthwise = op.name == "DEPTHWISE_CONV_2D"
    weights = builder.constant(op, 1, builder.value(op).dtype)
    if weights.ndim != 4 or op.options.get("dilation_h", 1) != 1 or op.options["dilation_w"] != 1:
        raise builder.unsupported(op, "a dilation", "dilation 1 is supported")
    x, where = geometry(builder, op, weights.shape[1], weights.shape[2], fold_padding=True)
    y = builder.output(op)
    if depthwise:
        if weights.shape[0] != 1 or weights.shape[3] != y.channels or y.channels % x.channels:
            raise builder.unsupported(op, "weights of another size", "[1, h, w, out] is supported")
        taps = weights.reshape(-1, y.channels).T
    else:
        if weights.shape[0] != y.channels or weights.shape[3] != x.channels:
            raise builder.unsupported(op, "grouped weights", "[out, h, w, in] is supported")
        taps = weights.reshape(y.channels, -1)
    form = "depthwise" if depthwise and x.channels > 1 else "conv"
    if form == "conv" and where.pointwise:
        form = "pointwise"
    prepared = _prepare(builder, op, x, y, np.ascontiguousarray(taps), 3 if depthwise else 0)
    builder.add(ConvLayer(op, form, x, y, where, prepared))


def _parse_fully_connected(builder: Builder, op: Op) -> None:
    x = builder.value(op)
    weights = builder.constant(op, 1, x.dtype)
    if weights.ndim != 2 or op.options["weights_format"] != "DEFAULT":
        raise builder.unsupported(op, "shuffled weights", "weights [out, in] are supported")
    units, features = weights.shape
    y = builder.output(op)
    if x.elements % features or y.elements != x.elements // features * units:
        raise builder.unsupported(op, "weights of another size", "weights [out, in] are supported")
    if x.channels != features or (x.height, x.width) != (y.height, y.width):
        count = x.elements // features
        x = view(x, 1, count, features)
        y = view(y, 1, count, units)
    prepared = _prepare(builder, op, x, y, weights, 0)
    builder.add(ConvLayer(op, "pointwise", x, y, Geometry(1, 1, 1, 1, 0, 0), prepared))


def _prepare(
    builder: Builder, op: Op, x: Value, y: Value, taps: NDArray[np.generic], axis: int
) -> Weights:
    has_bias = builder.tensor(op, 2) is not None
    if x.dtype == "float32":
        bias = builder.constant(op, 2, "float32") if has_bias else np.zeros(len(taps), np.float32)
        nothing = np.zeros(0, np.int64)
        return Weights(taps, bias, nothing, nothing, *activation_f32(op))  # type: ignore[arg-type]
    if x.dtype != "int8" or y.dtype != "int8":
        raise builder.unsupported(op, f"{x.dtype} → {y.dtype}", "int8 → int8 is supported")
    bias = builder.constant(op, 2, "int32") if has_bias else np.zeros(len(taps), np.int32)
    if len(bias) != len(taps):
        raise builder.unsupported(op, f"{len(bias)} biases", "one bias per output is supported")
    folded = bias.astype(np.int64) - x.zero_point * taps.astype(np.int64).sum(axis=1)
    reach = np.abs(folded) + 128 * np.abs(taps.astype(np.int64)).sum(axis=1)
    if reach.max() >= 1 << 31:
        raise builder.unsupported(
            op, "sums beyond 32 bits", "convert the model with smaller biases"
        )
    pairs = [quantize_multiplier(real) for real in _scales(builder, op, x, y, len(taps), axis)]
    multiplier = np.array([m for m, _ in pairs], np.int64)
    # A multiplier of 0 gives 0 with any shift: one that narrow layers allow.
    shift = np.array([-s if m else 1 for m, s in pairs], np.int64)
    return Weights(taps, folded, multiplier, shift, *activation_s8(op, y))


def _scales(builder: Builder, op: Op, x: Value, y: Value, channels: int, axis: int) -> list[float]:
    """The real factor per output channel, computed in the types that TFLite computes it in."""
    tensor = builder.tensor(op, 1)
    quantization = None if tensor is None else tensor.quantization
    if quantization is None or any(quantization.zero_point):
        raise builder.unsupported(op, "weights with a zero point", "symmetric int8 is supported")
    scales = quantization.scale
    if op.name == "FULLY_CONNECTED" and len(scales) == 1:
        # kernel_util.cc multiplies these two as float
        product = float(np.float32(x.scale) * np.float32(scales[0]))
        return [product / y.scale] * channels
    if len(scales) == 1:
        scales = scales * channels
    if len(scales) != channels or (channels > 1 and quantization.axis != axis):
        raise ModelError(
            f"{op.name} (operator {op.index}) has {len(scales)} weight scales along axis "
            f"{quantization.axis}, expected {channels} along axis {axis}; convert the model again"
        )
    return [x.scale * scale / y.scale for scale in scales]
