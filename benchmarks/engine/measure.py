# SPDX-License-Identifier: Apache-2.0
"""Build a compiled model for an emulated board, run it in QEMU, and read what it cost.

QEMU runs with ``-icount shift=6``, where one instruction lasts longer than a tick of the board's
timer: the counts are exact and the same on every machine. They are instructions, not cycles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.firmware import KERNELS, PORTS
from edgecxr.deploy.toolchain import ARM_GCC, CORES, QEMU, Tool, find, run
from edgecxr.errors import DeviceError, MissingPackageError
from edgecxr.export.compiled.build import Model, build_model
from edgecxr.export.compiled.emit import emit
from edgecxr.export.compiled.fast_layers import use_fast_kernels
from edgecxr.export.compiled.plan import make_plan
from edgecxr.export.reader import read_tflite

HERE = Path(__file__).parent / "target"
PORT = PORTS / "baremetal"
STARTUP = (PORT / "startup.c", HERE / "ends.c")
SIZE = replace(ARM_GCC, command="arm-none-eabi-size", oldest=())


@dataclass(frozen=True)
class Target:
    """An emulated board, and the core and the kernels that the code is built for."""

    board: str
    core: str
    kernels: str
    flags: tuple[str, ...]
    images_at: int
    max_images: int
    optimize: str = "-O2"

    @property
    def define(self) -> str:
        return f"-DBOARD_{self.board.upper().replace('-', '_')}"


_M4 = CORES["Cortex-M4F"]
# The hot loops are assembly: -Os costs half a percent of time and saves a tenth of the code.
M4 = Target("mps2-an386", "cortex-m4", "dsp", _M4, 0x21000000, 1500, "-Os")
M4_PORTABLE = replace(M4, kernels="portable", flags=(*_M4, "-DECX_FORCE_PORTABLE"), optimize="-O2")
M4_FLOAT = replace(M4, optimize="-O2")
M0 = Target("microbit", "cortex-m0", "portable", CORES["Cortex-M0"], 0x3D000, 1)


@dataclass(frozen=True)
class Measurement:
    """One program's cost; ``layers`` holds instructions by layer index."""

    model: Model
    instructions: int
    layers: tuple[int, ...]
    stack_bytes: int
    state_bytes: int
    code_bytes: int
    constant_bytes: int
    scores: NDArray[np.generic]

    @property
    def ram_bytes(self) -> int:
        return self.state_bytes + self.stack_bytes

    @property
    def flash_bytes(self) -> int:
        return self.code_bytes + self.constant_bytes


def run_tool(tool: Tool, *arguments: str | Path) -> str:
    """Run a tool of the toolchain; its output."""
    done = run([find(tool), *arguments])
    if done.returncode != 0:
        raise DeviceError(f"{tool.command} failed: {done.stderr.strip()[-600:]}")
    return done.stdout


def compile_model(data: bytes, folder: Path) -> Model:
    """Write ``model.c`` and ``model.h`` for one ``.tflite`` file; the model they were made from."""
    plan = make_plan(use_fast_kernels(build_model(read_tflite(data))))
    source = emit(plan, "model")
    (folder / "model.c").write_text(source.code)
    (folder / "model.h").write_text(source.header)
    return plan.model


def build(target: Target, model: Model, folder: Path, images: int, *, trace: bool) -> Path:
    """Compile and link; the ELF file."""
    objects = folder / ("trace" if trace else "plain")
    objects.mkdir(exist_ok=True)
    flags = [
        *target.flags,
        "-mthumb",
        target.optimize,
        "-std=c99",
        "-ffunction-sections",
        "-fdata-sections",
    ]
    flags += [
        target.define,
        f"-DIMAGE_COUNT={images}",
        f"-I{folder}",
        f"-I{KERNELS}",
        f"-I{HERE}",
        f"-I{PORT}",
    ]
    if model.output.dtype == "float32":
        flags.append("-DSCORE=float")
    sources = [HERE / "main.c", *STARTUP, folder / "model.c"]
    sources += sorted([*KERNELS.glob("*.c"), *KERNELS.glob("*.S")])
    made = []
    for source in sources:
        made.append(str(objects / f"{source.stem}.o"))
        # GNU C only for the programs of these folders, which are written for one toolchain.
        extra = ["-std=gnu99"] if source.parent in (HERE, PORT) else []
        if trace and source.suffix == ".c":
            extra += ["-include", "trace.h"]
        run_tool(ARM_GCC, *flags, *extra, "-c", str(source), "-o", made[-1])
    elf = objects / "program.elf"
    script = ("-T", str(HERE / f"{target.board}.ld"), f"-L{HERE}", "-nostartfiles")
    libraries = ("--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections", "-lm")
    run_tool(ARM_GCC, *flags, *script, *made, *libraries, "-o", str(elf))
    return elf


def emulate(target: Target, elf: Path, images: NDArray[np.uint8]) -> str:
    """Run a program; what it printed."""
    blob = elf.with_name("images.bin")
    blob.write_bytes(images.tobytes())
    machine = ("-M", target.board, "-kernel", str(elf), "-icount", "shift=6")
    loader = ("-device", f"loader,file={blob},addr={target.images_at:#x},force-raw=on")
    quiet = ("-display", "none", "-monitor", "none", "-serial", "none")
    semihosting = ("-chardev", "stdio,id=out", "-semihosting-config", "enable=on,chardev=out")
    return run_tool(QEMU, *machine, *loader, *quiet, *semihosting)


def section_sizes(elf: Path) -> dict[str, int]:
    listing = run_tool(SIZE, "-A", str(elf))
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\.\S+)\s+(\d+)", listing, re.MULTILINE)}


def measure(target: Target, data: bytes, images: NDArray[np.uint8], folder: Path) -> Measurement:
    """Cost of the first image, layer by layer, and the output tensors of all ``images``
    (uint8 [N, H, W])."""
    images = images[: target.max_images]
    model = compile_model(data, folder)
    plain = build(target, model, folder, len(images), trace=False)
    printed = emulate(target, plain, images)
    traced = emulate(target, build(target, model, folder, 1, trace=True), images[:1])
    spent = tuple(int(m[1]) for m in re.finditer(r"spent (\d+)", traced))
    sizes = section_sizes(plain)
    dtype = np.dtype(model.output.dtype)
    rows = [bytes.fromhex(m[1]) for m in re.finditer(r"scores \d+ ([0-9a-f]+)", printed)]
    return Measurement(
        model=model,
        instructions=_number("instructions", printed),
        layers=spent,
        stack_bytes=_number("stack", printed),
        state_bytes=sizes.get(".data", 0) + sizes.get(".bss", 0),
        code_bytes=sizes[".text"],
        constant_bytes=sizes.get(".rodata", 0) + sizes.get(".data", 0),
        scores=np.array([np.frombuffer(row, dtype) for row in rows]),
    )


def _number(name: str, printed: str) -> int:
    match = re.search(rf"^{name} (\d+)", printed, re.MULTILINE)
    if match is None:
        raise MissingPackageError(
            f"the emulated program did not print its {name}: {printed[-300:]!r}"
        )
    return int(match[1])
