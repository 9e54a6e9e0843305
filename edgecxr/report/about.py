# SPDX-License-Identifier: Apache-2.0
"""One model's part of the page: what its template shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgecxr.core.board import Fit
from edgecxr.optional import require
from edgecxr.report import curves, memory, plots
from edgecxr.report.explorer import explorer, mistakes
from edgecxr.report.inputs import EngineRow, MemoryPlan
from edgecxr.report.seen import THUMBNAIL_BYTES, Seen
from edgecxr.report.subjects import Subject

ENGINE_FIGURES = 4


@dataclass(frozen=True)
class About:
    """What else is known of a bundle.

    Attributes:
        seen: the images of a split; None without them.
        fits: estimates for boards; empty if the model's arena is not known.
        commands: what was run to make it, oldest first; empty if nobody knows.
    """

    seen: Seen | None = None
    fits: Sequence[Fit] = ()
    commands: Sequence[str] = ()


def context(
    subject: Subject, about: About, *, key: str, images: bool, share: float
) -> dict[str, Any]:
    """The names of ``subject.html``.

    Args:
        key: what its places in the page begin with.
        images: whether they may stand in the page.
        share: of the room that a page has for images.
    """
    seen, card, manifest = about.seen, subject.card, subject.manifest
    evaluation = subject.evaluation or (seen.evaluation if seen else None)
    pictures = seen is not None and images
    bars = [*memory.of_fits(about.fits), *memory.of_engine(subject.rows)]
    budget = round(share * THUMBNAIL_BYTES) if pictures else 0
    return {
        "key": key,
        "name": subject.name,
        "manifest": manifest,
        "evaluation": evaluation,
        "both": [("float32", evaluation.float32), ("int8", evaluation.int8)] if evaluation else [],
        "seen": seen,
        "pictures": pictures,
        "areas": curves.areas(seen, subject.labels) if seen else [],
        "curves": curves.curve_figures(seen, subject.labels, key) if seen else [],
        "reliability": curves.reliability_figures(seen, manifest, key) if seen and manifest else [],
        "learning": _learning(subject, key),
        "latency": _latency(subject, key),
        "rows": [row for bench in subject.benches for row in bench.rows],
        "benches": subject.benches,
        "bars": bars,
        "memory": memory.figures(bars, key),
        "plans": [(plan, _plan(plan, f"{key}plan-{i}")) for i, plan in enumerate(subject.plans)],
        "engine": _engine_rows(subject),
        "engine_figures": _engine(subject, key),
        "explorer": explorer(seen, subject.labels, budget) if seen else None,
        "mistakes": mistakes(seen, subject.labels) if seen and pictures else [],
        "readme": _readme(card.readme) if card and card.readme else None,
        "commands": about.commands,
    }


def _readme(text: str) -> str:
    """The card as HTML. Its own HTML is shown as text, and its pictures are left out: they are
    other files."""
    require("markdown_it", extra="report")
    from markdown_it import MarkdownIt

    rules = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    return str(rules.render(text))


def _learning(subject: Subject, key: str) -> list[str]:
    training = subject.manifest.training if subject.manifest else None
    if subject.card is None or training is None or not subject.card.curve:
        return []
    return plots.learning_plots(subject.card.curve, training.best_epoch, key)


def _latency(subject: Subject, key: str) -> str | None:
    """Quantiles of single inferences, as bench measured them."""
    rows = [r for b in subject.benches for r in b.rows if r.latency_ms and r.latency_ms.quantiles]
    if not rows:
        return None
    plot = plots.Plot(f"{key}latency", "Latency of single inferences, by their share", 3.8)
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


def _plan(plan: MemoryPlan, name: str) -> str:
    layers = plan.layers
    return plots.steps(
        name,
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


def _engine_rows(subject: Subject) -> list[EngineRow]:
    rows = [row for row in subject.rows if row.layers]
    return sorted(rows, key=lambda row: row.precision != "int8")[:ENGINE_FIGURES]


def _engine(subject: Subject, key: str) -> list[str]:
    return [
        plots.bars(
            f"{key}layers-{place}",
            f"{row.board}, {row.precision}, {row.kernels} kernels",
            [(x.name, [(x.instructions / 1e6, plots.PARTS[0])]) for x in row.layers],
            unit="million instructions",
        )
        for place, row in enumerate(_engine_rows(subject))
    ]
