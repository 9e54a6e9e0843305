# SPDX-License-Identifier: Apache-2.0
"""All checks of an audit, and their findings from the worst to the least."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgecxr.data.audit.copies import conflicts, copies
from edgecxr.data.audit.finding import (
    SEVERITIES,
    AuditReport,
    Finding,
    PairRow,
    SetSummary,
    Told,
)
from edgecxr.data.audit.material import Material, gather
from edgecxr.data.audit.patients import patients as patient_findings
from edgecxr.data.audit.shortcuts import origins, shifts, shortcuts
from edgecxr.data.dataset import SYNTHETIC_PREFIX
from edgecxr.data.parallel import Progress
from edgecxr.data.similar import THRESHOLD


def audit(
    sources: Sequence[Path],
    cache_dir: Path,
    *,
    patients: str | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Read the sources and say what is wrong with them, each and together.

    Raises:
        DataError: if a source is in none of the layouts or has no readable image.
        UsageError: if ``patients`` is no regular expression.
        OutputError: if the cache cannot be written.
    """
    begin = time.monotonic()
    material = gather(sources, cache_dir, patients=patients, progress=progress)
    findings = [*conflicts(material), *copies(material), *patient_findings(material)]
    told: list[dict[str, Told | None]] = []
    for source in range(len(material.sources)):
        found, figures = shortcuts(material, source)
        findings += [*found, *shifts(material, source), *_unreadable(material, source)]
        told.append(figures)
    findings += origins(material)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return AuditReport(
        sets=[_summary(material, i, figures) for i, figures in enumerate(told)],
        threshold=THRESHOLD,
        findings=findings,
        pairs=[
            PairRow(
                first=material.name(pair.first),
                second=material.name(pair.second),
                score=round(pair.score, 3),
                exact=pair.exact,
            )
            for pair in material.copies
        ],
        seconds=round(time.monotonic() - begin, 1),
    )


def _summary(material: Material, source: int, told: dict[str, Told | None]) -> SetSummary:
    samples = [material.samples[i] for i in material.positions(source)]
    given = material.sources[source]
    return SetSummary(
        name=given.name,
        source=str(given.path),
        images=len(samples),
        unreadable=len(given.unreadable),
        splits=dict(Counter(sample.split or "none" for sample in samples)),
        labels=dict(sorted(Counter(sample.label for sample in samples).items())),
        synthetic=any(Path(sample.name).name.startswith(SYNTHETIC_PREFIX) for sample in samples),
        told=told,
    )


def _unreadable(material: Material, source: int) -> list[Finding]:
    given = material.sources[source]
    if not given.unreadable:
        return []
    return [
        Finding(
            kind="unreadable",
            severity="medium",
            sets=(given.name,),
            what=f"{len(given.unreadable)} files cannot be read as images: "
            f"{'; '.join(f'{name}: {why}' for name, why in given.unreadable[:3])}",
            why="Every other command stops at them",
            do="Repair or remove them, or pass --skip-unreadable",
            count=len(given.unreadable),
            examples=[[name] for name, _ in given.unreadable[:5]],
        )
    ]
