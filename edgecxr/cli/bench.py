# SPDX-License-Identifier: Apache-2.0
"""``edgecxr bench``: a bundle → measured figures, int8 beside float32."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common, complete
from edgecxr.cli.common import PrecisionName
from edgecxr.cli.terminal import show

if TYPE_CHECKING:
    from edgecxr.bench.host import Pictures, Settings
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.interpreter import Precision
    from edgecxr.core.result import BenchResult, BenchRow, DataInfo, Host
    from edgecxr.data.load import Reading


DATA = "Data"
MEASURING = "Measuring"
HOST = "host"


def bench(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle folder.")],
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="Where to measure: host, serial (the one board that is attached), a serial port, "
            "a URL such as socket://localhost:5000, unix:PATH, emulator:BOARD, ssh:USER@HOST, or "
            "an .eim file. Repeatable.",
            show_default="host",
            autocompletion=complete.device,
        ),
    ] = None,
    port: common.PortOption = None,
    ssh: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USER@HOST",
            help="Measure on that machine, such as a Raspberry Pi; the same as --device "
            "ssh:USER@HOST. Repeatable.",
        ),
    ] = None,
    ssh_python: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="The Python there; a relative path starts in the home folder, such as "
            "venv/bin/python.",
            show_default="the newest of python3.11 to 3.13 on its PATH",
        ),
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
            help="On the host: litert, litert-reference, tflm, compiled or tflite-runtime. "
            "Repeatable.",
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
        int, typer.Option(min=1, help="Timed inferences on the host.", rich_help_panel=MEASURING)
    ] = 200,
    warmup: Annotated[
        int, typer.Option(min=0, help="Inferences before them.", rich_help_panel=MEASURING)
    ] = 20,
    threads: Annotated[
        int,
        typer.Option(min=1, help="Threads, where the runtime has any.", rich_help_panel=MEASURING),
    ] = 1,
    timeout: common.TimeoutOption = 10.0,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Measure all images on a device, also those that an interrupted run has done.",
            rich_help_panel=MEASURING,
        ),
    ] = False,
    skip_unreadable: common.SkipOption = False,
    cache: common.CacheOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a GitHub table.")] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Measure accuracy, latency and memory of the int8 and the float32 model.

    On the host, each runtime and precision runs in a process of its own. Latency is that of a
    single inference: the copy of one prepared image into the model and the run, without decoding
    the image or reading the scores.

    A device gets every image over its wire, and every score is compared with this host's. A run
    that was interrupted goes on where it stopped. emulator:BOARD builds the firmware of the
    bundle and runs it in QEMU. An .eim, anyone's for the same classes, is driven through Edge
    Impulse's SDK.

    A machine that --ssh names runs what the host runs, and needs only a Python with an interpreter:
    this program, the models and the images are copied there, and removed at the end.
    """
    from edgecxr.bench.host import Settings
    from edgecxr.bench.machine import describe_host, read_state, with_end
    from edgecxr.cli.devices import SSH, Wish, measure, resolve
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.result import bench_parts
    from edgecxr.errors import UsageError

    if as_json and markdown:
        raise UsageError("expected --json or --markdown, found both; choose one")
    over_ssh = [f"{SSH}{name}" for name in ssh or []]
    names = resolve([*(device or []), *over_ssh] or None, port)
    bundle = Bundle.open(model)
    asked: list[Precision] = [name.value for name in dict.fromkeys(precision or PrecisionName)]
    imported = bundle.manifest.imported is not None
    wanted = list(bundle.precisions) if imported and not precision else asked
    pictures, info = None, None
    if data is not None:
        reading = common.reading(cache, None, skip_unreadable)
        pictures, info = _load(bundle, data, split, limit, reading)
    host = describe_host()
    rows: dict[str, list[BenchRow]] = {name: [] for name in names}
    missing: list[str] = []
    wrong: list[str] = []
    settings = Settings(runs, warmup, threads)
    wish = Wish(
        bundle=bundle,
        precisions=wanted,
        asked=precision is not None,
        pictures=pictures,
        cache=cache,
        timeout_s=timeout,
        fresh=fresh,
        runtimes=runtime or [],
        settings=settings,
        python=ssh_python,
    )
    # Boards first: an unplugged one is found before the host has worked for a minute.
    for name in sorted(names, key=HOST.__eq__):
        if name == HOST:
            rows[name], missing = _on_host(bundle, wanted, runtime, pictures, settings)
        else:
            rows[name], sentences = measure(name, wish)
            wrong += sentences
    host = with_end(host, read_state())
    result = _result(bundle, host, wish.machines, info, rows)
    if as_json:
        common.print_json(result)
    else:
        show(bench_parts(result, markdown=markdown), markdown=markdown)
    _fail_if_incomplete(result.rows, [*missing, *wish.missing] if runtime else [])
    _fail_if_wrong(wrong)


def _on_host(
    bundle: Bundle,
    wanted: list[Precision],
    runtime: list[str] | None,
    pictures: Pictures | None,
    settings: Settings,
) -> tuple[list[BenchRow], list[str]]:
    from edgecxr.bench.host import run
    from edgecxr.bench.runtimes import choose
    from edgecxr.errors import MissingPackageError

    models = {precision: bundle.path(precision) for precision in wanted}
    rows, missing = run(
        models, choose(runtime or []), pictures, settings, progress=common.progress_bar
    )
    if not rows:
        raise MissingPackageError("; ".join(missing))
    for sentence in missing:
        common.note(f"edgecxr: {sentence}")
    return rows, missing


def _load(
    bundle: Bundle, data: Path, split: str, limit: int | None, reading: Reading
) -> tuple[Pictures, DataInfo]:
    import numpy as np

    from edgecxr.bench.host import Pictures
    from edgecxr.cli.images import count_read, load_for
    from edgecxr.core.result import DataInfo

    source = load_for(bundle, data, split, reading)
    count_read(bundle, split, source.fingerprint)
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


def _result(
    bundle: Bundle,
    host: Host,
    machines: dict[str, Host],
    info: DataInfo | None,
    rows: dict[str, list[BenchRow]],
) -> BenchResult:
    from edgecxr import __version__
    from edgecxr.bench.host import notes
    from edgecxr.bench.on_device import device_notes
    from edgecxr.bench.over_ssh import ssh_notes
    from edgecxr.bench.run_eim import eim_notes
    from edgecxr.cli.devices import EIM
    from edgecxr.core.result import BenchResult

    ran = [row for name in rows if name == HOST or name in machines for row in rows[name]]
    remote = [row for name in machines for row in rows[name]]
    eims = [name for name in rows if name.endswith(EIM)]
    others = {HOST, *machines, *eims}
    boards = [row for name in rows if name not in others for row in rows[name]]
    return BenchResult(
        model=bundle.manifest.name,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        edgecxr=__version__,
        trained_on_synthetic_data=bundle.manifest.synthetic_data,
        data=info,
        host=host,
        machines=machines,
        notes=(
            *(notes(ran) if ran else ()),
            *ssh_notes(remote),
            *device_notes(boards),
            *(eim_notes() if eims else ()),
        ),
        rows=tuple(row for name in rows for row in rows[name]),
    )


def _fail_if_incomplete(rows: Sequence[BenchRow], missing: Sequence[str]) -> None:
    """After everything that could be measured is printed.

    A runtime that is missing counts only if it was asked for by name.
    """
    errors = [row.error for row in rows if row.error]
    for sentence in errors:
        common.note(f"edgecxr: {sentence}")
    if errors or missing:
        raise typer.Exit(1)


def _fail_if_wrong(sentences: list[str]) -> None:
    """After the table, so that the user sees how wrong."""
    from edgecxr.errors import VerificationError

    for sentence in sentences:
        common.note(f"edgecxr: {sentence}")
    if sentences:
        raise typer.Exit(VerificationError.exit_code)
