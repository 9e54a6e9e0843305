# SPDX-License-Identifier: Apache-2.0
"""What ``bench`` and its worker process say to each other: a request file, then lines of JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from edgecxr.core.result import InterpreterInfo, Latency


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Request(_Message):
    """What one worker is to do.

    Attributes:
        images: a ``.npy`` file of uint8 pixels, shape (N, H, W), or None for random ones.
        raw_scores: where the worker writes its raw scores, shape (N, classes), as ``.npy``;
            the dequantized ones go to ``scores``. Not written without images.
        runs: timed single inferences; 0 for none.
    """

    runtime: str
    model: Path
    images: Path | None
    raw_scores: Path
    scores: Path
    runs: int
    warmup: int
    threads: int


class Step(_Message):
    """So many inferences of the request are done."""

    kind: Literal["step"] = "step"
    inferences: int


class Refusal(_Message):
    """The worker cannot do it, and why in one sentence."""

    kind: Literal["refusal"] = "refusal"
    missing: bool
    sentence: str


class Measured(_Message):
    """The worker's figures; bytes of memory, None where the system does not say.

    Attributes:
        arena_bytes: where the runtime plans it before it runs.
        output_step: what one step of a raw score is worth; 1 where scores are not quantized.
    """

    kind: Literal["measured"] = "measured"
    interpreter: InterpreterInfo
    arena_bytes: int | None
    output_step: float
    latency_ms: Latency | None
    peak_memory_bytes: int | None
    model_memory_bytes: int | None


Message = Step | Refusal | Measured
parse_message: TypeAdapter[Message] = TypeAdapter(Message)
