# SPDX-License-Identifier: Apache-2.0
"""The runtimes that can run a model on this host, by the names that ``--runtime`` takes."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from edgecxr.bench.compiled import CompiledInterpreter, c_compiler
from edgecxr.core.interpreter import PACKAGES, Interpreter, Kernels, open_interpreter, preload
from edgecxr.core.tflm import PACKAGE, TflmInterpreter, load_tflm
from edgecxr.errors import MissingPackageError, UsageError

REFERENCE = "litert-reference"


class Runtime(ABC):
    """A way to run a model in a worker process.

    Attributes:
        name: as ``--runtime`` takes it.
        packages: tried in this order.
        kernels: which of a package's kernels it uses.
        threaded: whether the number of threads has an effect.
    """

    name: str
    packages: Sequence[str]
    kernels: Kernels
    threaded: bool

    @abstractmethod
    def preload(self) -> None:
        """Import what it needs before memory is measured.

        Raises:
            MissingPackageError: if it is not installed; :meth:`open` may find that only later.
        """

    @abstractmethod
    def open(self, model: Path, threads: int) -> Interpreter:
        """Load a model.

        Raises:
            ModelError: if the runtime refuses the model.
            MissingPackageError: if the runtime is missing or broken here.
        """

    @property
    def package(self) -> str | None:
        """The first of its packages that is installed; None if none is."""
        return next((package for package in self.packages if _is_installed(package)), None)


def _is_installed(package: str) -> bool:
    """By the module, since tensorflow-cpu brings "tensorflow" under another name."""
    return importlib.util.find_spec(package.replace("-", "_")) is not None


class LiteRuntime(Runtime):
    """LiteRT or a package with the same interface."""

    def __init__(self, name: str, kernels: Kernels, *, packages: Sequence[str] = PACKAGES) -> None:
        self.name, self.kernels, self.packages = name, kernels, packages
        self.threaded = kernels == "optimized"

    def preload(self) -> None:
        preload(self.packages)

    def open(self, model: Path, threads: int) -> Interpreter:
        return open_interpreter(
            model, kernels=self.kernels, threads=threads, packages=self.packages, quiet=False
        )


class TflmRuntime(Runtime):
    """TensorFlow Lite Micro's reference kernels."""

    name = "tflm"
    packages = (PACKAGE,)
    kernels: Kernels = "reference"
    threaded = False

    def preload(self) -> None:
        load_tflm()

    def open(self, model: Path, threads: int) -> Interpreter:  # noqa: ARG002  (it has one thread)
        return TflmInterpreter(model)


class CompiledRuntime(Runtime):
    """C generated for the one model, built here. It has TFLM's bits in int8."""

    name = "compiled"
    packages = ()
    kernels: Kernels = "reference"
    threaded = False

    @property
    def package(self) -> str | None:
        """It needs no package but a C compiler."""
        try:
            return c_compiler()
        except MissingPackageError:
            return None

    def preload(self) -> None:
        c_compiler()

    def open(self, model: Path, threads: int) -> Interpreter:  # noqa: ARG002  (it has one thread)
        return CompiledInterpreter(model)


RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        LiteRuntime("litert", "optimized"),
        LiteRuntime(REFERENCE, "reference"),
        TflmRuntime(),
        CompiledRuntime(),
        LiteRuntime("tflite-runtime", "optimized", packages=("tflite-runtime",)),
    )
}


def choose(names: Sequence[str]) -> list[Runtime]:
    """The runtimes of these names, each once; without names, all that are installed here.

    Two names can mean the same: where tflite-runtime is all there is, it is what "litert" runs.

    Raises:
        UsageError: if a name is unknown.
        MissingPackageError: if no names are given and nothing is installed.
    """
    for name in names:
        if name not in RUNTIMES:
            raise UsageError(f"expected a runtime out of {', '.join(RUNTIMES)}, found {name!r}")
    if names:
        return [RUNTIMES[name] for name in dict.fromkeys(names)]
    found: dict[tuple[str, str], Runtime] = {}
    for runtime in RUNTIMES.values():
        if runtime.package is not None:
            found.setdefault((runtime.package, runtime.kernels), runtime)
    if not found:
        raise MissingPackageError(
            "no interpreter for .tflite files is installed here; install one with: "
            f"pip install {PACKAGES[0]}"
        )
    return list(found.values())
