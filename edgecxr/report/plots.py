# SPDX-License-Identifier: Apache-2.0
"""Figures as SVG that stands inside a page: its colours are the page's, by light or dark.

Matplotlib draws with stand-in colours, each of which becomes a CSS variable. Text stays text. The
same input gives the same bytes.
"""

from __future__ import annotations

import html
import io
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecxr.optional import require

_VARIABLES = {
    "#010203": "--ink",
    "#303132": "--page",
    "#040506": "--line",
    "#070809": "--muted",
    "#0a0b0c": "--float32",
    "#0d0e0f": "--int8",
    "#101112": "--bad",
    "#202101": "--c0",
    "#202102": "--c1",
    "#202103": "--c2",
    "#202104": "--c3",
    "#202105": "--c4",
}
_COLOURS = {variable: stand_in for stand_in, variable in _VARIABLES.items()}
INK, LINE, MUTED = _COLOURS["--ink"], _COLOURS["--line"], _COLOURS["--muted"]
PAGE = _COLOURS["--page"]
FLOAT32, INT8, BAD = _COLOURS["--float32"], _COLOURS["--int8"], _COLOURS["--bad"]
PARTS = tuple(_COLOURS[f"--c{i}"] for i in range(5))
PRECISIONS = (("float32", FLOAT32, "--"), ("int8", INT8, "-"))
_TITLE_WIDTH = 52  # characters
_STYLE = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "font.family": "sans-serif",
    "font.size": 8.5,
    "grid.color": LINE,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # a class may be called $\frac$
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}


class Plot:
    """One pair of axes, narrow enough to be read on a telephone.

    Attributes:
        axes: matplotlib's.
    """

    def __init__(self, name: str, title: str, height: float = 3.0) -> None:
        require("matplotlib", extra="report")
        import matplotlib as mpl
        from matplotlib.figure import Figure

        self._style: Any = {**_STYLE, "svg.hashsalt": name}
        self._name, self._title = name, title
        with mpl.rc_context(self._style):
            self._figure = Figure(figsize=(4.6, height), layout="constrained")
            self.axes: Any = self._figure.subplots()
            # Matplotlib's own wrapping reads $ as mathematics, whatever it was told.
            self.axes.set_title(textwrap.fill(title, _TITLE_WIDTH), loc="left")
            self.axes.grid(linewidth=0.5)
            self.axes.set_axisbelow(True)

    def svg(self, described: str) -> str:
        """The figure; ``described`` is what it shows, for who cannot see it."""
        import matplotlib as mpl

        file = io.StringIO()
        with mpl.rc_context(self._style):
            labels = self.axes.get_legend_handles_labels()[1]
            if len(labels) > 4:  # they would hide the lines
                self._figure.legend(loc="outside lower center", ncols=2)
            elif labels:
                self.axes.legend(loc="best")
            metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
            self._figure.savefig(file, format="svg", metadata=metadata)
        text = file.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        # One page holds many figures, and an id must be there once.
        text = re.sub(r'\bid="([^"]+)"', rf'id="{self._name}-\1"', text)
        text = re.sub(r'href="#([^"]+)"', rf'href="#{self._name}-\1"', text)
        text = text.replace("url(#", f"url(#{self._name}-")
        for stand_in, variable in _VARIABLES.items():
            text = text.replace(stand_in, f"var({variable})")
        text = re.sub(r"font: ([^;\"]*?)'[^\"]*?sans-serif", r"font: \1sans-serif", text)
        label = html.escape(f"{self._title}. {described}", quote=True)
        text = re.sub(r'<svg [^>]*?(viewBox="[^"]+")[^>]*>', r"<svg \1>", text, count=1)
        return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def curve_plot(
    name: str,
    title: str,
    lines: Sequence[tuple[str, str, str, NDArray[np.float64], NDArray[np.float64]]],
    *,
    axes: tuple[str, str],
    chance: tuple[float, float] | None = None,
    weights: Sequence[NDArray[np.float64]] = (),
) -> str:
    """Lines within the unit square: (label, colour, style, x, y).

    Args:
        chance: the two ends, at x = 0 and 1, of the line of what needs no model.
        weights: for each line, how large a dot each of its points gets, up to 1.
    """
    plot = Plot(name, title, 3.4)
    if chance is not None:
        plot.axes.plot((0, 1), chance, color=MUTED, linewidth=0.8, linestyle=":")
    for label, colour, style, x, y in lines:
        width = 0.6 if weights else 1.4  # of few images, a line to the next dot says little
        plot.axes.plot(x, y, color=colour, linestyle=style, linewidth=width, label=label)
    for (_, colour, _, x, y), weight in zip(lines, weights, strict=bool(weights)):
        plot.axes.scatter(x, y, 8 + 180 * weight, color=colour, alpha=0.7, linewidths=0)
    plot.axes.set(xlabel=axes[0], ylabel=axes[1], xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return plot.svg("; ".join(line[0] for line in lines))


def learning_plots(curve: Sequence[dict[str, float]], best: int, key: str) -> list[str]:
    """Loss and accuracy over the epochs; ``best`` is the epoch that was kept."""
    epochs = [row["epoch"] for row in curve]
    figures = []
    for name, title, unit, scale in (
        ("loss", "Loss", "cross-entropy, nats", 1),
        ("accuracy", "Accuracy", "%", 100),
    ):
        plot = Plot(f"{key}learning-{name}", title)
        for what, colour in (("train", MUTED), ("val", PARTS[0])):
            values = [scale * row[f"{what}_{name}"] for row in curve]
            label = "training" if what == "train" else "validation"
            plot.axes.plot(epochs, values, color=colour, linewidth=1.2, label=label)
        plot.axes.axvline(best, color=MUTED, linestyle=":", label=f"kept: epoch {best}")
        plot.axes.set(xlabel="epoch", ylabel=unit)
        last = curve[-1]
        figures.append(
            plot.svg(f"after epoch {len(curve)}, validation: {scale * last[f'val_{name}']:.4g}")
        )
    return figures


def bars(
    name: str,
    title: str,
    rows: Sequence[tuple[str, Sequence[tuple[float, str]]]],
    *,
    unit: str,
    limit: float | None = None,
    most: float | None = None,
    legend: Sequence[tuple[str, str]] = (),
) -> str:
    """Stacked horizontal bars: (label, parts), each part a length and a colour.

    Args:
        limit: where a line is drawn.
        most: where the axis ends; a longer bar is cut there, and its length written.
        legend: (label, colour).
    """
    plot = Plot(name, title, 0.9 + 0.19 * len(rows) + (0.35 if legend else 0))
    told = []
    for y, (label, parts) in enumerate(rows):
        left = 0.0
        for length, colour in parts:
            plot.axes.barh(y, length, left=left, color=colour, height=0.7)
            left += length
        told.append(f"{label} {left:,.4g}")
        if most is not None and left > most:
            cut = {"color": PAGE, "fontsize": 8, "fontweight": "bold"}
            plot.axes.text(0.98 * most, y, f"{left:,.0f} →", ha="right", va="center", **cut)
    plot.axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    plot.axes.set(xlabel=unit, xlim=(0, most), ylim=(len(rows) - 0.4, -0.6))
    plot.axes.grid(axis="y", visible=False)
    if limit is not None:
        plot.axes.axvline(limit, color=BAD, linewidth=1.6)
    _legend(plot, legend)
    return plot.svg("; ".join(told))


def _legend(plot: Plot, legend: Sequence[tuple[str, str]]) -> None:
    """Below the axes, where no bar is."""
    if not legend:
        return
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=label) for label, colour in legend]
    plot.axes.figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(legend),
        labelcolor=INK,
        frameon=False,
        fontsize=8,
        handlelength=1.2,
        columnspacing=1.2,
    )


def steps(
    name: str,
    title: str,
    lines: Sequence[tuple[str, str, Sequence[float]]],
    labels: tuple[str, str],
) -> str:
    """Lines that keep a value over one step: (label, colour, values)."""
    plot = Plot(name, title)
    for label, colour, values in lines:
        x = np.arange(len(values) + 1)
        y = np.append(values, values[-1])
        plot.axes.fill_between(x, y, step="post", color=colour, alpha=0.25, linewidth=0)
        plot.axes.step(x, y, where="post", color=colour, linewidth=1.3, label=label)
    plot.axes.set(xlabel=labels[0], ylabel=labels[1], ylim=(0, None))
    return plot.svg("; ".join(f"{label}: at most {max(v):,.4g}" for label, _, v in lines))
