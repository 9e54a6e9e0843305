# SPDX-License-Identifier: Apache-2.0
"""Values and layers: what the planner and the emitter know of a model.

An operator of the graph becomes a layer (see ``ops``). A layer says what it reads and writes, how
it may share memory, how much scratch it needs, and which C calls run it. Maps are
[height][width][channels]; the batch is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Value:
    """One activation. Values with the same ``storage`` are views of the same bytes.

    Rows are [column][channel], or where ``plane`` is not 0 [channel][plane] cells, the first of
    which is column -1; see ecx_fast.h.
    """

    index: int
    name: str
    height: int
    width: int
    channels: int
    dtype: str
    scale: float
    zero_point: int
    storage: int
    plane: int = 0

    @property
    def itemsize(self) -> int:
        return np.dtype(self.dtype).itemsize

    @property
    def row_elements(self) -> int:
        return self.width * self.channels

    @cached_property
    def row_bytes(self) -> int:
        if self.plane:
            return self.channels * self.plane
        return self.row_elements * self.itemsize

    @property
    def elements(self) -> int:
        return self.height * self.row_elements

    @property
    def nbytes(self) -> int:
        return self.height * self.row_bytes

    @cached_property
    def rows_key(self) -> tuple[int, int, int]:
        """Which rows these are: views of one storage may have other rows."""
        return self.storage, self.height, self.row_bytes

    @property
    def shape(self) -> str:
        return f"{self.height}×{self.width}×{self.channels}"


@dataclass(frozen=True)
class Window:
    """Output row r reads the input rows r * stride - pad … + kernel - 1 that exist."""

    kernel: int = 1
    stride: int = 1
    pad: int = 0

    def first(self, row: int) -> int:
        return max(0, row * self.stride - self.pad)

    def last(self, row: int, height: int) -> int:
        return min(height, row * self.stride - self.pad + self.kernel) - 1


class Overlap(Enum):
    """How the output of a layer may lie over an input that dies with it."""

    NEVER = "never"
    PIXELS = "pixels"  # forward, pixel by pixel: no later input is overwritten before it is read
    SAME_START = "same start"  # exactly in place


@dataclass(frozen=True)
class Constant:
    """One ``static const`` object of the generated source.

    ``data`` is an array, or the text of a structure's initializer with ``size`` bytes of its own.
    """

    name: str
    ctype: str
    data: NDArray[np.generic] | str
    size: int = 0

    @property
    def nbytes(self) -> int:
        return self.size if isinstance(self.data, str) else self.data.nbytes


class Layer:
    """One step of the model. Subclasses live in ``ops``, one file per family."""

    #: Rows can be made one at a time, as soon as the window's rows are there.
    window: Window | None = None
    overlap: Overlap = Overlap.NEVER
    #: ``row_call`` takes an array of row pointers, not one pointer per input.
    takes_window: bool = False
    #: Outside the streamed part: run row by row as well, so that dead input rows are reused.
    by_rows: bool = False
    macs: int = 0

    def __init__(self, name: str, op: str, inputs: tuple[Value, ...], output: Value) -> None:
        self.name = name
        self.op = op
        self.inputs = inputs
        self.output = output

    def may_overlap(self, value: Value) -> bool:  # noqa: ARG002
        """Whether ``overlap`` holds for this input."""
        return self.overlap is not Overlap.NEVER

    def row_scratch(self) -> int:
        """Bytes of scratch of one ``row_call``."""
        return 0

    def map_scratch(self) -> int:
        """Bytes of scratch of one ``map_call``."""
        return 0

    def scratch_macro(self, by_rows: bool) -> str:  # noqa: ARG002
        """The same as a C expression, where a header has one: generated code compares the two."""
        return ""

    def constants(self) -> tuple[Constant, ...]:
        return ()

    @property
    def flash(self) -> int:
        return sum(constant.nbytes for constant in self.constants())

    def row_call(self, rows: tuple[str, ...], y: str, scratch: str) -> str:
        """C statement that makes one row.

        ``rows`` holds one C expression per input: a pointer to the row, or with ``takes_window``
        an array of row pointers, NULL for a row outside the map.
        """
        raise NotImplementedError(f"{self.op} does not run row by row")

    def map_call(self, xs: tuple[str, ...], y: str, scratch: str) -> str:
        """C statement that makes the whole output from whole inputs. Not asked for ``by_rows``."""
        raise NotImplementedError(f"{self.op} runs row by row only")
