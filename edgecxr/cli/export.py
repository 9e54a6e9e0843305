# SPDX-License-Identifier: Apache-2.0
"""``edgecxr export``: a bundle or a ``.tflite`` file → C or C++ sources."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from edgecxr.cli.common import (
    ForceOption,
    JsonOption,
    PrecisionName,
    print_json,
)
from edgecxr.cli.terminal import show
from edgecxr.core import table
from edgecxr.core.table import Table
from edgecxr.core.text import one_line
from edgecxr.deploy.build_eim import MACHINES
from edgecxr.export.formats import (
    DEFAULT_NAMESPACE,
    FORMATS,
    Export,
    Format,
    Settings,
    write_export,
)

if TYPE_CHECKING:
    from edgecxr.export.formats import Runtime
    from edgecxr.export.source import Precision, Source

RuntimeName = StrEnum(  # type: ignore[misc]
    "RuntimeName", {name: name for entry in FORMATS.values() for name in entry.runtimes}
)
MachineName = StrEnum("MachineName", {name: name for name in MACHINES})  # type: ignore[misc]
FormatName = StrEnum("FormatName", {name: name for name in FORMATS})  # type: ignore[misc]
_FORMAT_HELP = "; ".join(f"{name}: {entry.help}" for name, entry in FORMATS.items()) + "."


def export(
    model: Annotated[Path, typer.Argument(help="A bundle folder or a .tflite file.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="The folder to write, a file that ends in .zip, or an eim's file."
        ),
    ],
    format_name: Annotated[FormatName, typer.Option("--format", help=_FORMAT_HELP)],
    precision: Annotated[
        PrecisionName | None,
        typer.Option(help="Which of a bundle's models (default: int8).", show_default=False),
    ] = None,
    runtime: Annotated[
        RuntimeName | None,
        typer.Option(
            help="What runs the model. compiled: C for exactly this model (default); tflm: "
            "TensorFlow Lite Micro, which the platform of firmware, arduino and zephyr brings; "
            "litert: in an eim, Python with LiteRT, for any machine that has both.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="For a .tflite file: a text file with one label per line."),
    ] = None,
    arena: Annotated[
        int | None,
        typer.Option(min=1, help="TFLM's arena in bytes, instead of measuring it."),
    ] = None,
    machine: Annotated[
        MachineName | None,
        typer.Option(
            help="The kind of computer that a compiled eim runs on (default: this one).",
            show_default=False,
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option(help="C++ namespace, or prefix of C names, of the generated code.")
    ] = DEFAULT_NAMESPACE,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Check a model and write it as source code for a microcontroller, or as a program for Linux.

    The same model gives the same bytes. Nothing is written before everything is checked.
    """
    from edgecxr.cli.demo_images import demo_images
    from edgecxr.core.files import refuse_existing
    from edgecxr.export.source import open_source

    refuse_existing(out, force)
    chosen = FORMATS[format_name.value]
    _check(chosen, format_name.value, runtime, machine)
    wanted = cast("Precision | None", precision and precision.value)
    source = open_source(model, precision=wanted, labels=labels)
    demo = demo_images(source.input.shape) if chosen.application else ()
    runs = cast("Runtime", runtime.value if runtime else "compiled")
    settings = Settings(arena, namespace, runs, demo)
    result = chosen.render(source, settings)
    if chosen.program:
        from edgecxr.cli.export_program import finished, write_program

        result = finished(result, machine.value if machine else None, out)
        write_program(result, out)
    else:
        write_export(result, out, force=force)
    facts = _facts(source, result, format_name.value, out)
    print_json(facts) if json else _print(facts, result)


def _check(
    chosen: Format, name: str, runtime: RuntimeName | None, machine: MachineName | None
) -> None:
    """Refuse options that say nothing for a format."""
    from edgecxr.errors import UsageError

    if runtime is not None and runtime.value not in chosen.runtimes:
        known = f"has {' and '.join(chosen.runtimes)}" if chosen.runtimes else "has no choice of it"
        raise UsageError(f"--runtime is {runtime.value}, and --format {name} {known}; change one")
    native = chosen.program and runtime in (None, "compiled")
    if machine is not None and not native:
        raise UsageError(
            "--machine is for --format eim with --runtime compiled; what else is exported does "
            "not depend on the computer, so leave it out"
        )


def _facts(source: Source, result: Export, format_name: str, out: Path) -> dict[str, Any]:
    files = [{"path": name, "bytes": _size(content)} for name, content in result.files.items()]
    return {
        "format": format_name,
        "out": str(out),
        "model": source.name,
        "model_file": source.path.name,
        "model_bytes": source.graph.size,
        "model_sha256": source.graph.sha256,
        "precision": source.input.dtype,
        "synthetic_data": source.synthetic_data,
        "files": files,
        **result.facts,
    }


def _size(content: str | bytes) -> int:
    return len(content.encode() if isinstance(content, str) else content)


def _print(facts: dict[str, Any], result: Export) -> None:
    rows = [
        ("model", f"{facts['model']} ({facts['model_file']}), {facts['model_bytes']:,} bytes"),
        ("SHA-256", facts["model_sha256"]),
        *result.lines,
    ]
    if facts["synthetic_data"]:
        rows.append(("data", "synthetic: to try the tool, not for use"))
    width = max(len(what) for what, _ in rows) + 12
    files = [(file["path"], f"{file['bytes']:,}") for file in facts["files"]]
    lines = [f"  {path:<{width}}{size:>10} bytes" for path, size in files]
    written = Table(
        (facts["out"], "bytes"), files, plain="\n".join(map(one_line, [facts["out"], *lines]))
    )
    show([table.facts(rows), written, f"Next: {result.next_step}."])
