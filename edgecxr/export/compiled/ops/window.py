# SPDX-License-Identifier: Apache-2.0
"""What windowed operators share: geometry, SAME and VALID padding, fused activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecxr.export.compiled.build import Builder
from edgecxr.export.compiled.fixed import round_away
from edgecxr.export.compiled.layers import Value
from edgecxr.export.graph import Op

FLOAT_LIMIT = float(np.finfo(np.float32).max)


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
    x = builder.value(op)
    stride_h, stride_w = int(op.options["stride_h"]), int(op.options["stride_w"])
    if max(kernel_h, kernel_w, stride_h, stride_w) > 255 or max(x.height, x.width) > 32767:
        raise builder.unsupported(op, "a window beyond 255 or a map beyond 32767", "use a smaller one")
    if op.options["padding"] == "SAME":
        out_h, top = _same(x.height, kernel_h, stride_h)
        out_w, left = _same(x.width, kernel_w, stride_w)
    else:
        out_h, top = -(-(x.height - kernel_h + 1) // stride_h), 0
        out_w, left = -(-(x.width - kernel_w + 1) // stride_w), 0
    tensor = builder.graph.tensor(op.outputs[0])
    if len(tensor.shape) != 4 or tensor.shape[:3] != (1, out_h, out_w) or min(out_h, out_w) < 1:
        raise builder.unsupported(op, f"an output that is not [1, {out_h}, {out_w}, …]",
                                  "convert the model again")
    return x, Geometry(kernel_h, kernel_w, stride_h, stride_w, top, left)


def activation_f32(op: Op) -> tuple[float, float]:
    """The fused activation's range."""
    return {
        "NONE": (-FLOAT_LIMIT, FLOAT_LIMIT),
        "RELU": (0.0, FLOAT_LIMIT),
        "RELU6": (0.0, 6.0),
        "RELU_N1_TO_1": (-1.0, 1.0),
    }[_known(op)]


def activation_s8(op: Op, y: Value) -> tuple[int, int]:
    """The fused activation's range in the output's quantization (kernel_util.cc)."""

    def quantized(real: float) -> int:
        return y.zero_point + round_away(float(np.float32(real) / np.float32(y.scale)))

    low, high = activation_f32(op)
    return (
        -128 if low == -FLOAT_LIMIT else max(-128, quantized(low)),
        127 if high == FLOAT_LIMIT else min(127, quantized(high)),
    )


def _known(op: Op) -> str:
    name = str(op.options.get("fused_activation", "NONE"))
    if name not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
        from edgecxr.errors import ModelError

        raise ModelError(
            f"{op.name} (operator {op.index}) has the fused activation {name}, but the compiled "
            "runtime fuses NONE, RELU, RELU6 and RELU_N1_TO_1; convert the model without it"
        )
    return name
