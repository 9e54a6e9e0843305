# SPDX-License-Identifier: Apache-2.0
"""One way to run a ``.tflite`` classifier on the host, whichever interpreter is installed.

A package counts as available when a model runs in it, not when it imports: tflite-runtime
imports beside numpy 2 and dies when an interpreter is made.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from edgecxr.core.pixels import PixelRange, pixel_range, pixel_reals
from edgecxr.core.quant import dequantize, pixel_values
from edgecxr.core.quiet import native_output_hidden
from edgecxr.errors import MissingPackageError, ModelError

Kernels = Literal["optimized", "reference"]
Precision = Literal["int8", "float32"]
Scores = NDArray[np.int8] | NDArray[np.float32]

PACKAGES = ("ai-edge-litert", "tflite-runtime", "tensorflow")
"""Distribution names, in the order in which they are tried."""

_MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
_INSTALL = {"tflite-runtime": 'pip install "edgecxr[pi]" in an environment of its own (numpy < 2)'}
_IDENTIFIER = slice(4, 8)
_PACKAGE_UNUSABLE = (ImportError, AttributeError, SystemError, OSError)
"""What a package raises that is missing, or built for another numpy or libc. A bad model raises
ValueError or RuntimeError instead, and another package would not make it better."""


@dataclass(frozen=True)
class Port:
    """An input or output tensor: shape with the batch, and ``real = scale * (q - zero_point)``.

    ``scale`` is 0 for a float tensor, as in the file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int


class Interpreter(ABC):
    """A loaded classifier with one image input and one output of class scores.

    Attributes:
        name: the package that runs the model.
        version: its version.
        kernels: "optimized", or "reference" where results are the same on every machine.
        precision: "int8" or "float32", from the input tensor.
        pixels: the range of pixels that the file names; None if it names none.
        arena_bytes: of the memory that it computes in, where that is planned before it runs.
    """

    name: str
    version: str
    kernels: Kernels
    input: Port
    output: Port
    pixels: PixelRange | None = None
    arena_bytes: int | None = None

    @abstractmethod
    def run(self, image: NDArray[Any]) -> None:
        """Copy one encoded image of the input's shape in, and run the model once."""

    @abstractmethod
    def result(self) -> NDArray[Any]:
        """The scores of the last run, shape (classes,), in the output's dtype."""

    @property
    def precision(self) -> Precision:
        return "int8" if self.input.dtype == np.int8 else "float32"

    @property
    def classes(self) -> int:
        return self.output.shape[-1]

    def encode(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """uint8 pixels to the input's dtype, shape (N, H, W, channels).

        float32 is what ``pixel_reals`` says, (pixel - 128)/128 if the file names no range. int8 is
        what ``quant.pixel_values`` says, which is pixel - 128 exactly when it names none, the scale
        is 1/128 and the zero point 0.

        Args:
            images: gray, shape (N, H, W), of which a model with several channels gets the value in
                each; or shape (N, H, W, channels).

        Raises:
            ModelError: if the images are not of the model's height, width and channels.
        """
        _, height, width, channels = self.input.shape
        if images.shape[1:] == (height, width):
            images = np.repeat(images[..., np.newaxis], channels, axis=-1)
        if images.shape[1:] != (height, width, channels):
            raise ModelError(
                f"the model takes images of {height}×{width} pixels, but got an array of shape "
                f"{images.shape}; load them with the preprocessing of the model's bundle"
            )
        if self.precision == "float32":
            return pixel_reals(self.pixels)[images]
        port = self.input
        return pixel_values("int8", port.scale, port.zero_point, self.pixels)[images]

    def raw(
        self, images: NDArray[np.uint8], *, advance: Callable[[int], None] | None = None
    ) -> Scores:
        """The output of the model as it stands, int8 or float32, shape (N, classes).

        Images run one by one, since a deployed model has a batch of 1.

        Args:
            images: uint8 pixels, as :meth:`encode` takes them.
            advance: called with 1 after each image.

        Raises:
            ModelError: if the images do not fit the model, or the model cannot run.
        """
        scores = np.empty((len(images), self.classes), self.output.dtype)
        for index in range(len(images)):
            self.run(self.encode(images[index : index + 1]))
            scores[index] = self.result()
            if advance is not None:
                advance(1)
        return scores

    def dequantize(self, raw: Scores) -> NDArray[np.float32]:
        """Class scores as float32, shape (N, classes), from what :meth:`raw` gave."""
        if raw.dtype == np.float32:
            return cast(NDArray[np.float32], raw)
        return dequantize(cast(NDArray[np.int8], raw), self.output.scale, self.output.zero_point)

    def scores(
        self, images: NDArray[np.uint8], *, advance: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Dequantized class scores, float32, shape (N, classes); see :meth:`raw`."""
        return self.dequantize(self.raw(images, advance=advance))


def check_ports(inputs: Sequence[Port], outputs: Sequence[Port]) -> tuple[Port, Port]:
    """The one image input (1, H, W, channels) and the one score output (1, classes) of a model.

    Raises:
        ModelError: if the model is not an int8 or float32 classifier of one image.
    """
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            "expected a model with one input and one output, found "
            f"{len(inputs)} and {len(outputs)}; export a single image classifier"
        )
    image, scores = inputs[0], outputs[0]
    if len(image.shape) != 4 or image.shape[0] != 1 or len(scores.shape) != 2:
        raise ModelError(
            "expected an input of shape (1, height, width, channels) and an output of shape "
            f"(1, classes), found {image.shape} and {scores.shape}; convert with a batch of 1"
        )
    if image.dtype != scores.dtype or image.dtype not in (np.int8, np.float32):
        raise ModelError(
            "expected int8 or float32 for both input and output, found "
            f"{image.dtype} and {scores.dtype}; quantize with int8 input and output"
        )
    if image.dtype == np.int8 and (image.scale <= 0 or scores.scale <= 0):
        raise ModelError(
            "the int8 input or output has no quantization scale; convert the model again "
            "with a representative dataset"
        )
    return image, scores


def read_model(model: Path | bytes) -> bytes:
    """The bytes of a ``.tflite`` file, checked for its identifier only.

    Raises:
        ModelError: if the file cannot be read or is not a ``.tflite`` file.
    """
    if isinstance(model, bytes):
        data = model
    else:
        try:
            data = model.read_bytes()
        except OSError as error:
            raise ModelError(f"{model} could not be read: {error.strerror or error}") from error
    if data[_IDENTIFIER] != b"TFL3":
        raise ModelError(
            f"{called(model)} is not a .tflite file: expected the identifier TFL3 at byte 4, "
            f"found {data[_IDENTIFIER]!r}"
        )
    return data


class _LiteInterpreter(Interpreter):
    """The interpreter class that ai-edge-litert, tflite-runtime and tensorflow share."""

    def __init__(self, package: str, data: bytes, kernels: Kernels, threads: int) -> None:
        lite, resolver = _interpreter_class(package)
        self._lite = lite(
            model_content=data,
            num_threads=threads,
            experimental_op_resolver_type=(
                resolver.BUILTIN_REF if kernels == "reference" else resolver.AUTO
            ),
        )
        self.name, self.version, self.kernels = package, _version(package), kernels
        self.pixels = pixel_range(data)
        self.input, self.output = check_ports(
            [_port(detail) for detail in self._lite.get_input_details()],
            [_port(detail) for detail in self._lite.get_output_details()],
        )
        self._lite.allocate_tensors()
        self._in = self._lite.get_input_details()[0]["index"]
        self._out = self._lite.get_output_details()[0]["index"]
        self.run(np.zeros(self.input.shape, self.input.dtype))

    def run(self, image: NDArray[Any]) -> None:
        self._lite.set_tensor(self._in, image)
        self._lite.invoke()

    def result(self) -> NDArray[Any]:
        return cast(NDArray[Any], self._lite.get_tensor(self._out)[0])


def _port(detail: dict[str, Any]) -> Port:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail["shape"])
    return Port(shape, np.dtype(detail["dtype"]), float(scale), int(zero_point))


def _version(package: str) -> str:
    for name in (package, f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def _interpreter_class(package: str) -> tuple[Any, Any]:
    """The classes ``Interpreter`` and ``OpResolverType`` of a package."""
    if package == "tensorflow":
        lite = importlib.import_module("tensorflow").lite
        return lite.Interpreter, lite.experimental.OpResolverType
    module = importlib.import_module(_MODULES[package])
    return module.Interpreter, module.OpResolverType


def preload(packages: Sequence[str] = PACKAGES) -> None:
    """Import the first of the packages that imports, so that its memory is not counted later."""
    for package in packages:
        try:
            _interpreter_class(package)
        except _PACKAGE_UNUSABLE:
            continue
        return


def open_interpreter(
    model: Path | bytes,
    *,
    kernels: Kernels = "optimized",
    threads: int = 1,
    packages: Sequence[str] = PACKAGES,
    quiet: bool = True,
) -> Interpreter:
    """Load a classifier with the first package in which it runs.

    Args:
        model: a ``.tflite`` file or its bytes, with a batch of 1.
        kernels: "reference" gives the same bits on every machine; "optimized" (XNNPACK) is the
            fast default and gives others. LiteRT's reference is TFLM's but for int8
            FULLY_CONNECTED, which LiteRT 2.3 rounds once and TFLM twice: one step at most.
        threads: of the interpreter.
        packages: distribution names to try, in order.
        quiet: keep the packages' own messages off stderr while loading.

    Raises:
        ModelError: if the model is malformed or cannot run.
        MissingPackageError: if none of the packages is installed and works here.
    """
    data = read_model(model)
    reasons: list[str] = []
    for package in packages:
        try:
            with native_output_hidden() if quiet else nullcontext():
                return _LiteInterpreter(package, data, kernels, threads)
        except _PACKAGE_UNUSABLE as error:
            reasons.append(f"{package}: {_root_cause(error)}")
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{called(model)} does not run in {package} {_version(package)}, which says: "
                f"{_first_line(error)}"
            ) from error
    raise MissingPackageError(
        f"no interpreter for .tflite files works here ({'; '.join(reasons)}); "
        f"install one with: {_INSTALL.get(packages[0], f'pip install {packages[0]}')}"
    )


def called(model: Path | bytes) -> str:
    """What a message calls a model."""
    return "the model" if isinstance(model, bytes) else str(model)


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
