# SPDX-License-Identifier: Apache-2.0
"""The layer of every operator that is one C call over n elements."""

from __future__ import annotations

from edgecxr.export.compiled.layers import Constant, Layer, Overlap, Value, Window
from edgecxr.export.graph import Op


class ElementwiseLayer(Layer):
    """``function(x, …, y, n, arguments)``, forward and element by element."""

    window: Window | None = Window()
    overlap = Overlap.PIXELS

    def __init__(
        self,
        op: Op,
        inputs: tuple[Value, ...],
        y: Value,
        function: str,
        arguments: str,
        constants: tuple[Constant, ...] = (),
    ) -> None:
        super().__init__(layer_name(op), op.name, inputs, y)
        self.function = function
        self.arguments = arguments
        self._constants = constants

    def constants(self) -> tuple[Constant, ...]:
        return self._constants

    def row_call(self, rows: tuple[str, ...], y: str, scratch: str) -> str:  # noqa: ARG002
        return self._call(rows, y, self.output.row_elements)

    def map_call(self, xs: tuple[str, ...], y: str, scratch: str) -> str:  # noqa: ARG002
        return self._call(xs, y, self.output.elements)

    def _call(self, xs: tuple[str, ...], y: str, count: int) -> str:
        if self.output.dtype == "uint8":
            y = f"(int8_t *){y}"  # a table gives bytes of either kind
        arguments = ", ".join(part for part in (*xs, y, str(count), self.arguments) if part)
        return f"{self.function}({arguments});"


def layer_name(op: Op) -> str:
    return f"{op.name.lower()}_{op.index}"
