# SPDX-License-Identifier: Apache-2.0
"""The compiled runtime on this host: exported by the command line, built with the C compiler here.

Stages hand over files, so this reads what ``edgecxr export --format c`` writes and knows nothing of
how it was made.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgecxr
from edgecxr.core.interpreter import Interpreter, Port, check_ports, read_model
from edgecxr.core.pixels import pixel_range
from edgecxr.core.process import export_model, why_it_ended
from edgecxr.errors import MissingPackageError, ModelError

NAME = "model"
_ENTRY = f"""#include "{NAME}.h"
unsigned long state_bytes(void);
unsigned long state_bytes(void) {{ return sizeof({NAME}_state); }}
"""
_TIMEOUT_S = 600


def c_compiler() -> str:
    """The command of the C compiler: ``CC``, or the system's ``cc``.

    Raises:
        MissingPackageError: if there is none.
    """
    command = os.environ.get("CC", "cc")
    if shutil.which(command) is None:
        raise MissingPackageError(
            f"the compiled runtime needs a C compiler, and {command!r} is not installed; install "
            "gcc or clang, or name one in the environment variable CC"
        )
    return command


class CompiledInterpreter(Interpreter):
    """A model as C code, in a shared library made for this process.

    Raises:
        ModelError: if the compiled runtime lacks an operator of the model.
        MissingPackageError: if there is no C compiler.
    """

    def __init__(self, model: Path) -> None:
        compiler = c_compiler()
        with tempfile.TemporaryDirectory(prefix="edgecxr-") as folder:
            out = Path(folder) / "c"
            facts = export_model(model, out, "--format", "c", "--namespace", NAME)
            library = _build(compiler, out)
            self._library = ctypes.CDLL(str(library))
        self.pixels = pixel_range(read_model(model))
        self.name, self.version, self.kernels = "compiled", edgecxr.__version__, "reference"
        self.arena_bytes = int(facts["arena_bytes"])
        self.input, self.output = check_ports([_port(facts["input"])], [_port(facts["output"])])
        self._library.state_bytes.restype = ctypes.c_ulong
        self._state = ctypes.create_string_buffer(int(self._library.state_bytes()))
        self._scores = np.zeros(self.classes, self.output.dtype)

    def run(self, image: NDArray[Any]) -> None:
        rows = np.ascontiguousarray(image[0])
        step, at = rows.strides[0], rows.ctypes.data
        push = self._library[f"{NAME}_push_values"]
        self._library[f"{NAME}_begin"](self._state)
        for row in range(len(rows)):
            push(self._state, ctypes.c_void_p(at + row * step))
        scores = self._scores.ctypes.data_as(ctypes.c_void_p)
        self._library[f"{NAME}_finish"](self._state, scores)

    def result(self) -> NDArray[Any]:
        return self._scores.copy()


def _build(compiler: str, folder: Path) -> Path:
    entry, library = folder / "entry.c", folder / "model.so"
    entry.write_text(_ENTRY, encoding="utf-8")
    sources = [str(path) for path in sorted(folder.glob("*.c"))]
    command = [compiler, "-std=c99", "-O3", "-fPIC", "-shared", *sources, "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    if done.returncode != 0:
        raise ModelError(
            f"{compiler} could not build the generated C: "
            f"{why_it_ended(done.returncode, done.stderr)}; try another compiler in CC"
        )
    return library


def _port(facts: dict[str, Any]) -> Port:
    return Port(
        tuple(facts["shape"]),
        np.dtype(facts["dtype"]),
        facts["scale"] or 0.0,
        facts["zero_point"] or 0,
    )
