# SPDX-License-Identifier: Apache-2.0
"""Measures a model on a device: every image over the wire, every score against the host's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecxr.bench.device import Device
from edgecxr.bench.host import Progress
from edgecxr.bench.protocol import BoardDecision, DeviceInfo, Inference, Scores
from edgecxr.bench.record import Record
from edgecxr.bench.reference import Reference
from edgecxr.core.decision import Verdict
from edgecxr.core.metrics import wilson
from edgecxr.core.result import BenchRow, Latency

Judge = Callable[[Scores], Verdict | None]
_WARMUP = 1
_RANDOM_IMAGES = 8


def run_on_device(
    device: Device,
    model: Path,
    images: NDArray[np.uint8],
    truth: NDArray[np.int64] | None,
    reference: Reference,
    record: Record,
    *,
    judge: Judge = lambda _: None,
    progress: Progress,
) -> BenchRow:
    """Send every image that the record does not have yet, and make one row of all answers.

    The record is removed at the end; it stays if the run is interrupted or fails.

    Args:
        model: the file that the firmware was made from; :func:`check_model` has seen to that.
        images: uint8 pixels, shape (N, height, width).
        truth: class indices, shape (N,), or None to measure no accuracy.
        judge: the bundle's rules for this model; what the device makes of its own scores is
            compared with what they make of them here.

    Raises:
        DeviceError: if the device does not go on answering.
    """
    waiting = [index for index in range(len(images)) if index not in record.answers]
    if waiting and device.info.keeps_image:
        device.classify(images[waiting[0]], warmup=_WARMUP)
    with progress(f"{device.name} {device.info.precision}", len(waiting)) as advance:
        for index in waiting:
            record.add(index, device.classify(images[index]))
            advance(1)
    answers = [record.answers[index] for index in range(len(images))]
    info = device.read_info()
    raw: Scores = np.array([answer.scores for answer in answers])
    ticks = np.array([answer.ticks / answer.runs for answer in answers])
    figures = {
        **_accuracy(raw, truth),
        **_agreement(raw, reference),
        **_decisions(answers, judge, info),
        **_duration(ticks, info),
        "tried_again": device.retries,
    }
    record.forget()
    return _known(device.name, model, info).model_copy(update=figures)


def _known(name: str, model: Path, info: DeviceInfo) -> BenchRow:
    return BenchRow(
        device=name,
        runtime=info.runtime,
        precision=info.precision,
        flash_bytes=info.flash_bytes,
        ram_bytes=info.static_ram_bytes,
        stack_bytes=info.stack_bytes,
        arena_bytes=info.arena_bytes,
        clock_hz=info.clock_hz,
        compiler=info.compiler,
        model_bytes=model.stat().st_size,
        model_sha256=info.sha256,
    )


def _accuracy(raw: Scores, truth: NDArray[np.int64] | None) -> dict[str, object]:
    if truth is None:
        return {"images": len(raw)}
    right = int((raw.argmax(axis=1) == truth).sum())
    interval = wilson(right, len(raw))
    return {"images": len(raw), "accuracy": right / len(raw), "accuracy_ci95": interval}


def _agreement(raw: Scores, reference: Reference) -> dict[str, object]:
    same_class = raw.argmax(axis=1) == reference.raw.argmax(axis=1)
    pairs = zip(raw, reference.raw, strict=True)
    same_bits = [ours.tobytes() == theirs.tobytes() for ours, theirs in pairs]
    return {
        "compared_with": reference.runtime,
        "agreement_with_host": float(same_class.mean()),
        "bit_exact_with_host": float(np.mean(same_bits)),
        "max_score_difference": float(reference.differences(raw).max()),
    }


def _decisions(answers: Sequence[Inference], judge: Judge, info: DeviceInfo) -> dict[str, object]:
    """A device without rules decides nothing, which is a difference if the bundle has some."""
    ours = [judge(each.scores) for each in answers]
    same = [
        decides_alike(each.decision, verdict, info.labels)
        for each, verdict in zip(answers, ours, strict=True)
        if verdict is not None
    ]
    return {"same_decision": float(np.mean(same))} if same else {}


def decides_alike(found: BoardDecision | None, ours: Verdict, labels: Sequence[str]) -> bool:
    """Whether a device's decision is that of this host's rule on the same scores."""
    return found is not None and (found.label, found.uncertain, found.possible) == (
        labels[ours.top],
        ours.uncertain,
        tuple(labels[index] for index in ours.included),
    )


def milliseconds(ticks: float, info: DeviceInfo) -> float | None:
    """A time on the device's clock; None where that counts instructions, or has no known rate."""
    if info.clock == "us":
        return ticks / 1000
    if info.clock == "cycles" and info.clock_hz is not None:
        return 1000 * ticks / info.clock_hz
    return None


def _duration(ticks: NDArray[np.float64], info: DeviceInfo) -> dict[str, object]:
    """Milliseconds, or instructions where the device's clock counts those."""
    if info.clock == "instructions":
        return {"instructions": round(float(np.median(ticks)))}
    times = [milliseconds(float(count), info) for count in ticks]
    known = [duration for duration in times if duration is not None]
    if not known:
        return {}
    warmup = _WARMUP if info.keeps_image else 0
    return {"latency_ms": Latency.of(np.array(known), warmup)}


def mismatch(row: BenchRow, reference: Reference) -> str | None:
    """A sentence if the device's scores are not those of the host, as far as they must be."""
    found = row.max_score_difference
    if found is None or found <= reference.tolerance:
        return _other_decisions(row)
    same = row.bit_exact_with_host or 0.0
    return (
        f"expected {row.device} to give the scores of {reference.runtime} on this host, found "
        f"{100 * (1 - same):.1f} % of the images with others, by up to {found:.2g}; "
        "build the firmware again, and report it if that does not help"
    )


def _other_decisions(row: BenchRow) -> str | None:
    if row.same_decision is None or row.same_decision == 1:
        return None
    return (
        f"expected {row.device} to decide as the bundle's rules do, found "
        f"{100 * (1 - row.same_decision):.1f} % of the images decided otherwise, or not at all; "
        "flash it again, so that it gets the bundle's thresholds"
    )


def random_images(height: int, width: int) -> NDArray[np.uint8]:
    """A few seeded pictures of noise, for a device that is measured without data."""
    return np.random.default_rng(1).integers(0, 256, (_RANDOM_IMAGES, height, width), np.uint8)


def device_notes(rows: Sequence[BenchRow]) -> tuple[str, ...]:
    """What the figures of devices' rows mean."""
    lines = []
    if rows:
        lines.append(
            "On a device: every image went over the wire, and every score was compared bit for bit "
            f"with {' and '.join(sorted({str(row.compared_with) for row in rows}))} on this host."
        )
    if any(row.latency_ms for row in rows):
        lines.append("Latency on a device: by its own clock, one inference at a time.")
    if any(row.instructions for row in rows):
        lines.append(
            "Instructions: the median inference, counted by the emulator to within its timer's "
            "step (1 to 62 of them). They are no milliseconds."
        )
    if any(row.ram_bytes for row in rows):
        lines.append(
            "RAM: placed by the linker, without the stack. Stack: the most that was used. "
            "Arena: the part of the RAM that the runtime computes in."
        )
    return tuple(lines)
