# SPDX-License-Identifier: Apache-2.0
"""A small typed graph: what the rest of the export room knows of a ``.tflite`` file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.pixels import PixelRange

OptionValue = int | float | bool | str | tuple[int, ...]


@dataclass(frozen=True)
class Quantization:
    """``real = scale * (integer - zero_point)``: one entry, or one per channel of ``axis``."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        return len(self.scale) > 1


@dataclass(frozen=True)
class Tensor:
    """One tensor. ``data`` is set for constants only; ``dtype`` is numpy's name ("int8", …).

    A ``variable`` tensor keeps its value from one inference to the next.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    data: NDArray[np.generic] | None = field(default=None, repr=False, compare=False)
    variable: bool = False

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        return self.elements * np.dtype(self.dtype).itemsize

    @property
    def constant(self) -> bool:
        return self.data is not None


@dataclass(frozen=True)
class Op:
    """One operator. ``inputs`` holds tensor indices; -1 stands for an optional input left out.

    ``options`` holds the builtin options under the schema's snake_case names, enums as their
    schema names: ``{"padding": "SAME", "stride_h": 2, "fused_activation": "RELU6"}``.
    """

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """One subgraph in execution order.

    ``sha256`` and ``size`` are those of the file; ``pixels`` is the range that it names, or None.
    """

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    sha256: str
    size: int
    pixels: PixelRange | None = None

    def tensor(self, index: int) -> Tensor:
        return self.tensors[index]

    @property
    def op_names(self) -> tuple[str, ...]:
        """The distinct operator names, sorted."""
        return tuple(sorted({op.name for op in self.ops}))
