# SPDX-License-Identifier: Apache-2.0
"""The page: one HTML file that needs no network, and its short form as Markdown."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from edgecxr.core.board import Fit
from edgecxr.core.result import bench_parts, percent
from edgecxr.core.table import Table, plain
from edgecxr.errors import OutputError
from edgecxr.optional import require
from edgecxr.report import curves, memory, plots
from edgecxr.report.explorer import explorer, mistakes
from edgecxr.report.inputs import Inputs
from edgecxr.report.seen import Seen

NOTICE = "For research and teaching, not a medical device."
LARGEST_BYTES = 3_000_000
ENGINE_FIGURES = 4


@dataclass(frozen=True)
class Wanted:
    """What else a page is made from.

    Attributes:
        command: the words of the command that made it.
        versions: of packages, by name.
        seen: the images of a split; None without them.
        images: whether they may stand in the page.
        fits: estimates for boards; empty if the model's arena is not known.
    """

    command: Sequence[str]
    versions: dict[str, str]
    seen: Seen | None = None
    images: bool = True
    fits: Sequence[Fit] = field(default_factory=tuple)


def html(inputs: Inputs, wanted: Wanted) -> str:
    """The whole page.

    Raises:
        MissingPackageError: if a package of the extra ``report`` is missing.
        OutputError: if the page is larger than 3 MB, so that it would not open quickly.
    """
    require("jinja2", extra="report")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("edgecxr.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    script = _text("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template("page.html").render(
        **_context(inputs, wanted), style=_text("page.css"), script=script, script_sha256=digest
    )
    if len(page.encode()) > LARGEST_BYTES:
        raise OutputError(
            f"expected a page of at most {LARGEST_BYTES:,} bytes, found {len(page.encode()):,}; "
            "pass --no-images, or fewer results"
        )
    return page


def _text(name: str) -> str:
    return resources.files("edgecxr.report").joinpath("templates", name).read_text("utf-8")


def _context(inputs: Inputs, wanted: Wanted) -> dict[str, Any]:
    seen, card = wanted.seen, inputs.card
    manifest = card.bundle.manifest if card else None
    evaluation = inputs.evaluation or (seen.evaluation if seen else None)
    pictures = seen is not None and wanted.images
    labels = manifest.labels if manifest else ()
    bars = memory.of_fits(wanted.fits)
    bars += memory.of_engine(inputs.engines, manifest.name) if manifest else []
    return {
        "notice": NOTICE,
        "title": manifest.name if manifest else "Results",
        "manifest": manifest,
        "evaluation": evaluation,
        "both": [("float32", evaluation.float32), ("int8", evaluation.int8)] if evaluation else [],
        "others": [each.bundle.manifest for each in inputs.cards],
        "seen": seen,
        "pictures": pictures,
        "areas": curves.areas(seen, labels) if seen else [],
        "curves": curves.curve_figures(seen, labels) if seen else [],
        "reliability": curves.reliability_figures(seen, manifest) if seen and manifest else [],
        "learning": _learning(inputs),
        "latency": _latency(inputs),
        "rows": [row for bench in inputs.benches for row in bench.rows],
        "benches": inputs.benches,
        "bars": bars,
        "memory": memory.figures(bars),
        "plan": inputs.plans[0] if inputs.plans else None,
        "plan_figure": _plan(inputs),
        "engine": _engine_rows(inputs),
        "engine_figures": _engine(inputs),
        "explorer": explorer(seen, labels, pictures=pictures) if seen else None,
        "mistakes": mistakes(seen, labels) if seen and pictures else [],
        "audits": inputs.audits,
        "sweeps": inputs.sweeps,
        "readme": _readme(card.readme) if card and card.readme else None,
        "command": shlex.join(wanted.command),
        "versions": wanted.versions,
    }


def _readme(text: str) -> str:
    """The card as HTML. Its own HTML is shown as text, and its pictures are left out: they are
    other files."""
    require("markdown_it", extra="report")
    from markdown_it import MarkdownIt

    rules = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    return str(rules.render(text))


def _learning(inputs: Inputs) -> list[str]:
    card = inputs.card
    training = card.bundle.manifest.training if card else None
    if card is None or training is None or not card.curve:
        return []
    return plots.learning_plots(card.curve, training.best_epoch)


def _latency(inputs: Inputs) -> str | None:
    """Quantiles of single inferences, as bench measured them."""
    rows = [r for b in inputs.benches for r in b.rows if r.latency_ms and r.latency_ms.quantiles]
    if not rows:
        return None
    plot = plots.Plot("latency", "Latency of single inferences, by their share", 3.8)
    for place, row in enumerate(rows):
        assert row.latency_ms is not None
        times = row.latency_ms.quantiles
        shares = [100 * i / (len(times) - 1) for i in range(len(times))]
        colour = plots.PARTS[place % len(plots.PARTS)]
        style = "-" if row.precision == "int8" else "--"
        label = f"{row.device}, {row.runtime}, {row.precision}"
        plot.axes.plot(times, shares, color=colour, linestyle=style, linewidth=1.3, label=label)
    plot.axes.set(xlabel="ms", ylabel="% of inferences that are done", xscale="log")
    plot.axes.xaxis.set_major_formatter("{x:g}")  # powers of ten would be mathematics
    return plot.svg("the table has its figures")


def _plan(inputs: Inputs) -> str | None:
    if not inputs.plans:
        return None
    layers = inputs.plans[0].layers
    return plots.steps(
        "plan",
        "Activations alive, layer by layer",
        [
            (
                "layer by layer, whole maps",
                plots.MUTED,
                [x.plain_live_bytes / 1024 for x in layers],
            ),
            ("compiled: rows while they arrive", plots.INT8, [x.live_bytes / 1024 for x in layers]),
        ],
        ("layer", "KiB"),
    )


def _engine_rows(inputs: Inputs) -> list[Any]:
    rows = [row for engine in inputs.engines for row in engine.rows if row.layers]
    return sorted(rows, key=lambda row: row.precision != "int8")[:ENGINE_FIGURES]


def _engine(inputs: Inputs) -> list[str]:
    return [
        plots.bars(
            f"layers-{place}",
            f"{row.board}, {row.precision}, {row.kernels} kernels",
            [(x.name, [(x.instructions / 1e6, plots.PARTS[0])]) for x in row.layers],
            unit="million instructions",
        )
        for place, row in enumerate(_engine_rows(inputs))
    ]


def markdown(inputs: Inputs, wanted: Wanted) -> str:
    """The short form: the verdict, the figures of both precisions, and the command."""
    evaluation = inputs.evaluation or (wanted.seen.evaluation if wanted.seen else None)
    card = inputs.card
    parts = [f"## {_plain(card.bundle.manifest.name if card else 'Results')}", f"**{NOTICE}**"]
    if card and card.bundle.manifest.synthetic_data:
        parts.append("SYNTHETIC data: these figures say nothing about X-rays.")
    if evaluation is not None:
        both = (evaluation.float32, evaluation.int8)
        spans = [f"{percent(f.accuracy_ci95[0])}–{percent(f.accuracy_ci95[1])}" for f in both]
        rows = [
            [
                "accuracy, % (95 % Wilson)",
                *(f"{percent(f.accuracy)} ({span})" for f, span in zip(both, spans, strict=True)),
            ],
            ["balanced accuracy, %", *(percent(f.balanced_accuracy) for f in both)],
            ["macro F1", *(f"{f.macro_f1:.3f}" for f in both)],
            ["AUC", *("–" if f.auc is None else f"{f.auc:.3f}" for f in both)],
        ]
        parts.append(
            f"{evaluation.images} images of split {_plain(evaluation.split)}. {evaluation.verdict}"
        )
        parts.append(plain(Table(["", "float32", "int8"], rows), markdown=True))
    for bench in inputs.benches:
        parts.append(plain(bench_parts(bench, markdown=True), markdown=True))
    for audit in inputs.audits:
        found = [f"- **{f.severity}** {_plain(f.what)}. {_plain(f.do)}." for f in audit.findings]
        parts.append("\n".join(found) or "The audit found nothing.")
    parts.append(f"    {shlex.join(wanted.command)}")
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown takes as it is."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in text).replace("\n", " ")
