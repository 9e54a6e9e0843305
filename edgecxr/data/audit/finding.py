# SPDX-License-Identifier: Apache-2.0
"""What an audit says."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")


class Told(BaseModel):
    """How well a small classifier tells the classes, by cross-validation.

    Attributes:
        balanced_accuracy: mean recall of the classes, out of fold; its 95 % interval takes the
            images as independent.
        chance: of the balanced accuracy: one over the number of classes.
        accuracy, majority: share of images told right, and the share of the largest class.
    """

    balanced_accuracy: float
    ci95: tuple[float, float]
    chance: float
    accuracy: float
    majority: float
    images: int

    def gain(self, value: float) -> float:
        """A balanced accuracy between chance (0) and perfect (1)."""
        return (value - self.chance) / (1 - self.chance)

    @property
    def sure_gain(self) -> float:
        """The lower end of the interval between chance (0) and perfect (1)."""
        return self.gain(self.ci95[0])


class Finding(BaseModel):
    """One thing that is wrong, or may be.

    Attributes:
        kind: a stable name, such as "copies-across-splits".
        sets: the sets that it concerns, by name.
        what: with figures.
        why: it matters.
        do: what to do about it.
        count: of what ``what`` counts: pairs, images, patients or names.
        examples: names of files that belong together, the most telling first; not all.
    """

    kind: str
    severity: Severity
    sets: tuple[str, ...]
    what: str
    why: str
    do: str
    count: int = 0
    examples: list[list[str]] = []


class SetSummary(BaseModel):
    """One source. ``told`` says what tells its classes; null where classes are too small."""

    name: str
    source: str
    images: int
    unreadable: int
    splits: dict[str, int]
    labels: dict[str, int]
    synthetic: bool
    told: dict[str, Told | None] = {}


class PairRow(BaseModel):
    """Two images that show the same; ``exact``: their pixels are equal at 128×128."""

    first: str
    second: str
    score: float
    exact: bool


class AuditReport(BaseModel):
    """What ``data audit --json`` says; findings from the worst to the least."""

    sets: list[SetSummary]
    threshold: float
    findings: list[Finding]
    pairs: list[PairRow]
    seconds: float
