# SPDX-License-Identifier: Apache-2.0
"""``edgecxr bench``: a bundle → measured figures, int8 beside float32."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common

if TYPE_CHECKING:
    from edgecxr.bench.host import Pictures
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.interpreter import Precision
    from edgecxr.core.result import BenchResult, BenchRow, DataInfo, Host
    from edgecxr.data.load import Reading


class PrecisionName(StrEnum):
    int8 = "int8"
    float32 = "float32"


DATA = "Data"
MEASURING = "Measuring"


def bench(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle folder.")],
    device: Annotated[
        list[str] | None,
        typer.Option(help="Where to measure: host. Repeatable.", show_default="host"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Images for the accuracy: a folder or a CSV file. Without it, only the latency "
            "is measured, on random pixels.",
            rich_help_panel=DATA,
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Which split of them.", rich_help_panel=DATA)] = "test",
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Use so many images, evenly spaced over the split.",
            rich_help_panel=DATA,
        ),
    ] = None,
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            help="litert, litert-reference, tflm, compiled or tflite-runtime. Repeatable.",
            show_default="all that are installed",
            rich_help_panel=MEASURING,
        ),
    ] = None,
    precision: Annotated[
        list[PrecisionName] | None,
        typer.Option(
            help="Which files. Repeatable.", show_default="both", rich_help_panel=MEASURING
        ),
    ] = None,
    runs: Annotated[
        int, typer.Option(min=1, help="Timed inferences.", rich_help_panel=MEASURING)
    ] = 200,
    warmup: Annotated[
        int, typer.Option(min=0, help="Inferences before them.", rich_help_panel=MEASURING)
    ] = 20,
    threads: Annotated[
        int,
        typer.Option(min=1, help="Threads, where the runtime has any.", rich_help_panel=MEASURING),
    ] = 1,
    skip_unreadable: common.SkipOption = False,
    cache: common.CacheOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a GitHub table.")] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Measure accuracy, latency and memory of the int8 and the float32 model.

    Each runtime and precision runs in a process of its own. Latency is that of a single inference:
    the copy of one prepared image into the model and the run, without decoding the image or
    reading the scores.
    """
    from edgecxr.bench.host import Settings, run
    from edgecxr.bench.machine import describe_host
    from edgecxr.bench.runtimes import choose
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.result import bench_table
    from edgecxr.errors import MissingPackageError, UsageError

    if as_json and markdown:
        raise UsageError("expected --json or --markdown, found both; choose one")
    _only_host(device or ["host"])
    runtimes = choose(runtime or [])
    bundle = Bundle.open(model)
    wanted = dict.fromkeys(precision or PrecisionName)
    models: dict[Precision, Path] = {name.value: bundle.path(name.value) for name in wanted}
    pictures, info = None, None
    if data is not None:
        reading = common.reading(cache, None, skip_unreadable)
        pictures, info = _load(bundle, data, split, limit, reading)
    host = describe_host()
    settings = Settings(runs, warmup, threads)
    rows, missing = run(models, runtimes, pictures, settings, progress=common.progress_bar)
    if not rows:
        raise MissingPackageError("; ".join(missing))
    for sentence in missing:
        common.note(f"edgecxr: {sentence}")
    result = _result(bundle, host, info, rows)
    if as_json:
        common.print_json(result)
    else:
        typer.echo(bench_table(result, markdown=markdown))
    _fail_if_incomplete(rows, missing if runtime else [])


def _only_host(devices: list[str]) -> None:
    from edgecxr.errors import DeviceError

    for name in devices:
        if name != "host":
            raise DeviceError(
                f"expected the device host, found {name!r}; this version measures on the host only"
            )


def _load(
    bundle: Bundle, data: Path, split: str, limit: int | None, reading: Reading
) -> tuple[Pictures, DataInfo]:
    import numpy as np

    from edgecxr.bench.host import Pictures
    from edgecxr.cli.images import load_for
    from edgecxr.core.result import DataInfo

    source = load_for(bundle, data, split, reading)
    loaded = source.data
    total = len(loaded.labels)
    count = min(limit or total, total)
    # Samples come class by class, so the first N would be of one class.
    chosen = np.linspace(0, total, count, endpoint=False).astype(int)
    info = DataInfo(
        source=data.name,
        split=split,
        images=count,
        images_in_split=total,
        skipped_unreadable=len(loaded.skipped),
        fingerprint=source.fingerprint,
        synthetic=loaded.dataset.synthetic,
    )
    return Pictures(loaded.images[chosen], loaded.labels[chosen]), info


def _result(bundle: Bundle, host: Host, info: DataInfo | None, rows: list[BenchRow]) -> BenchResult:
    from edgecxr import __version__
    from edgecxr.bench.host import notes
    from edgecxr.core.result import BenchResult

    return BenchResult(
        model=bundle.manifest.name,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        edgecxr=__version__,
        trained_on_synthetic_data=bundle.manifest.synthetic_data,
        data=info,
        host=host,
        notes=notes(rows),
        rows=tuple(rows),
    )


def _fail_if_incomplete(rows: list[BenchRow], missing: list[str]) -> None:
    """After everything that could be measured is printed.

    A runtime that is missing counts only if it was asked for by name.
    """
    errors = [row.error for row in rows if row.error]
    for sentence in errors:
        common.note(f"edgecxr: {sentence}")
    if errors or missing:
        raise typer.Exit(1)
