# SPDX-License-Identifier: Apache-2.0
"""``edgecxr data audit``: what is wrong with sets of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.terminal import show
from edgecxr.core.table import Part, Table
from edgecxr.core.text import one_line

if TYPE_CHECKING:
    from edgecxr.data.audit.finding import AuditReport, Finding, SetSummary


def audit(
    sources: Annotated[
        list[Path], typer.Argument(help="Folders or CSV files; several are compared too.")
    ],
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit code 6 if a finding of high severity is there."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the JSON, with every pair, to this file too."),
    ] = None,
    patients: Annotated[
        str | None,
        typer.Option(
            help="Regular expression whose first group is the patient in a file's name (default: "
            "the CSV's column patient; else what names begin with, as a guess).",
            show_default=False,
        ),
    ] = None,
    force: common.ForceOption = False,
    cache: common.CacheOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Leaks, copies, wrong labels and shortcuts in sets of images, the worst first.

    Finds images that show the same within and across splits and sets, labels that contradict each
    other, patients on two sides, and whether the class can be told without the lungs: from size,
    format, brightness, frames, burnt-in marks, from the borders only, from the image with the lungs
    blacked out. Changes nothing.
    """
    from edgecxr.core.files import refuse_existing, write_atomic
    from edgecxr.data.audit.run import audit as run
    from edgecxr.data.cache import default_cache_dir
    from edgecxr.errors import GateError

    if out:
        refuse_existing(out, force)
    report = run(
        sources, cache or default_cache_dir(), patients=patients, progress=common.progress_bar
    )
    if out:
        write_atomic(out, report.model_dump_json(indent=2) + "\n")
    if as_json:
        common.print_json(report)
    else:
        show(_parts(report))
    high = sum(finding.severity == "high" for finding in report.findings)
    if strict and high:
        common.note(
            f"edgecxr: --strict allows no finding of high severity, found {high}; "
            "do what they say, or leave the set"
        )
        raise typer.Exit(GateError.exit_code)


def _parts(report: AuditReport) -> list[Part]:
    parts: list[Part] = [_about(each) for each in report.sets]
    parts += [_finding(i, finding) for i, finding in enumerate(report.findings, 1)]
    if not report.findings:
        parts.append("Nothing was found. That does not prove that nothing is wrong.")
    parts.append(_told(report.sets))
    parts.append(
        "Balanced accuracy in %, out of fold, with the 95 % interval. A small probe tells less "
        "than a network would. Images count as the same above a correlation of "
        f"{report.threshold:.2f} of their fine detail."
    )
    return parts


def _about(each: SetSummary) -> str:
    splits = ", ".join(f"{name} {count}" for name, count in each.splits.items())
    labels = ", ".join(f"{name} {count}" for name, count in each.labels.items())
    note = " SYNTHETIC." if each.synthetic else ""
    return one_line(f"{each.name}: {each.images} images ({splits}; {labels}).{note}")


def _finding(number: int, finding: Finding) -> str:
    sets = ", ".join(finding.sets)
    lines = [
        f"{number}. {finding.severity.upper()} {finding.kind} [{sets}]",
        f"   {finding.what}.",
        f"   Why: {finding.why}.",
        f"   Do: {finding.do}.",
    ]
    lines += [f"   - {' = '.join(names)}" for names in finding.examples[:3]]
    return "\n".join(map(one_line, lines))


def _told(sets: list[SetSummary]) -> Table:
    rows = []
    for name in sets[0].told:
        cells = [each.told.get(name) for each in sets]
        rows.append(
            [
                name,
                *(
                    "-"
                    if cell is None
                    else f"{100 * cell.balanced_accuracy:.0f} "
                    f"({100 * cell.ci95[0]:.0f}–{100 * cell.ci95[1]:.0f})"
                    for cell in cells
                ),
            ]
        )
    chances = [[told.chance for told in each.told.values() if told] for each in sets]
    rows.append(["chance", *(f"{100 * found[0]:.0f}" if found else "-" for found in chances)])
    return Table(["class told from", *(each.name for each in sets)], rows, flush_left=True)
