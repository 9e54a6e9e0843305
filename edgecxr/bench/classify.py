# SPDX-License-Identifier: Apache-2.0
"""One image at a time, on this host or on a device, and whether the two agree."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgecxr.bench.device import Device
from edgecxr.bench.on_device import milliseconds
from edgecxr.bench.protocol import BoardDecision, Inference, Scores
from edgecxr.bench.reference import Reference
from edgecxr.bench.runtimes import REFERENCE
from edgecxr.core.interpreter import Interpreter, open_interpreter


@dataclass(frozen=True)
class Answer:
    """What was found in one image.

    Attributes:
        raw: scores as the model gave them, int8 or float32, shape (classes,).
        scores: float32, shape (classes,), 0 to 1.
        decision: the device's own; None on the host, and without rules.
        latency_ms: of the inference alone; None where the device counts instructions.
        agrees: whether the host finds the same class, and scores within rounding; None on the host,
            and where the host does not know the image.
        bit_exact: whether the host's scores are the very same; None likewise.
    """

    raw: Scores
    scores: NDArray[np.float32]
    decision: BoardDecision | None = None
    latency_ms: float | None = None
    instructions: int | None = None
    agrees: bool | None = None
    bit_exact: bool | None = None


class Classifier(Protocol):
    """Gives an answer for uint8 pixels of shape (height, width)."""

    def classify(self, image: NDArray[np.uint8]) -> Answer: ...

    def demo(self, pixels: Mapping[str, NDArray[np.uint8]]) -> Iterator[tuple[str, Answer]]: ...


class OnHost:
    """LiteRT's reference kernels, which compute as a microcontroller does.

    Raises:
        ModelError: if the model cannot be run.
        MissingPackageError: if no interpreter is installed.
    """

    def __init__(self, model: Path) -> None:
        self.interpreter: Interpreter = open_interpreter(model, kernels="reference")

    def classify(self, image: NDArray[np.uint8]) -> Answer:
        encoded = self.interpreter.encode(image[np.newaxis])
        start = time.perf_counter_ns()
        self.interpreter.run(encoded)
        elapsed = time.perf_counter_ns() - start
        raw: Scores = self.interpreter.result()[np.newaxis].copy()
        return Answer(raw[0], self.interpreter.dequantize(raw)[0], latency_ms=elapsed / 1e6)

    def demo(self, pixels: Mapping[str, NDArray[np.uint8]]) -> Iterator[tuple[str, Answer]]:
        """What this host says of the images that a board's firmware has, each by its name."""
        for name, image in pixels.items():
            yield name, self.classify(image)


class OnDevice:
    """A device, with this host's opinion beside it.

    Args:
        model: the file that the device's firmware was made from.
    """

    def __init__(self, device: Device, model: Path) -> None:
        self.device = device
        self.interpreter: Interpreter = open_interpreter(model, kernels="reference")

    def classify(self, image: NDArray[np.uint8]) -> Answer:
        """Send the image, and run it here too.

        Raises:
            DeviceError: if no good result comes in time.
        """
        return self._compared(self.device.classify(image), image)

    def demo(self, pixels: Mapping[str, NDArray[np.uint8]]) -> Iterator[tuple[str, Answer]]:
        """What the board says of the images in its firmware, each by its name.

        Args:
            pixels: those images as this host knows them, by name. One whose CRC-32 is another's
                is not compared.

        Raises:
            DeviceError: if the board has none, or if no good result comes in time.
        """
        for shown in self.device.demo():
            image = pixels.get(shown.image)
            known = image is not None and zlib.crc32(image.tobytes()) == shown.found.image_crc
            yield shown.image, self._compared(shown.found, image if known else None)

    def _compared(self, found: Inference, image: NDArray[np.uint8] | None) -> Answer:
        theirs: Scores = found.scores[np.newaxis]
        counted = self.device.info.clock == "instructions"
        answer = Answer(
            raw=found.scores,
            decision=found.decision,
            scores=self.interpreter.dequantize(theirs)[0],
            latency_ms=milliseconds(found.ticks, self.device.info),
            instructions=found.ticks if counted else None,
        )
        if image is None:
            return answer
        ours = self.interpreter.raw(image[np.newaxis])
        quantized = self.interpreter.precision == "int8"
        step = self.interpreter.output.scale if quantized else 1.0
        reference = Reference(REFERENCE, ours, step)
        same_class = int(ours.argmax()) == int(theirs.argmax())
        close = float(reference.differences(theirs)[0]) <= reference.tolerance
        return replace(
            answer,
            agrees=same_class and close,
            bit_exact=theirs.tobytes() == ours.tobytes(),
        )
