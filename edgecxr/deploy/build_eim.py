# SPDX-License-Identifier: Apache-2.0
"""Sources of the export format "eim" → one program for one kind of Linux machine."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from edgecxr.core.firmware import FAST_HERE
from edgecxr.deploy import toolchain
from edgecxr.errors import FlashError, UsageError

AARCH64_GCC = toolchain.Tool(
    "aarch64-linux-gnu-gcc",
    (10,),
    "on Debian and Ubuntu `apt install gcc-aarch64-linux-gnu libc6-dev-arm64-cross`",
)
X86_64_GCC = toolchain.Tool(
    "x86_64-linux-gnu-gcc",
    (10,),
    "on Debian and Ubuntu `apt install gcc-x86-64-linux-gnu libc6-dev-amd64-cross`",
)
MACHINES = {"x86-64": X86_64_GCC, "aarch64": AARCH64_GCC}
"""The machines that an .eim is built for, and their compilers elsewhere."""
_NAMES = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "aarch64", "arm64": "aarch64"}
_FLAGS = ("-std=c99", *FAST_HERE, "-Wall", "-Wextra", "-Wconversion")


@dataclass(frozen=True)
class Program:
    """A program, ready to be run. ``static``: it needs no library of the machine."""

    data: bytes
    machine: str
    static: bool


def this_machine() -> str:
    """This computer's kind, as in ``MACHINES``.

    Raises:
        UsageError: if it is none of them.
    """
    found = platform.machine()
    name = _NAMES.get(found.lower())
    if name is None:
        raise UsageError(
            f"this computer is of the kind {found}, expected one of {', '.join(MACHINES)}; name "
            "one with --machine, or export with --runtime litert, which runs anywhere"
        )
    return name


def build_eim(sources: Path, machine: str) -> Program:
    """Compile and link all C files of a folder.

    Raises:
        MissingPackageError: if there is no compiler for the machine.
        FlashError: if it cannot be built.
    """
    own = _NAMES.get(platform.machine().lower()) == machine
    compiler = toolchain.find(toolchain.HOST_CC if own else MACHINES[machine])
    out = sources / "program"
    command: list[str | Path] = [compiler, *_FLAGS, f"-I{sources}", *sorted(sources.glob("*.c"))]
    ends: tuple[str | Path, ...] = ("-Wl,--gc-sections", "-s", "-lm", "-o", out)
    # Some distributions have no static C library.
    for static in (True, False):
        done = toolchain.run([*command, *(("-static",) if static else ()), *ends])
        if done.returncode == 0:
            return Program(out.read_bytes(), machine, static)
    raise FlashError(
        f"{compiler} could not build the program: {toolchain.first_error(done.stderr)}"
    )
