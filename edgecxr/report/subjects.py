# SPDX-License-Identifier: Apache-2.0
"""Results by the model that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgecxr.core.bundle import Manifest
from edgecxr.core.metrics import Evaluation
from edgecxr.core.result import BenchResult
from edgecxr.report.inputs import Card, Compared, EngineRow, Inputs, MemoryPlan

UNNAMED = "Results"


@dataclass(eq=False)
class Subject:
    """One model: a bundle, or what results without one call it."""

    name: str
    card: Card | None = None
    evaluations: list[Compared] = field(default_factory=list)
    benches: list[BenchResult] = field(default_factory=list)
    plans: list[MemoryPlan] = field(default_factory=list)
    rows: list[EngineRow] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest | None:
        return self.card.bundle.manifest if self.card else None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.manifest.labels if self.manifest else ()

    @property
    def sums(self) -> set[str]:
        """SHA-256 of its model files."""
        return {each.sha256 for each in self.manifest.files.values()} if self.manifest else set()

    @property
    def names(self) -> set[str]:
        """Of the bundle, and of its folder."""
        return {self.name, self.card.bundle.folder.name} if self.card else {self.name}

    def lies_at(self, folder: Path) -> bool:
        return self.card is not None and self.card.bundle.folder.resolve() == folder.resolve()

    @property
    def evaluation(self) -> Evaluation | None:
        """What its summary speaks of: a file that was given, else the test split as the manifest
        has it, else its validation split."""
        if self.evaluations:
            return self.evaluations[0]
        recorded = self.manifest.metrics if self.manifest else {}
        return recorded.get("test") or recorded.get("val") or next(iter(recorded.values()), None)


def subjects(inputs: Inputs) -> list[Subject]:
    """The bundles in their order, each with its results; then models that only results speak of.

    A measurement belongs to the bundle with the SHA-256 of its model file, an evaluation to the
    bundle that it names. Counts of instructions go by the model's name; if a bundle is there, those
    of other models are left out.
    """
    found = [Subject(card.bundle.manifest.name, card) for card in inputs.cards]
    for evaluation in inputs.evaluations:
        fitting = _evaluated(evaluation, found)
        _first(fitting, found, Path(evaluation.model).name).evaluations.append(evaluation)
    for bench in inputs.benches:
        sums = {row.model_sha256 for row in bench.rows}
        fitting = [s for s in found if s.sums & sums]
        _first(fitting, found, bench.model).benches.append(bench)
    for plan in inputs.plans:
        fitting = [s for s in found if plan.model_sha256 in s.sums]
        if not plan.model_sha256:  # of an older export
            fitting = [s for s in found if s.labels == plan.labels]
        _first(fitting, found, "").plans.append(plan)
    for row in (row for engine in inputs.engines for row in engine.rows):
        fitting = [s for s in found if s.name == row.model]
        if fitting or not inputs.cards:
            _first(fitting, found, row.model).rows.append(row)
    return found or [Subject(UNNAMED)]


def _evaluated(evaluation: Compared, found: Sequence[Subject]) -> Sequence[Subject]:
    """The bundle at that path; if it was moved, that of the name; else the only one of the classes:
    two models of the same classes could be taken for each other."""
    folder, labels = Path(evaluation.model), tuple(c.label for c in evaluation.int8.classes)
    alike = [s for s in found if s.labels == labels]
    return (
        [s for s in found if s.lies_at(folder)]
        or [s for s in alike if folder.name in s.names]
        or (alike if len(alike) == 1 else [])
    )


def _first(fitting: Sequence[Subject], found: list[Subject], name: str) -> Subject:
    """The first that fits; else the one without a bundle of this name, which is made if need be."""
    without = [s for s in found if s.card is None and s.name == (name or UNNAMED)]
    chosen = [*fitting, *without] or [Subject(name or UNNAMED)]
    if chosen[0] not in found:
        found.append(chosen[0])
    return chosen[0]
