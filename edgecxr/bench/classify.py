# SPDX-License-Identifier: Apache-2.0
"""One image at a time, on this host or on a device, and whether the two agree."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgecxr.bench.device import Device
from edgecxr.bench.on_device import milliseconds
from edgecxr.bench.protocol import BoardDecision, Scores
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
        agrees: whether the host finds the same class, and scores within rounding; None on the host.
        bit_exact: whether the host's scores are the very same; None on the host.
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
        found = self.device.classify(image)
        ours = self.interpreter.raw(image[np.newaxis])
        theirs: Scores = found.scores[np.newaxis]
        quantized = self.interpreter.precision == "int8"
        step = self.interpreter.output.scale if quantized else 1.0
        reference = Reference(REFERENCE, ours, step)
        same_class = int(ours.argmax()) == int(theirs.argmax())
        close = float(reference.differences(theirs)[0]) <= reference.tolerance
        counted = self.device.info.clock == "instructions"
        return Answer(
            raw=found.scores,
            decision=found.decision,
            scores=self.interpreter.dequantize(theirs)[0],
            latency_ms=milliseconds(found.ticks, self.device.info),
            instructions=found.ticks if counted else None,
            agrees=same_class and close,
            bit_exact=theirs.tobytes() == ours.tobytes(),
        )
