# SPDX-License-Identifier: Apache-2.0
"""``edgecxr reproduce``: a paper's experiment by its recipe, and its figure beside ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.terminal import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgecxr.recipes.recipe import Recipe, Setting
    from edgecxr.recipes.rows import Row
    from edgecxr.recipes.source import Source
    from edgecxr.sweep.run import Workers
    from edgecxr.sweep.trial import Trial, TrialResult

RUNNING = "Running"
RESULTS = "Results"


def reproduce(
    names: Annotated[
        list[str] | None, typer.Argument(help="Recipes; see --list.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show the recipes and stop.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every recipe.")] = False,
    data_root: Annotated[
        Path | None,
        typer.Option(
            "--data-root",
            envvar="EDGECXR_DATA",
            help="The folder that holds the public sets, laid out as --list says.",
            show_default=False,
        ),
    ] = None,
    reduced: Annotated[
        bool,
        typer.Option(
            "--reduced",
            help="The smaller setting of a recipe, where it has one; the result says so.",
        ),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="On a few phantoms, one epoch: does the recipe run at all?"),
    ] = False,
    seeds: Annotated[int, typer.Option(help="The seeds 1 to N.", min=1)] = 1,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where bundles and lists of images go.")
    ] = Path("runs/papers"),
    workers: Annotated[
        int, typer.Option(min=1, help="Models at once.", rich_help_panel=RUNNING)
    ] = 1,
    address: Annotated[
        str | None,
        typer.Option(
            help="Of a Ray cluster that runs; see `edgecxr sweep`.",
            show_default="this machine alone",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    cache: common.CacheOption = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="The JSON file that gets the rows; rows of other recipes in it stay.",
            show_default="OUT/papers.json",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            help="A Markdown file to make of all rows in it.",
            show_default=False,
            rich_help_panel=RESULTS,
        ),
    ] = None,
    as_json: common.JsonOption = False,
) -> None:
    """Repeat the experiments of papers: train, quantize, and evaluate on the test split, once.

    A recipe is a TOML file that names its paper, its images, its settings and the paper's figure.
    Ctrl-C stops it; the same command goes on where it stopped. What differs from the paper's
    experiment is part of every result.
    """
    from edgecxr.recipes import recipe as recipes
    from edgecxr.sweep.run import Workers

    if show:
        _show([recipes.find(name) for name in names or recipes.names()], as_json)
        return
    wanted = _wanted(reduced, quick)
    chosen = [recipes.find(name) for name in _chosen(names or [], everything)]
    for one in chosen:
        check_options(one)
    work = out.resolve()
    work.mkdir(parents=True, exist_ok=True)
    runs = [_run_of(one, wanted, data_root, work, range(1, seeds + 1), cache) for one in chosen]
    for run in runs:
        _check_same(run, work)
    at_once = Workers(workers, address)
    done = _do([run.pool for run in runs if run.pool], work, at_once)
    ready = [run for run in runs if run.started(done)]
    done |= _do([trial for run in ready for trial in run.trials], work, at_once)
    rows = [
        _row(run, [done[trial.name] for trial in run.trials], work)
        for run in ready
        if run.whole(done)
    ]
    _report(rows, results or work / "papers.json", page, as_json)
    if any(result.error for result in done.values()):
        raise typer.Exit(1)


def _wanted(reduced: bool, quick: bool) -> Setting:
    from edgecxr.errors import UsageError

    if reduced and quick:
        raise UsageError("--reduced and --quick are two settings; give one of them")
    return "quick" if quick else "reduced" if reduced else "full"


def _chosen(names: Sequence[str], everything: bool) -> Sequence[str]:
    from edgecxr.errors import UsageError
    from edgecxr.recipes import recipe as recipes

    if bool(names) == everything:
        raise UsageError("expected names of recipes or --all, found neither or both; see --list")
    return recipes.names() if everything else list(dict.fromkeys(names))


def check_options(recipe: Recipe) -> None:
    """Refuse a recipe with an option that its command does not have.

    Raises:
        DataError: naming the first one.
    """
    from edgecxr.cli.main import app
    from edgecxr.errors import DataError

    commands = typer.main.get_group(app).commands
    smaller = recipe.reduced.train if recipe.reduced else {}
    first = recipe.pool.train if recipe.pool else {}
    all_of_train = {**recipe.train, **smaller, **first}
    for command, options in (("train", all_of_train), ("quantize", recipe.quantize)):
        known = {name for parameter in commands[command].params for name in parameter.opts}
        for name in options:
            if f"--{name}" not in known:
                raise DataError(
                    f"[{command}] of recipe {recipe.name} has {name!r}, and `edgecxr {command}` "
                    f"has no option --{name}; `edgecxr {command} --help` lists them"
                )


@dataclass(frozen=True)
class Run:
    """One recipe in one setting: its images, what comes first, and a trial for each seed."""

    recipe: Recipe
    setting: Setting
    source: Source
    pool: Trial | None
    trials: tuple[Trial, ...]

    def started(self, done: Mapping[str, TrialResult]) -> bool:
        """Whether the seeds have what they start from."""
        return self.pool is None or not done[self.pool.name].error

    def whole(self, done: Mapping[str, TrialResult]) -> bool:
        return all(each.name in done and not done[each.name].error for each in self.trials)


def _run_of(
    recipe: Recipe,
    wanted: Setting,
    data_root: Path | None,
    work: Path,
    seeds: range,
    cache: Path | None,
) -> Run:
    """``wanted``: a recipe without a reduced setting is run in full instead."""
    from edgecxr.recipes.recipe import arguments
    from edgecxr.sweep.trial import Trial

    setting: Setting = "full" if wanted == "reduced" and not recipe.reduced else wanted
    name = recipe.name if setting == "full" else f"{recipe.name}-{setting}"
    source = _source(recipe, setting, data_root, work, work / "images" / name, cache)
    pool = _pool_trial(recipe, name, source, data_root, cache) if setting != "quick" else None
    start = ("--init", str(work / pool.name)) if pool else ()
    trials = tuple(
        Trial(
            name=f"{name}-seed-{seed}",
            setting=name,
            seed=seed,
            data=source.path,
            train=(*arguments(recipe.options(setting)), *start),
            quantize=arguments(recipe.quantize),
            reading=_reading(cache),
            test=True,
        )
        for seed in seeds
    )
    return Run(recipe, setting, source, pool, trials)


def _reading(cache: Path | None) -> tuple[str, ...]:
    return ("--cache", str(cache.resolve())) if cache else ()


def _pool_trial(
    recipe: Recipe, name: str, source: Source, data_root: Path | None, cache: Path | None
) -> Trial | None:
    """The pre-training, if the recipe has one; its test split does not exist."""
    from edgecxr.data.cache import default_cache_dir
    from edgecxr.recipes.recipe import arguments
    from edgecxr.recipes.source import lay_out_pool
    from edgecxr.sweep.trial import Trial

    if recipe.pool is None or data_root is None:
        return None
    listed = lay_out_pool(
        recipe.pool,
        data_root,
        source.path.parent,
        cache_dir=cache or default_cache_dir(),
        progress=common.progress_bar,
    )
    return Trial(
        name=f"{name}-pool",
        setting=name,
        seed=1,
        data=listed,
        train=arguments(recipe.pool.train),
        reading=_reading(cache),
    )


def _check_same(run: Run, work: Path) -> None:
    """Refuse to take up what an older recipe began: the row would claim settings it did not have.

    Raises:
        UsageError: naming the bundle.
    """
    from edgecxr.core.files import sha256, write_atomic
    from edgecxr.errors import UsageError

    for trial in (run.pool, *run.trials) if run.pool else run.trials:
        listed = sha256(trial.data) if trial.data.is_file() else "phantoms"
        options = " ".join((*trial.train, "|", *trial.quantize)).replace(f"{work}/", "")
        wanted = f"{options}\nimages {listed}\n"
        path = work / f"{trial.name}.settings"
        if path.exists() and path.read_text(encoding="utf-8") != wanted:
            raise UsageError(
                f"{work / trial.name} was begun with other settings or images than the recipe has "
                "now; remove it with its .settings and .training, or give another --out"
            )
        write_atomic(path, wanted)


def _source(
    recipe: Recipe,
    setting: Setting,
    data_root: Path | None,
    work: Path,
    folder: Path,
    cache: Path | None,
) -> Source:
    from edgecxr.data.cache import default_cache_dir
    from edgecxr.errors import UsageError
    from edgecxr.recipes.source import lay_out, phantoms

    if setting == "quick":
        return phantoms(work)
    if data_root is None:
        raise UsageError(
            f"recipe {recipe.name} needs images: give the folder that holds "
            f"{', '.join(recipe.folders)} with --data-root, or try it with --quick"
        )
    source = lay_out(
        recipe.images,
        data_root,
        folder,
        per_class=recipe.images_per_class(setting),
        cache_dir=cache or default_cache_dir(),
        progress=common.progress_bar,
    )
    if source.same_images is False:
        common.note(
            f"Note: the images of {recipe.data} are other files than those that this project's "
            "figures come from; the result says so."
        )
    return source


def _do(trials: Sequence[Trial], work: Path, workers: Workers) -> dict[str, TrialResult]:
    """Do what is left: side by side on Ray if that was asked for, else one after the other."""
    from edgecxr.cli.sweep_view import watching
    from edgecxr.sweep.run import run_trials
    from edgecxr.sweep.trial import run_trial

    if trials and (workers.address or (workers.count or 1) > 1):
        with watching() as on_event:
            return {each.name: each for each in run_trials(trials, work, workers, on_event)}
    done: dict[str, TrialResult] = {}
    for number, trial in enumerate(trials, start=1):
        common.note(f"{trial.name} ({number} of {len(trials)}); see {trial.name}.log")
        done[trial.name] = run_trial(trial, work, home=Path.cwd())
        if done[trial.name].error:
            common.note(f"edgecxr: {done[trial.name].error}")
    return done


def _row(run: Run, results: Sequence[TrialResult], work: Path) -> Row:
    from edgecxr.core.bundle import Bundle
    from edgecxr.recipes.rows import row_of

    smaller = "" if run.setting == "full" else f" --{run.setting}"
    seeds = f" --seeds {len(run.trials)}" if len(run.trials) > 1 else ""
    return row_of(
        run.recipe,
        run.setting,
        [Bundle.open(work / result.bundle, own=True).manifest for result in results],
        same_images=run.source.same_images,
        command=f"edgecxr reproduce {run.recipe.name}{smaller}{seeds}",
    )


def _report(rows: Sequence[Row], results: Path, page: Path | None, as_json: bool) -> None:
    from edgecxr.core.files import write_atomic
    from edgecxr.recipes import rows as records
    from edgecxr.recipes import table

    merged = records.add(results, rows)
    if page:
        write_atomic(page, table.page(merged))
    if as_json:
        common.print_json({"rows": [row.model_dump(mode="json") for row in rows]})
    elif rows:
        common.say(table.report(rows))


def _show(recipes: Sequence[Recipe], as_json: bool) -> None:
    from edgecxr.recipes import table

    if as_json:
        common.print_json({"recipes": [one.model_dump(mode="json") for one in recipes]})
    else:
        show(table.listing(recipes))
