# SPDX-License-Identifier: Apache-2.0
"""What `edgecxr sweep` shows: a live table on a terminal, else lines; at the end the figures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecxr.cli import common
from edgecxr.core.table import Part, Table

if TYPE_CHECKING:
    from edgecxr.core.evidence import Evidence, PrecisionSpread, Spread
    from edgecxr.sweep.record import SweepResult
    from edgecxr.sweep.run import Event
    from edgecxr.sweep.trial import Progress, Trial

LINE_EVERY_S = 30.0


@contextmanager
def watching(trials: Sequence[Trial]) -> Iterator[Callable[[Event], None]]:
    """Yield what to call with each event."""
    if sys.stderr.isatty():
        with _table(trials) as on_event:
            yield on_event
    else:
        yield _Lines()


class _Lines:
    """What happens, when it happens; how far the trials are, now and then."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, event: Event) -> None:
        if event.text:
            common.note(_line(event))
        now = time.monotonic()
        if now - self.last >= LINE_EVERY_S:
            self.last = now
            common.note(_all(event.progress))


def _line(event: Event) -> str:
    return (
        event.text if event.text.startswith(f"{event.trial}: ") else f"{event.trial}: {event.text}"
    )


def _all(progress: Mapping[str, Progress]) -> str:
    done = sum(at.phase == "done" for at in progress.values())
    running = [f"{name} {_where(at)}" for name, at in progress.items() if at.phase == "training"]
    return "; ".join([f"{done} of {len(progress)} trials done", *running])


def _where(at: Progress) -> str:
    return f"{at.epoch}/{at.epochs}" if at.epochs else ""


@contextmanager
def _table(trials: Sequence[Trial]) -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    begun: dict[str, float] = {}
    with Live(console=console, auto_refresh=False) as live:

        def on_event(event: Event) -> None:
            if event.text and event.text not in ("started", "done"):
                console.print(_line(event), highlight=False, markup=False)
            for name, at in event.progress.items():
                if at.phase != "waiting":
                    begun.setdefault(name, time.monotonic())
            live.update(_rows(trials, event.progress), refresh=True)

        yield on_event


def _rows(trials: Sequence[Trial], progress: Mapping[str, Progress]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for header, side in (
        ("trial", "left"),
        ("", "left"),
        ("epoch", "right"),
        ("validation %", "right"),
    ):
        table.add_column(header, justify=side)  # type: ignore[arg-type]
    for trial in trials:
        at = progress[trial.name]
        accuracy = at.validation_accuracy
        table.add_row(
            trial.name,
            at.phase,
            _where(at),
            "" if accuracy is None else f"{100 * accuracy:.1f}",
        )
    return table


def report(result: SweepResult, out: Path) -> list[Part]:
    """The settings with their figures over the seeds, best first."""
    files = f"Bundles, logs and sweep.json are in {out}."
    if not result.summary:
        return [files]
    parts: list[Part] = [_settings_table(result, "validation")]
    if any(one.test for one in result.summary):
        parts.append(_settings_table(result, "test"))
    parts.append(
        "Mean over seeds ± standard deviation (95 % t-interval of the mean). int8 and float32\n"
        "of one seed are a pair. Last column: the 95 % interval of their difference of accuracy,\n"
        "over images."
    )
    return [*parts, files]


def _settings_table(result: SweepResult, split: str) -> Table:
    rows = []
    for one in result.summary:
        found: Evidence | None = getattr(one, split)
        if found is not None:
            first = [one.setting, str(found.seeds)]
            rows.append([*first, "float32", *_cells(found.float32, ""), ""])
            rows.append(["", "", "int8", *_cells(found.int8, ""), ""])
            low, high = (f"{100 * end:+.1f}" for end in found.over_images_ci95)
            over_images = f"{low} to {high}"
            rows.append(["", "", "int8 − float32", *_cells(found.difference, "+"), over_images])
    headers = [split, "seeds", "", "accuracy %", "balanced accuracy %", "AUC", "over images"]
    return Table(headers, rows, text=3)


def _cells(figures: PrecisionSpread, sign: str) -> list[str]:
    return [
        _cell(figures.accuracy, 100, f"{sign}.1f"),
        _cell(figures.balanced_accuracy, 100, f"{sign}.1f"),
        _cell(figures.auc, 1, f"{sign}.3f"),
    ]


def _cell(spread: Spread | None, scale: int, style: str) -> str:
    if spread is None:
        return "–"
    mean = f"{scale * spread.mean:{style}}"
    if spread.sd is None or spread.ci95 is None:
        return mean
    low, high = (f"{scale * end:{style}}" for end in spread.ci95)
    return f"{mean} ± {scale * spread.sd:{style.lstrip('+')}} ({low} to {high})"
