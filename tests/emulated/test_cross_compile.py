# SPDX-License-Identifier: Apache-2.0
"""Kernels and generated code build without a warning for every core, as C99 and as C++."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.engine.measure import compile_model, run_tool
from edgecxr.core.firmware import KERNELS
from edgecxr.deploy.toolchain import ARM_GCC

pytestmark = pytest.mark.heavy

STRICT = ("-mthumb", "-O2", "-Wall", "-Wextra", "-Werror", "-Wconversion", f"-I{KERNELS}")
CORES = {
    "cortex-m0": (),
    "cortex-m4": ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "cortex-m7": ("-mfloat-abi=hard", "-mfpu=fpv5-d16"),
    "cortex-m33": ("-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
    "cortex-m33+nodsp": (),
}


@pytest.mark.parametrize("core", CORES)
def test_kernels(core: str, tmp_path: Path) -> None:
    for source in sorted([*KERNELS.glob("*.c"), *KERNELS.glob("*.S")]):
        flags = (f"-mcpu={core}", *CORES[core], *STRICT, "-std=c99", "-pedantic")
        if source.suffix == ".S":
            flags = (f"-mcpu={core}", *CORES[core], "-mthumb", f"-I{KERNELS}")
        output = str(tmp_path / f"{source.stem}.o")
        run_tool(ARM_GCC, *flags, "-c", str(source), "-o", output)


@pytest.mark.parametrize("language", ["c99", "c++11"])
def test_generated_code(language: str, cxr3: bytes, tmp_path: Path) -> None:
    compile_model(cxr3, tmp_path)
    for core, flags in CORES.items():
        kind = ("-x", "c++") if language == "c++11" else ("-x", "c", "-pedantic")
        command = (f"-mcpu={core}", *flags, *STRICT, *kind, f"-std={language}", f"-I{tmp_path}")
        model, output = str(tmp_path / "model.c"), str(tmp_path / "model.o")
        run_tool(ARM_GCC, *command, "-c", model, "-o", output)
