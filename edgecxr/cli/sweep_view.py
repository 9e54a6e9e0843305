# SPDX-License-Identifier: Apache-2.0
"""What `edgecxr sweep` shows: a live table on a terminal, else lines; at the end the figures."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgecxr.cli import common
from edgecxr.core.table import Part, Table
from edgecxr.core.text import one_line

if TYPE_CHECKING:
    from edgecxr.core.evidence import Evidence, PrecisionSpread, Spread
    from edgecxr.sweep.record import SweepResult
    from edgecxr.sweep.run import Event
    from edgecxr.sweep.trial import Progress

LINE_EVERY_S = 30.0

_AT_WORK: Final = ("training", "quantizing", "evaluating")
_ENDED: Final = ("done", "failed")
_NEED: Final = (*_AT_WORK, "failed", "waiting", "done")
_STYLES: Final = {"waiting": "dim", "failed": "red", "done": "green"}
_ENOUGH_TO_TELL: Final = 0.05  # of one trial


@contextmanager
def watching() -> Iterator[Callable[[Event], None]]:
    """Yield what to call with each event."""
    if sys.stderr.isatty():
        with _table() as on_event:
            yield on_event
    else:
        yield _Lines()


class _Lines:
    """What happens, when it happens; how far the trials are, now and then."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.left = _TimeLeft()

    def __call__(self, event: Event) -> None:
        if event.text:
            common.note(_line(event))
        left = self.left(event.progress)
        now = time.monotonic()
        if now - self.last >= LINE_EVERY_S:
            self.last = now
            running = [
                f"{name} {_where(at) or at.phase}"
                for name, at in event.progress.items()
                if at.phase in _AT_WORK
            ]
            common.note("; ".join([_count(event.progress) + left, *running]))


def _line(event: Event) -> str:
    return (
        event.text if event.text.startswith(f"{event.trial}: ") else f"{event.trial}: {event.text}"
    )


def _count(progress: Mapping[str, Progress]) -> str:
    ended = {phase: sum(at.phase == phase for at in progress.values()) for phase in _ENDED}
    failed = f", {ended['failed']} failed" if ended["failed"] else ""
    return f"{ended['done']} of {len(progress)} trials done{failed}"


def _where(at: Progress) -> str:
    return f"{at.epoch}/{at.epochs}" if at.epochs else ""


class _TimeLeft:
    """From the share of all epochs that were done since the first look: ", 5 min left" or ""."""

    def __init__(self) -> None:
        self.begin: tuple[float, float] | None = None

    def __call__(self, progress: Mapping[str, Progress]) -> str:
        going = [at for at in progress.values() if at.phase != "failed"]
        done = sum(map(_share, going))
        now = time.monotonic()
        if self.begin is None:
            self.begin = now, done
        then, at_first = self.begin
        if done - at_first < _ENOUGH_TO_TELL or done == len(going):
            return ""
        seconds = (now - then) / (done - at_first) * (len(going) - done)
        return f", {common.duration(seconds)} left"


def _share(at: Progress) -> float:
    if at.phase in ("waiting", "training"):
        return at.epoch / at.epochs if at.epochs else 0.0
    return 1.0


@contextmanager
def _table() -> Iterator[Callable[[Event], None]]:
    from rich.console import Console, Group
    from rich.live import Live

    console = Console(stderr=True)
    left = _TimeLeft()
    with Live(console=console, auto_refresh=False) as live:

        def on_event(event: Event) -> None:
            if event.text and event.text not in ("started", "done"):
                console.print(one_line(_line(event)), highlight=False, markup=False)
            head = _count(event.progress) + left(event.progress)
            shown = _rows(event.progress, room=max(1, console.height - 4))
            live.update(Group(head, shown), refresh=True)

        yield on_event


def _rows(progress: Mapping[str, Progress], room: int) -> Any:
    """A row for each trial; where there is no room for all, those that are at work come first, and
    the rest is counted."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("trial", overflow="fold")
    for header, side in (("", "left"), ("epoch", "right"), ("validation %", "right")):
        table.add_column(header, justify=side, no_wrap=True)  # type: ignore[arg-type]
    by_need = sorted(progress, key=lambda name: _NEED.index(progress[name].phase))
    chosen = set(by_need[: room if len(progress) <= room else room - 1])
    for name, at in progress.items():
        if name in chosen:
            accuracy = at.validation_accuracy
            percent = "" if accuracy is None else f"{100 * accuracy:.1f}"
            table.add_row(name, at.phase, _where(at), percent, style=_STYLES.get(at.phase))
    hidden = Counter(at.phase for name, at in progress.items() if name not in chosen)
    if hidden:
        table.add_row("and " + ", ".join(f"{count} {phase}" for phase, count in hidden.items()))
    return table


def report(result: SweepResult, out: Path) -> list[Part]:
    """The settings with their figures over the seeds, best first."""
    files = one_line(f"Bundles, logs and sweep.json are in {out}.")
    if not result.summary:
        return [files]
    parts: list[Part] = [_settings_table(result, "validation")]
    if any(one.test for one in result.summary):
        parts.append(_settings_table(result, "test"))
    parts.append(
        "Mean over seeds ± standard deviation (95 % t-interval of the mean). int8 and\n"
        "float32 of one seed are a pair. Last column: the 95 % interval of their\n"
        "difference of accuracy, over images."
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
