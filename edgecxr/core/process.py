# SPDX-License-Identifier: Apache-2.0
"""Running a module of this package in a process of its own, and saying in words how it ended."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import edgecxr
from edgecxr.errors import ModelError

EXPORT_SECONDS = 600
_PR_SET_PDEATHSIG = 1
_CHATTER = ("INFO", "WARNING", "[RecordingMicroAllocator]")


def module_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs ``module`` with this interpreter, blind to the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environment() -> dict[str, str]:
    """This environment, with the folder that holds the package first on ``PYTHONPATH``."""
    home = str(Path(edgecxr.__file__).parent.parent)
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{home}{os.pathsep}{path}" if path else home}


_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """For ``preexec_fn``: end this process with the thread that starts it, however that ends.

    Linux only; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


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


def export_model(model: Path, out: Path, *options: str) -> dict[str, Any]:
    """Run ``edgecxr export MODEL --out OUT``: stages hand over files, they do not call each other.

    Args:
        model: a bundle folder or a ``.tflite`` file.
        out: the folder to write; it must not exist.
        options: such as ``--format c``.

    Returns:
        What ``export --json`` reports.

    Raises:
        ModelError: if it failed; the message is export's own.
    """
    done = subprocess.run(
        [*module_command("edgecxr", "export", str(model), *options), "--json", "--out", str(out)],
        env=module_environment(),
        capture_output=True,
        text=True,
        timeout=EXPORT_SECONDS,
        check=False,
    )
    try:
        facts: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        facts = {"error": why_it_ended(done.returncode, done.stderr)}
    if "error" in facts:
        raise ModelError(str(facts["error"]))
    return facts
