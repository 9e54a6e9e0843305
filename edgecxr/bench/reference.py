# SPDX-License-Identifier: Apache-2.0
"""What a device's results are compared with: the same file and images, on this host."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecxr.bench.host import Progress, run_worker
from edgecxr.bench.messages import Request
from edgecxr.bench.protocol import Scores
from edgecxr.bench.runtimes import REFERENCE, RUNTIMES
from edgecxr.core.interpreter import Precision
from edgecxr.errors import MissingPackageError, ModelError

_ORDER = ("tflm", "compiled", REFERENCE)
"""TFLM is what the boards' bits are made after; the compiled runtime has the same. LiteRT rounds
the last layer otherwise, and is all that some hosts have."""
FLOAT32_TOLERANCE = 1e-5
"""Runtimes add float32 in different orders."""
LITERT_STEPS = 2
"""Scores of LiteRT's reference kernels differ from TFLM's by at most so many steps."""


@dataclass(frozen=True)
class Reference:
    """The host's scores of the images.

    Attributes:
        runtime: which of this host's runtimes gave them.
        raw: int8 or float32, shape (N, classes).
        step: what one step of an int8 score is worth, as a share; 1 for float32.
    """

    runtime: str
    raw: Scores
    step: float

    def differences(self, raw: Scores) -> NDArray[np.float64]:
        """The largest difference of each image's scores, as a share, shape (N,)."""
        apart = np.abs(raw.astype(np.float64) - self.raw.astype(np.float64))
        largest: NDArray[np.float64] = apart.max(axis=1) * self.step
        return largest

    @property
    def tolerance(self) -> float:
        """The largest difference that is no mistake: none at all for int8 against TFLM."""
        if self.raw.dtype == np.float32:
            return FLOAT32_TOLERANCE
        return LITERT_STEPS * self.step if self.runtime == REFERENCE else 0.0


def reference_of(
    model: Path, precision: Precision, images: NDArray[np.uint8], progress: Progress
) -> Reference:
    """Run the images on the best reference that this host has, in a process of its own.

    Args:
        images: uint8 pixels, shape (N, height, width).

    Raises:
        MissingPackageError: if no runtime is installed here.
        ModelError: if the runtime cannot run the model.
    """
    missing = []
    with tempfile.TemporaryDirectory(prefix="edgecxr-reference-") as name:
        folder = Path(name)
        np.save(folder / "images.npy", images)
        for runtime in _ORDER:
            if RUNTIMES[runtime].package is None:
                continue
            request = Request(
                runtime=runtime,
                model=model.resolve(),
                images=folder / "images.npy",
                raw_scores=folder / "raw.npy",
                scores=folder / "scores.npy",
                runs=0,
                warmup=0,
                threads=1,
            )
            with progress(f"host's reference, {runtime} {precision}", len(images)) as advance:
                outcome = run_worker(request, folder, advance)
            if outcome.measured is not None:
                return Reference(runtime, np.load(folder / "raw.npy"), outcome.measured.output_step)
            if not outcome.missing:
                raise ModelError(outcome.error or f"{runtime} gave no scores")
            missing.append(str(outcome.error))
    raise MissingPackageError(
        "no runtime to compare with is installed here; install one with: "
        "pip install ai-edge-litert" + "".join(f" ({sentence})" for sentence in missing)
    )
