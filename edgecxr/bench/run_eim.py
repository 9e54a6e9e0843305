# SPDX-License-Identifier: Apache-2.0
"""Measures an ``.eim``: every image through Edge Impulse's SDK, every score against this host's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecxr.bench.eim import Eim
from edgecxr.bench.host import Progress
from edgecxr.bench.reference import FLOAT32_TOLERANCE, LITERT_STEPS
from edgecxr.bench.runtimes import REFERENCE
from edgecxr.core.files import sha256
from edgecxr.core.interpreter import Precision, open_interpreter
from edgecxr.core.metrics import wilson
from edgecxr.core.result import BenchRow, Latency
from edgecxr.errors import VerificationError

RUNTIME = "eim"
"""What the table calls the runtime of an ``.eim`` that does not say."""
_WARMUP = 3


def check_eim(eim: Eim, labels: tuple[str, ...], models: dict[Precision, Path]) -> Precision:
    """See that an ``.eim`` has a bundle's classes and, if edgecxr made it, a model of the bundle.

    Args:
        models: the bundle's files that may be meant, the first if the ``.eim`` does not say.

    Raises:
        VerificationError: if it does not.
    """
    info = eim.info
    if set(info.labels) != set(labels):
        raise VerificationError(
            f"expected the classes {', '.join(labels)} of {eim.path}, found "
            f"{', '.join(info.labels)}; name the bundle that it belongs to"
        )
    for precision, model in models.items():
        if info.sha256 in (None, sha256(model)):
            return precision
    raise VerificationError(
        f"expected a model of this bundle in {eim.path}, found one with the SHA-256 "
        f"{info.sha256}; export it again, or name its bundle"
    )


def run_eim(
    eim: Eim,
    model: Path,
    precision: Precision,
    labels: tuple[str, ...],
    images: NDArray[np.uint8],
    truth: NDArray[np.int64] | None,
    *,
    progress: Progress,
) -> tuple[BenchRow, str | None]:
    """One row, and a sentence if an ``.eim`` of edgecxr does not give this host's scores.

    Args:
        model: the bundle's file that the scores are compared with.
        labels: of the bundle, in the order of its scores.
        images: uint8 pixels, shape (N, height, width).
        truth: class indices, shape (N,), or None to measure no accuracy.

    Raises:
        DeviceError: if the program does not go on answering.
    """
    host = open_interpreter(model, kernels="reference")
    expected = host.scores(images)
    order = [eim.info.labels.index(label) for label in labels]
    for _ in range(_WARMUP):
        eim.classify(images[0])
    answers = []
    with progress(f"{eim.path} {precision}", len(images)) as advance:
        for image in images:
            answers.append(eim.classify(image))
            advance(1)
    scores = np.array([found[order] for found, _ in answers])
    row = BenchRow(
        device=str(eim.path),
        runtime=eim.info.runtime or RUNTIME,
        precision=precision,
        images=len(images),
        **_accuracy(scores, truth),
        agreement_with_host=float((scores.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        bit_exact_with_host=float(np.all(scores == expected, axis=1).mean()),
        max_score_difference=float(np.abs(scores - expected).max()),
        compared_with=REFERENCE,
        latency_ms=_latency(np.array([took for _, took in answers])),
        model_bytes=model.stat().st_size,
        model_sha256=sha256(model),
    )
    step = host.output.scale
    tolerance = LITERT_STEPS * step if precision == "int8" else FLOAT32_TOLERANCE
    return row, _mismatch(row, tolerance) if eim.info.sha256 else None


def _accuracy(
    scores: NDArray[np.float32], truth: NDArray[np.int64] | None
) -> dict[str, float | tuple[float, float]]:
    if truth is None:
        return {}
    right = int((scores.argmax(axis=1) == truth).sum())
    return {"accuracy": right / len(truth), "accuracy_ci95": wilson(right, len(truth))}


def _latency(took: NDArray[np.float64]) -> Latency:
    p50, p95 = (float(each) for each in np.percentile(took, (50, 95)))
    low, high = float(took.min()), float(took.max())
    return Latency(p50=p50, p95=p95, min=low, max=high, runs=len(took), warmup=_WARMUP)


def _mismatch(row: BenchRow, tolerance: float) -> str | None:
    if row.max_score_difference is None or row.max_score_difference <= tolerance:
        return None
    return (
        f"expected {row.device} to give the scores of {row.compared_with} on this host, found some "
        f"that differ by up to {row.max_score_difference:.2g}; export it again, and report it if "
        "that does not help"
    )


def eim_notes() -> tuple[str, ...]:
    """What the figures of an ``.eim``'s row mean."""
    return (
        "Latency of an .eim: the whole round trip of Edge Impulse's SDK, with its JSON or shared "
        "memory, its socket, and the inference.",
    )
