# SPDX-License-Identifier: Apache-2.0
"""``edgecxr sweep``: seeds × settings → a bundle each, and what they show together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.terminal import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecxr.sweep.record import SweepResult
    from edgecxr.sweep.run import Workers
    from edgecxr.sweep.trial import Trial, TrialResult

WORKERS = "Workers"


def sweep(
    data: Annotated[Path, typer.Argument(help="A folder of images, or a CSV file.")],
    train_options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- TRAIN OPTIONS]",
            help="After --: options of `edgecxr train` for every trial.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder for the bundles and sweep.json.")
    ] = ...,  # type: ignore[assignment]
    seeds: Annotated[
        str, typer.Option(help="How many (5: the seeds 1 to 5), a list (3,7) or a range (2-4).")
    ] = "5",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE,…",
            help="An option of `edgecxr train` and its values. Repeatable: every combination.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        bool,
        typer.Option(
            "--test",
            help="At the end, evaluate the setting that is best on validation images on the test "
            "split, each of its bundles once.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Trials at once.",
            show_default="as many as the processors suffice for",
            rich_help_panel=WORKERS,
        ),
    ] = None,
    threads: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processor threads of one trial. The last bits of a model depend on it.",
            rich_help_panel=WORKERS,
        ),
    ] = 1,
    address: Annotated[
        str | None,
        typer.Option(
            help="Of a Ray cluster that runs, such as 10.0.0.5:6379. Its nodes need the data and "
            "the folder under the same paths.",
            show_default="this machine alone",
            rich_help_panel=WORKERS,
        ),
    ] = None,
    skip_unreadable: common.SkipOption = False,
    cache: common.CacheOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Train, quantize and validate with several seeds and settings, side by side.

    Ctrl-C stops it; the same command goes on where it stopped, and repeats nothing. A trial whose
    worker dies goes on from its last whole epoch. Settings are compared on validation images.
    """
    from edgecxr.sweep import plan
    from edgecxr.sweep.run import Workers

    reading = ["--skip-unreadable"] if skip_unreadable else []
    if cache is not None:
        reading += ["--cache", str(cache.resolve())]
    choices = [plan.Choice.parse(text) for text in settings or []]
    seed_list = plan.seed_list(seeds)
    trials = plan.trials(data.resolve(), seed_list, choices, train_options or [], reading, threads)
    result = _sweep(trials, out, Workers(workers, address), test)
    if as_json:
        common.print_json(result)
    else:
        from edgecxr.cli.sweep_view import report

        show(report(result, out))
    _fail_if_incomplete(result.results)


def _sweep(trials: Sequence[Trial], out: Path, workers: Workers, test: bool) -> SweepResult:
    from edgecxr.cli.sweep_view import watching
    from edgecxr.sweep.record import SweepResult, check_same_trials, only_sweep, summarise
    from edgecxr.sweep.record import write_record as write
    from edgecxr.sweep.run import run_trials

    with only_sweep(out):
        check_same_trials(out, trials)
        write(out, SweepResult(trials=tuple(trials)))
        with watching() as on_event:
            results = run_trials(trials, out, workers, on_event)
            result = summarise(trials, results)
            write(out, result)
            if test:
                chosen = [
                    trial.model_copy(update={"test": trial.setting == result.chosen})
                    for trial in trials
                ]
                result = summarise(chosen, run_trials(chosen, out, workers, on_event))
                write(out, result)
    return result


def _fail_if_incomplete(results: Sequence[TrialResult]) -> None:
    errors = [result.error for result in results if result.error]
    for sentence in errors:
        common.note(f"edgecxr: {sentence}")
    if errors:
        raise typer.Exit(1)
