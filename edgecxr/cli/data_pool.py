# SPDX-License-Identifier: Apache-2.0
"""``edgecxr data pool``: a training set out of several sets, without what a target set has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.terminal import show
from edgecxr.core.table import Part, Table
from edgecxr.core.text import one_line

if TYPE_CHECKING:
    from edgecxr.data.pool import PoolReport


def pool(
    sources: Annotated[
        list[Path], typer.Argument(help="Folders or CSV files to take images from.")
    ],
    away_from: Annotated[
        list[Path],
        typer.Option(
            "--away-from",
            help="A set that the pool must share nothing with: no file, no near-duplicate, no "
            "patient. May be given several times.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="CSV file to write. It names images by their paths from its own folder: write it "
            "where it is to stay, or move it together with them.",
        ),
    ],
    splits: Annotated[
        str,
        typer.Option("--away-from-splits", help="Which splits of it count, with commas between."),
    ] = "test,val,train",
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="GLOB=LABEL",
            help="The class of images whose path ends so (* also stands for /); GLOB= leaves them "
            "out. The first rule that matches counts; else the class is the source's.",
            show_default=False,
        ),
    ] = None,
    patients: common.PatientsOption = None,
    force: common.ForceOption = False,
    cache: common.CacheOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """One CSV file of images from several sets, for pre-training without leaks.

    Duplicates within the pool are left out too; where their labels differ, all of them are.
    """
    from edgecxr.core.files import refuse_existing
    from edgecxr.data.cache import default_cache_dir
    from edgecxr.data.layout import split_name
    from edgecxr.data.pool import LabelRule, Request, write_pool
    from edgecxr.errors import UsageError

    if out.suffix.lower() != ".csv":
        raise UsageError(f"--out must be a .csv file, found {out}")
    refuse_existing(out, force)
    chosen = tuple(split_name(text) or "" for text in splits.split(","))
    if "" in chosen:
        raise UsageError(f"--away-from-splits must list train, val or test, found '{splits}'")
    request = Request(
        sources, away_from, chosen, [LabelRule.parse(text) for text in label or ()], patients
    )
    report = write_pool(request, out, cache or default_cache_dir(), progress=common.progress_bar)
    if as_json:
        common.print_json(report)
    else:
        show(_parts(report))


def _parts(report: PoolReport) -> list[Part]:
    counts = [*report.labels.items(), ("all images", report.images)]
    parts: list[Part] = [
        one_line(
            f"{report.out}: {report.images} images of {report.patients} patients, away from "
            f"{report.target_images} images of {', '.join(report.away_from)}."
        ),
        Table(["class", "images"], [[label, str(count)] for label, count in counts]),
    ]
    if report.left_out:
        width = max(len(str(count)) for count in report.left_out.values())
        rows = [f"{count:>{width}}  {reason}" for reason, count in report.left_out.items()]
        parts.append("\n".join(["Left out (--json lists them):", *map(one_line, rows)]))
    return parts
