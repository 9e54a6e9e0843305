# SPDX-License-Identifier: Apache-2.0
"""What a device has answered so far, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from edgecxr.bench.protocol import BoardDecision, DeviceInfo, Inference
from edgecxr.core.files import sha256
from edgecxr.errors import OutputError

_CHANGING = {"stack_bytes"}
"""Differs from run to run of the same firmware."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    index: int
    image_crc: int
    ticks: int
    runs: int
    scores: str
    decision: BoardDecision | None = None


class Record:
    """A file of answers, one line each; a line that was cut off is not an answer.

    Attributes:
        answers: by the index of the image.
    """

    def __init__(self, folder: Path, info: DeviceInfo, images: NDArray[np.uint8]) -> None:
        """Read what an interrupted run of this firmware with these images left.

        Args:
            images: uint8 pixels, shape (N, height, width).
        """
        firmware = info.model_dump_json(exclude=_CHANGING)
        key = sha256(firmware.encode() + np.ascontiguousarray(images).tobytes())
        self.path = folder / "bench" / f"{info.sha256[:16]}-{key[:16]}.jsonl"
        self._dtype = np.dtype(info.precision)
        self._classes = len(info.labels)
        self.answers: dict[int, Inference] = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._remember(line, len(images))

    def _remember(self, line: str, count: int) -> None:
        try:
            answer = _Answer.model_validate_json(line)
            scores = np.frombuffer(bytes.fromhex(answer.scores), self._dtype)
        except (ValidationError, ValueError):
            return
        if len(scores) == self._classes and 0 <= answer.index < count:
            self.answers[answer.index] = Inference(
                scores, answer.ticks, answer.runs, answer.image_crc, answer.decision
            )

    def add(self, index: int, answer: Inference) -> None:
        """Keep one more answer, on disk too.

        Raises:
            OutputError: if it cannot be written.
        """
        self.answers[index] = answer
        line = _Answer(
            index=index,
            image_crc=answer.image_crc,
            ticks=answer.ticks,
            runs=answer.runs,
            scores=answer.scores.tobytes().hex(),
            decision=answer.decision,
        )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                # A line before it may have been cut off.
                file.write(f"\n{line.model_dump_json(by_alias=True)}\n")
        except OSError as error:
            raise OutputError(
                f"{self.path} could not be written: {error.strerror or error}; "
                "choose another folder with --cache"
            ) from error

    def forget(self) -> None:
        """Start from nothing, here and on disk."""
        self.answers.clear()
        self.path.unlink(missing_ok=True)
