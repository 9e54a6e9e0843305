# SPDX-License-Identifier: Apache-2.0
"""What every command shares: where output goes, progress, and the options that recur."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecxr.core.quiet import native_output_hidden
from edgecxr.core.text import lines, one_line

if TYPE_CHECKING:
    from pydantic import BaseModel

    from edgecxr.data.load import Reading

LINE_EVERY_S = 5.0


@dataclass
class Settings:
    verbose: bool = False


settings = Settings()


class PrecisionName(StrEnum):
    int8 = "int8"
    float32 = "float32"


class RuntimeName(StrEnum):
    compiled = "compiled"
    tflm = "tflm"


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        envvar="EDGECXR_CACHE",
        help="Folder for decoded images (default: the user's cache folder).",
        show_default=False,
    ),
]
SkipOption = Annotated[
    bool,
    typer.Option("--skip-unreadable", help="Leave unreadable images out, and count them."),
]
PortOption = Annotated[
    str | None,
    typer.Option(
        "--port",
        envvar="EDGECXR_PORT",
        help="The serial port that --device serial means; without --device, the device.",
        show_default=False,
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout",
        min=1,
        help="Seconds for one image on a device, with its inference, until it counts as lost.",
    ),
]
PatientsOption = Annotated[
    str | None,
    typer.Option(
        "--patients",
        help="Regular expression whose first group is the patient in a file's name (default: the "
        "CSV's column patient, or the names of Kermany's set).",
        show_default=False,
    ),
]


def reading(cache: Path | None, patients: str | None, skip_unreadable: bool) -> Reading:
    """How images are read, from the options above, with progress on stderr."""

    from edgecxr.data.load import Reading

    return Reading(cache, patients, skip_unreadable, progress_bar)


def print_json(value: Any) -> None:
    """One JSON object on stdout; pydantic models are turned into their JSON form."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def print_json_line(value: BaseModel) -> None:
    """One JSON object on one line of stdout."""
    typer.echo(json.dumps(value.model_dump(mode="json"), allow_nan=False))


def note(text: str) -> None:
    """One line for the person, on stderr; safe for a terminal, whatever names are in it."""
    typer.echo(one_line(text), err=True)


def say(text: str = "") -> None:
    """Lines for the person, on stdout; safe for a terminal. Names in them that strangers gave go
    through :func:`one_line` first: their line breaks are not ours."""
    typer.echo(lines(text))


def note_skipped(names: Sequence[str]) -> None:
    """Say how many images --skip-unreadable left out, so that no figure hides it."""
    if names:
        note(f"Note: unreadable images left out: {len(names)}, such as {names[0]}.")


def quiet() -> AbstractContextManager[object]:
    """Keep native libraries off the terminal, unless --verbose asks for all.

    Enter it before a progress bar: the bar keeps the streams that it finds.
    """
    return nullcontext() if settings.verbose else native_output_hidden()


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(n)``. A bar when stderr is a terminal, else a line every few seconds."""
    if sys.stderr.isatty():
        with _bar(description, total) as advance:
            yield advance
    else:
        with _lines(description, total) as advance:
            yield advance


@contextmanager
def _bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(one_line(description), total=total)
        yield lambda n: progress.advance(task, n)


def duration(seconds: float) -> str:
    """In words, as coarse as an estimate is."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


@contextmanager
def _lines(description: str, total: int) -> Iterator[Callable[[int], None]]:
    done = 0
    begin = last = time.monotonic()

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= LINE_EVERY_S and done < total:
            last = time.monotonic()
            left = (last - begin) / done * (total - done)
            note(f"{description}: {done} of {total}, {duration(left)} left")

    yield advance
    if done:
        note(f"{description}: {done} of {total}, done")
