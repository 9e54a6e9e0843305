# SPDX-License-Identifier: Apache-2.0
"""``edgecxr evaluate``: int8 against float32 on a split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.calibrate import decision_rows, percent
from edgecxr.cli.images import count_read, load_for
from edgecxr.cli.terminal import show
from edgecxr.core.table import Bar, Bars, Part, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecxr.core.bundle import Bundle
    from edgecxr.core.metrics import Evaluation, Figures
    from edgecxr.data.cache import LoadedDataset
    from edgecxr.data.load import Reading

PRECISIONS = ("float32", "int8")


def evaluate(
    model: Annotated[Path, typer.Argument(help="A quantized bundle.")],
    data: Annotated[Path, typer.Option("--data", help="A folder of images, or a CSV file.")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    record: Annotated[
        bool, typer.Option("--record", help="Write the figures into the bundle's manifest.")
    ] = False,
    skip_unreadable: common.SkipOption = False,
    cache: common.CacheOption = None,
    as_json: common.JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
) -> None:
    """Compare int8 with float32 on one split, with intervals, and say what the comparison shows.

    int8 runs with the reference kernels, which compute as a microcontroller does: `edgecxr bench`
    shows how many scores equal TFLM's bit for bit.
    """
    from edgecxr.core.bundle import Bundle

    bundle = Bundle.open(model)
    if record:
        bundle.refuse_change()
    tried = try_both(bundle, data, split, common.reading(cache, None, skip_unreadable))
    result, reads = tried.result, tried.reads
    if record:
        bundle.with_manifest(metrics={**bundle.manifest.metrics, split: result})
    if as_json:
        known = {"model": str(model), "reads": reads}
        common.print_json({**known, **result.model_dump(mode="json")})
        return
    if bundle.manifest.synthetic_data:
        common.say("SYNTHETIC data: these figures say nothing about X-rays.\n")
    common.say(f"{bundle.manifest.name} on {result.images} images of '{result.split}'\n")
    show(evaluation_parts(result), markdown=markdown)
    if bundle.manifest.decision is None:
        common.say("\nNo rule says when this bundle is uncertain: `edgecxr calibrate` chooses one.")
    times = "once" if reads == 1 else f"{reads} times"
    common.say(f"\nThe {split} split of these images was read {times} with these model files.")


@dataclass(frozen=True)
class Tried:
    """Both models on one split.

    Attributes:
        data: the images.
        float32, int8: scores, float32 (N, classes).
        reads: how often this split was read with these files.
    """

    data: LoadedDataset
    float32: NDArray[np.float32]
    int8: NDArray[np.float32]
    result: Evaluation
    reads: int


def try_both(bundle: Bundle, data: Path, split: str, reading: Reading) -> Tried:
    """The scores and the figures of both models; counts the reading before there is a figure."""
    from edgecxr.core.decision import evaluate_decision
    from edgecxr.core.interpreter import open_interpreter
    from edgecxr.core.metrics import compare

    interpreters = [
        open_interpreter(bundle.path("float32")),
        open_interpreter(bundle.path("int8"), kernels="reference"),
    ]
    source = load_for(bundle, data, split, reading)
    reads = count_read(bundle, split, source.fingerprint)
    scores = []
    for name, interpreter in zip(PRECISIONS, interpreters, strict=True):
        with common.progress_bar(f"Evaluating {name}", len(source.data.labels)) as advance:
            scores.append(interpreter.scores(source.data.images, advance=advance))
    truth, decision = source.data.labels, bundle.manifest.decision
    result = compare(
        scores[0],
        scores[1],
        truth,
        bundle.manifest.labels,
        split=split,
        fingerprint=source.fingerprint,
        skipped=len(source.data.skipped),
        interpreter=f"{interpreters[0].name} {interpreters[0].version}",
    )
    if decision is not None:
        measured = evaluate_decision(decision, scores[0], scores[1], truth)
        result = result.model_copy(update={"decision": measured})
    return Tried(source.data, scores[0], scores[1], result, reads)


def evaluation_parts(result: Evaluation) -> list[Part]:
    """An evaluation to show: figures, a confusion matrix each, baselines, comparison, verdict,
    and what the bundle's rules do."""
    from edgecxr.core.metrics import only_answer

    both = (result.float32, result.int8)
    rows = [
        ["accuracy (95 % Wilson)", *(percent(f.accuracy, f.accuracy_ci95) for f in both)],
        ["balanced accuracy", *(percent(f.balanced_accuracy) for f in both)],
        ["macro F1", *(f"{f.macro_f1:.3f}" for f in both)],
        ["AUC, one against rest", *("–" if f.auc is None else f"{f.auc:.3f}" for f in both)],
    ]
    parts: list[Part] = [Table(["", "float32", "int8"], rows, flush_left=True)]
    for name, one in zip(PRECISIONS, both, strict=True):
        parts.append(f"{name}: rows are the truth, columns what the model says")
        parts.append(Table(_class_headers(one), _class_rows(one), flush_left=True))
        only = only_answer(one)
        if only is not None:
            parts.append(f"Note: {name} says {only} of every image; it has learnt nothing yet.")
    parts.append(_sensitivities(result))
    base = result.baselines
    parts.append(
        f"Without a picture: always {base.majority_label} {percent(base.majority_accuracy)}, "
        f"a random guess {percent(base.random_accuracy)}."
    )
    parts.append(
        f"Same class from both: {percent(result.agreement)}. Only float32 right: "
        f"{result.only_float32_right}, only int8 right: {result.only_int8_right} "
        f"(McNemar's exact p = {result.mcnemar_p:.2g}).\n{result.verdict}"
    )
    if result.decision is not None:
        shown = decision_rows(result.decision)
        parts.append(_optimism(result.split))
        parts.append(Table(["", "float32", "int8"], shown, flush_left=True))
    return parts


def _sensitivities(result: Evaluation) -> Bars:
    pairs = zip(result.float32.classes, result.int8.classes, strict=True)
    found = [(c, name) for pair in pairs for c, name in zip(pair, PRECISIONS, strict=True)]
    bars = [
        Bar(f"{c.label}, {name}", c.sensitivity, percent(c.sensitivity))
        for c, name in found
        if c.sensitivity is not None
    ]
    return Bars("Sensitivity", bars)


def _optimism(split: str) -> str:
    if split == "test":
        return 'Confidence, "uncertain" and sets, by the rules that were chosen on validation:'
    return (
        f'Confidence, "uncertain" and sets; the model or the rules were chosen on {split} images, '
        "so these figures flatter:"
    )


def _class_headers(figures: Figures) -> list[str]:
    return ["", *(c.label for c in figures.classes), "sensitivity", "specificity", "F1"]


def _class_rows(figures: Figures) -> list[list[str]]:
    return [
        [
            c.label,
            *(str(n) for n in figures.confusion[i]),
            percent(c.sensitivity, c.sensitivity_ci95),
            percent(c.specificity, c.specificity_ci95),
            f"{c.f1:.3f}",
        ]
        for i, c in enumerate(figures.classes)
    ]
