# SPDX-License-Identifier: Apache-2.0
"""Compiles models for this machine, many into one shared library, and runs them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecxr.core.firmware import KERNELS
from edgecxr.export.compiled.build import build_model
from edgecxr.export.compiled.emit import emit
from edgecxr.export.compiled.fast_layers import use_fast_kernels
from edgecxr.export.compiled.plan import Plan, make_plan
from edgecxr.export.compiled.schedule import streamable
from edgecxr.export.reader import read_tflite

SIZE = """#include "m{i}.h"
unsigned m{i}_size(void);
unsigned m{i}_size(void) {{ return sizeof(m{i}_state); }}
"""
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wconversion")
GUARD = 64  # bytes behind the state that must stay as they are
CTYPES = {"int8": np.int8, "uint8": np.uint8, "float32": np.float32}


def compiler(name: str) -> str:
    """The path of a compiler; the test is skipped where it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}")
    return path


def cc(name: str, *arguments: object) -> None:
    command = [compiler(name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Kernels:
    """The kernels as object files, built once."""

    def __init__(self, folder: Path, flags: Sequence[str] = ("-O1",)) -> None:
        self.flags = ("-std=c99", "-fPIC", f"-I{KERNELS}", *WARNINGS, *flags)
        self.objects = []
        for source in sorted(KERNELS.glob("*.c")):
            target = folder / f"{source.stem}.o"
            cc("gcc", *self.flags, "-c", source, "-o", target)
            self.objects.append(target)

    def library(self, folder: Path, plans: Sequence[Plan]) -> list[Compiled]:
        """All plans in one shared library."""
        sources = []
        for i, plan in enumerate(plans):
            source = emit(plan, f"m{i}")
            (folder / f"m{i}.h").write_text(source.header)
            (folder / f"m{i}.c").write_text(source.code)
            sources.append(folder / f"m{i}.c")
        sizes = folder / "sizes.c"
        sizes.write_text("".join(SIZE.format(i=i) for i in range(len(plans))))
        sources.append(sizes)
        target = folder / "models.so"
        cc("gcc", *self.flags, "-O0", "-shared", *sources, *self.objects, "-o", target)
        library = ctypes.CDLL(str(target))
        return [Compiled(library, f"m{i}", plan) for i, plan in enumerate(plans)]


class Compiled:
    """One model of a shared library."""

    def __init__(self, library: ctypes.CDLL, name: str, plan: Plan) -> None:
        self.library, self.name, self.plan = library, name, plan
        self.size = int(getattr(library, f"{name}_size")())
        self.state = (ctypes.c_uint8 * (self.size + GUARD))()

    def call(self, function: str, *arguments: Any) -> int:
        return int(getattr(self.library, f"{self.name}_{function}")(self.state, *arguments))

    def run(self, values: NDArray[Any]) -> NDArray[Any]:
        """One inference on the input tensor's values [height][width][channels]."""
        x, y = self.plan.model.input, self.plan.model.output
        ctypes.memset(self.state, 0xA5, len(self.state))
        rows = np.ascontiguousarray(values, CTYPES[x.dtype]).reshape(x.height, -1)
        scores = np.zeros(y.elements, CTYPES[y.dtype])
        self.call("begin")
        for row in rows:
            assert self.call("push_values", row.ctypes.data_as(ctypes.c_void_p)) == 0
        assert self.call("push_values", rows[0].ctypes.data_as(ctypes.c_void_p)) == -1
        assert self.call("finish", scores.ctypes.data_as(ctypes.c_void_p)) == 0
        assert all(byte == 0xA5 for byte in self.state[self.size :])
        return scores


def plan_of(data: bytes, seed: int | None = None) -> Plan:
    """The planner's own plan, or one of a streaming depth drawn by ``seed``."""
    model = use_fast_kernels(build_model(read_tflite(data)))
    return make_plan(model, None if seed is None else seed % (streamable(model) + 1))


def inputs_of(plan: Plan, count: int, seed: int) -> NDArray[Any]:
    """Random inputs [count][…] of the model's own input type and shape."""
    x = plan.model.input
    rng = np.random.default_rng(seed)
    shape = (count, x.height, x.width, x.channels)
    if x.dtype == "float32":
        return rng.normal(size=shape, scale=2).astype(np.float32)
    limits = np.iinfo(CTYPES[x.dtype])
    return rng.integers(limits.min, limits.max + 1, shape).astype(CTYPES[x.dtype])
