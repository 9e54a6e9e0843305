# SPDX-License-Identifier: Apache-2.0
"""``edgecxr report``: what was measured, as one page."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.core.text import one_line

if TYPE_CHECKING:
    from edgecxr.core.board import Fit
    from edgecxr.core.bundle import Bundle
    from edgecxr.data.load import Reading
    from edgecxr.report.about import About
    from edgecxr.report.inputs import Inputs
    from edgecxr.report.page import Wanted
    from edgecxr.report.seen import Seen

_VERSIONS = ("edgecxr", "jinja2", "matplotlib", "numpy", "scikit-learn")


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT...",
            help="A bundle; what evaluate, bench and data audit print with --json; plan.json of "
            "export; sweep.json; engine.json.",
        ),
    ],
    html: Annotated[
        Path | None, typer.Option("--html", help="The page to write.", show_default=False)
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a short form.")] = False,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="The bundle's images, a folder or a CSV file: adds curves, features, mistakes. "
            "With several bundles once for all, or once for each in their order.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="With --data: train, val or test.")] = "val",
    no_images: Annotated[
        bool, typer.Option("--no-images", help="Put no image of the data set into the page.")
    ] = False,
    skip_unreadable: common.SkipOption = False,
    cache: common.CacheOption = None,
    force: common.ForceOption = False,
    as_json: common.JsonOption = False,
) -> None:
    """Write what was measured as one HTML file that needs no network, or as Markdown.

    What is missing is named, with the command that makes it. The same results give the same page.
    With --data the page holds images of the set and their names, unless --no-images.
    """
    from edgecxr.core.files import refuse_existing, write_atomic
    from edgecxr.errors import UsageError
    from edgecxr.report import page
    from edgecxr.report.inputs import read_inputs

    if html is None and not markdown:
        raise UsageError("expected --html FILE or --markdown, found neither; give one or both")
    if html is not None:
        refuse_existing(html, force)
    inputs = read_inputs(results)
    bundles = [card.bundle for card in inputs.cards]
    sets = _sets(bundles, data or [])
    reading = common.reading(cache, None, skip_unreadable)
    wanted = page.Wanted(
        command=_command(results, html, data or [], split, markdown=markdown, no_images=no_images),
        versions=_versions(),
        about=[
            _about(bundle, source, split, reading, whole=html is not None)
            for bundle, source in zip(bundles, sets, strict=True)
        ],
        images=not no_images,
    )
    if html is not None:
        write_atomic(html, page.html(inputs, wanted))
    if as_json:
        _print_json(inputs, wanted, html)
    elif markdown:
        common.say(page.markdown(inputs, wanted).rstrip("\n"))
    elif html is not None:
        common.say(f"{one_line(str(html))}: {html.stat().st_size:,} bytes")
        if data and not no_images:
            common.say("It contains images of the data set; --no-images leaves them out.")


def _print_json(inputs: Inputs, wanted: Wanted, html: Path | None) -> None:
    from edgecxr.report.subjects import subjects

    recorded = [subject.evaluation for subject in subjects(inputs)]
    seen = [each.seen.evaluation if each.seen else None for each in wanted.about]
    found = [one or other for one, other in zip_longest(recorded, seen)]
    shown = [each.model_dump(mode="json") if each else None for each in found]
    common.print_json(
        {
            "html": None if html is None else str(html),
            "bytes": None if html is None else html.stat().st_size,
            "evaluation": shown[0],
            "evaluations": shown,
        }
    )


def _command(
    results: list[Path],
    html: Path | None,
    data: list[Path],
    split: str,
    *,
    markdown: bool,
    no_images: bool,
) -> list[str]:
    words = ["edgecxr", "report", *map(str, results)]
    words += ["--html", str(html)] if html else []
    words += ["--markdown"] if markdown else []
    words += [word for source in data for word in ("--data", str(source))]
    words += ["--split", split] if data else []
    return words + (["--no-images"] if no_images else [])


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    from edgecxr import __version__

    found = {"edgecxr": __version__}
    for name in _VERSIONS[1:]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # page.html says which one it needs
    return found


def _sets(bundles: list[Bundle], data: list[Path]) -> list[Path | None]:
    """The images of each bundle."""
    from edgecxr.errors import UsageError

    if data and not bundles:
        raise UsageError("expected a bundle with --data, found none; name its folder too")
    if len(data) in (0, 1):
        return [data[0] if data else None] * len(bundles)
    if len(data) != len(bundles):
        raise UsageError(
            f"expected --data once, or once for each of the {len(bundles)} bundles, found it "
            f"{len(data)} times; give the images of each bundle in their order"
        )
    return list(data)


def _about(
    bundle: Bundle, data: Path | None, split: str, reading: Reading, *, whole: bool
) -> About:
    """``whole``: with what only the page shows."""
    from edgecxr.cli.repeat import commands
    from edgecxr.report.about import About

    return About(
        seen=_seen(bundle, data, split, reading, features=whole) if data else None,
        fits=_fits(bundle) if whole else (),
        commands=commands(bundle.manifest),
    )


def _fits(bundle: Bundle) -> list[Fit]:
    """Estimates for every board, if TFLM is here to measure the arena."""
    from edgecxr.core.board import boards, fit_tflm
    from edgecxr.core.tflm import measure_arena
    from edgecxr.errors import MissingPackageError

    if "int8" not in bundle.manifest.files:
        return []
    path = bundle.path("int8")
    try:
        arena: int | None = measure_arena(path).bytes_used
    except MissingPackageError as error:
        common.note(f"The arena was not measured: {error}")
        arena = None
    return [fit_tflm(one, "int8", path.stat().st_size, arena) for one in boards().values()]


def _seen(bundle: Bundle, data: Path, split: str, reading: Reading, *, features: bool) -> Seen:
    from edgecxr.cli.evaluate import try_both
    from edgecxr.report.seen import Seen

    tried = try_both(bundle, data, split, reading)
    seen = Seen(
        split=split,
        names=tuple(sample.name for sample in tried.data.dataset.samples),
        images=tried.data.images,
        truth=tried.data.labels,
        float32=tried.float32,
        int8=tried.int8,
        evaluation=tried.result,
    )
    return _explained(bundle, seen) if features else seen


def _explained(bundle: Bundle, seen: Seen) -> Seen:
    """With the features and the heat, if tensorflow is here."""
    from edgecxr.errors import BundleError, MissingPackageError
    from edgecxr.report.explorer import MISTAKES
    from edgecxr.report.seen import worst_mistakes
    from edgecxr.training.explain import Explainer

    try:
        with common.quiet():
            explainer = Explainer(bundle)
    except (MissingPackageError, BundleError) as error:
        why = f"The map of the features and Grad-CAM were left out: {error}."
        common.note(why)
        return replace(seen, why_not=why)
    shown = worst_mistakes(seen.int8, seen.truth, MISTAKES)
    said = [int(seen.int8[index].argmax()) for index in shown]
    heat = [explainer.explain(seen.images[i], c).heat for i, c in zip(shown, said, strict=True)]
    return replace(
        seen,
        features=explainer.features(seen.images),
        heat=tuple(zip(shown, heat, strict=True)),
    )
