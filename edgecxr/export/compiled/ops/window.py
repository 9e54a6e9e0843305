# SPDX-License-Identifier: Apache-2.0
"""What windowed operators share: geometry, SAME and VALID padding, fused activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecxr.core.quant import activation_range
from edgecxr.errors import ModelError
from edgecxr.export.compiled.build import Builder, number
from edgecxr.export.compiled.layers import Value
from edgecxr.export.compiled.ops.shape import PadLayer
from edgecxr.export.graph import Op

FLOAT_LIMIT = float(np.finfo(np.float32).max)
ACTIVATIONS = {
    "NONE": (-FLOAT_LIMIT, FLOAT_LIMIT),
    "RELU": (0.0, FLOAT_LIMIT),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


@dataclass(frozen=True)
class Geometry:
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_top: int
    pad_left: int

    @property
    def pointwise(self) -> bool:
        return self == Geometry(1, 1, 1, 1, 0, 0)


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(output size, padding before) of SAME padding."""
    out = -(-size // stride)
    return out, max(0, (out - 1) * stride + kernel - size) // 2


def geometry(
    builder: Builder, op: Op, kernel_h: int, kernel_w: int, *, fold_padding: bool = False
) -> tuple[Value, Geometry]:
    """The op's input and window, checked against the shape of its output.

    With ``fold_padding`` a PAD before the op becomes part of the window.
    """
    x, pads = builder.value(op), (0, 0, 0, 0)
    if fold_padding and op.options["padding"] == "VALID":
        x, pads = _fold_padding(builder, x, kernel_h, kernel_w)
    stride_h, stride_w = int(number(op, "stride_h")), int(number(op, "stride_w"))
    if max(kernel_h, kernel_w, stride_h, stride_w) > 255 or max(x.height, x.width) > 32767:
        raise builder.unsupported(
            op, "a window beyond 255 or a map beyond 32767", "smaller ones are supported"
        )
    if op.options["padding"] == "SAME":
        out_h, top = _same(x.height, kernel_h, stride_h)
        out_w, left = _same(x.width, kernel_w, stride_w)
    else:
        top, bottom, left, right = pads
        out_h = -(-(x.height + top + bottom - kernel_h + 1) // stride_h)
        out_w = -(-(x.width + left + right - kernel_w + 1) // stride_w)
    tensor = builder.graph.tensor(op.outputs[0])
    if len(tensor.shape) != 4 or tensor.shape[:3] != (1, out_h, out_w) or min(out_h, out_w) < 1:
        raise builder.unsupported(
            op, "an output of another size", f"[1, {out_h}, {out_w}, …] is expected"
        )
    return x, Geometry(kernel_h, kernel_w, stride_h, stride_w, top, left)


def _fold_padding(
    builder: Builder, x: Value, kernel_h: int, kernel_w: int
) -> tuple[Value, tuple[int, int, int, int]]:
    """The input before a PAD that only this op reads, and the rows and columns it adds.

    The kernels want less padding than kernel, both sides together; more stays a PAD of its own.
    """
    pad = builder.only_producer(x)
    if isinstance(pad, PadLayer):
        top, bottom, left, right, before, after = pad.pads
        if top + bottom < kernel_h and left + right < kernel_w and before == after == 0:
            builder.layers.remove(pad)
            return pad.inputs[0], (top, bottom, left, right)
    return x, (0, 0, 0, 0)


def activation_f32(op: Op) -> tuple[float, float]:
    """The fused activation's range."""
    return ACTIVATIONS[_known(op)]


def activation_s8(op: Op, y: Value) -> tuple[int, int]:
    """The fused activation's range in the output's quantization."""
    return activation_range(_known(op), y.scale, y.zero_point)


def _known(op: Op) -> str:
    name = str(op.options.get("fused_activation", "NONE"))
    if name not in ACTIVATIONS:
        raise ModelError(
            f"{op.name} (operator {op.index}) has the fused activation {name}, but the compiled "
            f"runtime fuses {', '.join(ACTIVATIONS)}; convert the model without it"
        )
    return name
