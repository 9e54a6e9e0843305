# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite Micro on the host: its interpreter, and the arena that a model needs.

TFLM trusts its model: a bad one ends the whole process. So a measurement runs in a process of its
own (``python -m edgecxr.core.tflm MODEL``), and so must whoever uses :class:`TflmInterpreter`.
"""

from __future__ import annotations

import importlib.metadata
import re
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.interpreter import Interpreter, Port, called, check_ports, read_model
from edgecxr.core.pixels import pixel_range
from edgecxr.core.process import module_command, module_environment, why_it_ended
from edgecxr.errors import MissingPackageError, ModelError
from edgecxr.optional import require

PACKAGE = "tflite-micro"
_ARENA_BYTES = 64 * 1024 * 1024
"""Reserved, not touched: TFLM writes to the two ends that it uses, so this costs no memory. A
multiple of 16, since TFLM rounds the arena's end down and would count the rest as used."""
_TIMEOUT_S = 120
_ALLOCATION = re.compile(r"\[RecordingMicroAllocator\] Arena allocation (total|head|tail) (\d+) by")


@dataclass(frozen=True)
class ArenaMeasurement:
    """What TFLM's recording allocator counted after one inference, in bytes.

    Attributes:
        bytes_used: the whole arena; TFLM runs in an arena of exactly this size.
        head: activations and scratch buffers, reused from layer to layer.
        tail: what lives as long as the interpreter: tensor and node structures, op data.
        pointer_bytes: 8 on a 64-bit host. The tail holds pointers, so a 32-bit microcontroller
            needs less there with the same kernels.
        version: of tflite-micro.
    """

    bytes_used: int
    head: int
    tail: int
    pointer_bytes: int
    version: str


class TflmInterpreter(Interpreter):
    """TFLM's reference kernels on the host. Ends the process on a bad model; see the module.

    Raises:
        ModelError: if TFLM refuses the model.
        MissingPackageError: if tflite-micro is not installed.
    """

    def __init__(self, model: Path | bytes) -> None:
        data = read_model(model)
        runtime = load_tflm()
        try:
            self._tflm = runtime.Interpreter.from_bytes(data, arena_size=_ARENA_BYTES)
        except struct.error as error:
            raise ModelError(
                f"{called(model)} is not a whole .tflite file: it ends early, or an offset in it "
                "points outside; convert the model again"
            ) from error
        except RuntimeError as error:
            raise ModelError(f"{called(model)} does not load in TFLM: {error}") from error
        self.name, self.version, self.kernels = PACKAGE, tflm_version(), "reference"
        self.input, self.output = check_ports(
            [_port(self._tflm.get_input_details(0))], [_port(self._tflm.get_output_details(0))]
        )
        self.pixels = pixel_range(data)
        self.run(np.zeros(self.input.shape, self.input.dtype))

    def run(self, image: NDArray[Any]) -> None:
        self._tflm.set_input(image, 0)
        self._tflm.invoke()

    def result(self) -> NDArray[Any]:
        return cast(NDArray[Any], self._tflm.get_output(0)[0])

    def print_allocations(self) -> None:
        """Print what the arena holds to the C library's stderr, the only place TFLM offers."""
        self._tflm.print_allocations()


def _port(detail: dict[str, Any]) -> Port:
    quantization = detail["quantization_parameters"]
    scales, zero_points = quantization["scales"], quantization["zero_points"]
    return Port(
        tuple(int(size) for size in detail["shape"]),
        np.dtype(detail["dtype"]),
        float(scales[0]) if len(scales) else 0.0,
        int(zero_points[0]) if len(zero_points) else 0,
    )


def load_tflm() -> ModuleType:
    """The module of tflite-micro's interpreter.

    Raises:
        MissingPackageError: if it is not installed.
    """
    return require("tflite_micro.python.tflite_micro.runtime", extra="tflm")


def tflm_version() -> str:
    """The version of tflite-micro.

    Raises:
        MissingPackageError: if it is not installed.
    """
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingPackageError(
            f'this needs {PACKAGE}, which is not installed; install it with: pip install "edgecxr'
            '[tflm]" (Linux on x86-64)'
        ) from error


def measure_arena(model: Path) -> ArenaMeasurement:
    """Run ``model`` once in TFLM, in a process of its own, and read what its arena holds.

    The figure repeats exactly on the same kind of host.

    Raises:
        ModelError: if the file is not a ``.tflite`` file, or TFLM refuses it or dies of it.
        MissingPackageError: if tflite-micro is not installed.
    """
    read_model(model)
    version = tflm_version()
    command = module_command("edgecxr.core.tflm", str(model))
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=module_environment(), timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"TFLM did not finish one run of {model} in {_TIMEOUT_S} s") from error
    found = {key: int(size) for key, size in _ALLOCATION.findall(done.stderr)}
    if done.returncode != 0 or found.keys() != {"total", "head", "tail"}:
        cause = why_it_ended(done.returncode, done.stderr)
        raise ModelError(f"TFLM could not run {model}: {cause}")
    pointer_bytes = struct.calcsize("P")
    return ArenaMeasurement(found["total"], found["head"], found["tail"], pointer_bytes, version)


def _main(model: str) -> int:
    try:
        interpreter = TflmInterpreter(Path(model))
    except (ModelError, MissingPackageError) as error:
        print(error, file=sys.stderr)
        return error.exit_code
    interpreter.print_allocations()
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
