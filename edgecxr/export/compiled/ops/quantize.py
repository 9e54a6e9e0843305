# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE and DEQUANTIZE: between float32, int8 and uint8."""

from __future__ import annotations

import numpy as np

from edgecxr.core.quant import multiply_by_quantized_multiplier, quantize_multiplier
from edgecxr.export.compiled.build import Builder
from edgecxr.export.compiled.ops.elementwise import ElementwiseLayer
from edgecxr.export.compiled.ops.unary import add_table
from edgecxr.export.cpp import float_literal
from edgecxr.export.graph import Op


def parse(builder: Builder, op: Op) -> None:
    x, y = builder.value(op), builder.output(op)
    if (x.dtype, y.dtype) == ("float32", "int8"):
        arguments = f"{float_literal(y.scale)}, {y.zero_point}"
        builder.add(ElementwiseLayer(op, (x,), y, "ecx_quantize_s8", arguments))
    elif (x.dtype, y.dtype) == ("int8", "float32"):
        arguments = f"{float_literal(x.scale)}, {x.zero_point}"
        builder.add(ElementwiseLayer(op, (x,), y, "ecx_dequantize_s8", arguments))
    elif "float32" in (x.dtype, y.dtype) or x.dtype == y.dtype == "uint8":
        raise builder.unsupported(
            op,
            f"{x.dtype} → {y.dtype}",
            "float32 ↔ int8, int8 → int8 and int8 ↔ uint8 are supported",
        )
    else:
        limits = np.iinfo(x.dtype)
        values = np.arange(limits.min, limits.max + 1, dtype=np.int32) - x.zero_point
        factor = quantize_multiplier(x.scale / y.scale)
        scaled = multiply_by_quantized_multiplier(values, *factor).astype(np.int64)
        add_table(builder, op, x, y, scaled + y.zero_point)
