# SPDX-License-Identifier: Apache-2.0
"""Running a module of this package in a process of its own, and saying in words how it ended."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import edgecxr

_CHATTER = ("INFO", "WARNING", "[RecordingMicroAllocator]")


def module_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs ``module`` with this interpreter, blind to the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environment() -> dict[str, str]:
    """This environment, with the folder that holds the package first on ``PYTHONPATH``."""
    home = str(Path(edgecxr.__file__).parent.parent)
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{home}{os.pathsep}{path}" if path else home}


def how_it_ended(returncode: int) -> str:
    """A return code of :mod:`subprocess` in words: "was ended by SIGABRT", "ended with code 3"."""
    if returncode >= 0:
        return f"ended with code {returncode}"
    try:
        return f"was ended by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was ended by signal {-returncode}"


def why_it_ended(returncode: int, stderr: str) -> str:
    """The cause in words, as far as the error output tells it, at most 300 characters.

    C code says the cause first and then what followed from it ("Didn't find op for builtin
    opcode …"); a Python traceback says it last.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(_CHATTER)]
    if not said:
        return f"its process {how_it_ended(returncode)} without a message"
    python = any(line.startswith("Traceback") for line in said)
    return f"its process {how_it_ended(returncode)}: {said[-1 if python else 0][:300]}"
