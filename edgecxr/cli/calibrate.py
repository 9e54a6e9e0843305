# SPDX-License-Identifier: Apache-2.0
"""``edgecxr calibrate``: chooses anew when a bundle is uncertain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.images import load_for
from edgecxr.cli.terminal import show
from edgecxr.core.table import Part, Table

if TYPE_CHECKING:
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.decision import Decision, Wish
    from edgecxr.core.metrics import DecisionEvaluation, DecisionFigures
    from edgecxr.data.load import Reading


def calibrate(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A quantized bundle.")],
    data: Annotated[Path, typer.Option("--data", help="The images that it was trained on.")],
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Share of images that get an answer; the rest are uncertain.", show_default="0.9"
        ),
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option(
            help="In place of --coverage: the largest error among the images that get an answer.",
            show_default=False,
        ),
    ] = None,
    level: Annotated[
        float, typer.Option(help="Share of the sets that hold the true class, at least.")
    ] = 0.98,
    skip_unreadable: common.SkipOption = False,
    cache: common.CacheOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Choose temperature, "uncertain" threshold and conformal sets on the validation images.

    `edgecxr quantize` has done so already, for a coverage of 0.9 and a level of 0.98. Firmware
    carries the thresholds: export or flash it again afterwards.
    """
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.decision import COVERAGE, Wish

    wanted = COVERAGE if coverage is None and max_error is None else coverage
    wish = Wish(wanted, max_error, level)
    bundle = Bundle.open(model)
    bundle.refuse_change()
    decision = _chosen(bundle, data, wish, common.reading(cache, None, skip_unreadable))
    bundle.with_manifest(decision=decision)
    if as_json:
        common.print_json({"model": str(model), **decision.model_dump(mode="json")})
    else:
        show(decision_parts(decision))


def _chosen(bundle: Bundle, data: Path, wish: Wish, reading: Reading) -> Decision:
    from edgecxr.core.decision import choose
    from edgecxr.core.interpreter import open_interpreter

    float32 = open_interpreter(bundle.path("float32"))
    int8 = open_interpreter(bundle.path("int8"), kernels="reference")
    source = load_for(bundle, data, "val", reading)
    if source.fingerprint != bundle.manifest.trained.dataset_fingerprint:
        common.note(
            f"Note: {data} does not hold the same images as {bundle.folder} was trained on."
        )
    scores = []
    for name, interpreter in (("float32", float32), ("int8", int8)):
        with common.progress_bar(f"Running {name}", len(source.data.labels)) as advance:
            scores.append(interpreter.scores(source.data.images, advance=advance))
    return choose(scores[0], scores[1], source.data.labels, wish, int8.output.scale)


def decision_parts(decision: Decision) -> list[Part]:
    """What was chosen and what it does on validation, as a table with a line above."""
    from edgecxr.core.metrics import DecisionEvaluation

    both = (decision.float32, decision.int8)
    chosen = [
        ["temperature", *(f"{rule.temperature:.3f}" for rule in both)],
        ["uncertain if the top score is below", *(f"{rule.threshold:.4f}" for rule in both)],
        ["in the set from a score of", *(f"{rule.included:.4f}" for rule in both)],
    ]
    figures = DecisionEvaluation(
        level=decision.level,
        float32=decision.float32.validation,
        int8=decision.int8.validation,
    )
    aim = (
        f"an answer for {100 * decision.coverage:g} % of images"
        if decision.coverage is not None
        else f"at most {100 * (decision.max_error or 0):g} % wrong answers"
    )
    return [
        f"Chosen on {decision.images} validation images, for {aim} and for sets that hold the "
        f"true class of {100 * decision.level:g} %:",
        Table(["", "float32", "int8"], [*chosen, *decision_rows(figures)], flush_left=True),
        "Measured on the same images, each judged by rules chosen without it "
        f"({decision.folds} folds).",
    ]


def decision_rows(result: DecisionEvaluation) -> list[list[str]]:
    """Rows of a table: what, float32, int8."""
    both = (result.float32, result.int8)

    def row(what: str, cell: Callable[[DecisionFigures], str]) -> list[str]:
        return [what, *(cell(figures) for figures in both)]

    return [
        row("calibration error, as it is", lambda f: f"{f.ece_before:.3f}"),
        row("calibration error, with the temperature", lambda f: f"{f.ece_after:.3f}"),
        row("the same, in bins of equal count", lambda f: f"{f.adaptive_ece_after:.3f}"),
        row("answered, not uncertain", lambda f: percent(f.coverage, f.coverage_ci95)),
        row(
            "accuracy of those",
            lambda f: percent(f.accuracy_if_certain, f.accuracy_if_certain_ci95),
        ),
        row(
            f"true class in the set, {100 * result.level:g} % wanted",
            lambda f: percent(f.set_coverage, f.set_coverage_ci95),
        ),
        row("classes in a set, mean", lambda f: f"{f.set_size:.2f}"),
    ]


def percent(value: float | None, interval: tuple[float, float] | None = None) -> str:
    """A share with its interval, for a table whose header says nothing of a unit."""
    if value is None:
        return "–"
    text = f"{100 * value:.1f} %"
    return text + (f" ({100 * interval[0]:.1f}–{100 * interval[1]:.1f})" if interval else "")
