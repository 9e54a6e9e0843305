# SPDX-License-Identifier: Apache-2.0
"""Rows of ``papers.json`` as one table, and beneath it what the figures do not say."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from edgecxr.core.metrics import Interval
from edgecxr.core.table import Part, Table, plain
from edgecxr.recipes.recipe import ImageSet, Recipe
from edgecxr.recipes.rows import Row

_COLUMNS = 80  # of the narrowest terminal that people use
_HEADS = (
    "experiment",
    "the paper's figure",
    "ours, int8 (95 %)",
    "ours, float32 (95 %)",
    "int8 − float32, points (95 %)",
    "AUC",
    "guessing",
    "hours",
    "command",
)
_INTRODUCTION = """\
# Experiments of the papers

One row for each recipe in [papers/](papers), by `edgecxr reproduce`. Figures are of the test split,
which was read once for each model, at the end. Intervals of an accuracy are Wilson's, over images,
of the mean over the seeds; those of int8 − float32 are paired. Guessing: with the classes' shares.
Hours are of training, all seeds together, by the clock, on one core that had other work too. This
file is made from [results/papers.json](results/papers.json).

**For research and teaching. Not a medical device.** Read what follows the table before comparing:
the images, their size, the split or the network are seldom quite the paper's.
"""


def table(rows: Sequence[Row], *, markdown: bool = False) -> str:
    """One line for each row."""
    lines = [
        (
            f"{row.paper.source}: {row.title}" + _marks(row),
            reported(row),
            _accuracy(row.int8_accuracy, row.int8_accuracy_ci95),
            _accuracy(row.float32_accuracy, row.float32_accuracy_ci95),
            _difference(row),
            "–" if row.auc is None else f"{row.auc:.3f}",
            _percent(row.random_accuracy),
            f"{row.minutes / 60:.2f}",
            row.command,
        )
        for row in rows
    ]
    command = len(_HEADS) - 1
    return plain(Table(_HEADS, lines, flush_left=True, code=(command,)), markdown=markdown)


def page(rows: Sequence[Row]) -> str:
    """The whole Markdown page, paper by paper."""
    rows = sorted(rows, key=lambda row: row.paper.source)
    said = _common(rows)
    parts = [_INTRODUCTION.rstrip(), table(rows, markdown=True), "## Footing", *said]
    for source in dict.fromkeys(row.paper.source for row in rows):
        parts += _notes(source, [row for row in rows if row.paper.source == source], said)
    return "\n\n".join(parts) + "\n"


def _notes(source: str, rows: Sequence[Row], said: Sequence[str]) -> list[str]:
    """The section of one paper: what holds for all its rows, then a line for each."""
    shared = [each for each in _common(rows) if each not in said]
    one = [rows[0].data] if len({row.data for row in rows}) == 1 else []
    lines = []
    for row in rows:
        own = [each for each in _words(row) if each not in (*said, *shared, *one)]
        lines.append(f"- **{row.recipe}{_marks(row)}**: {' '.join(own)}")
    above = [" ".join([*one, *shared])] if one or shared else []
    return [f"### {source}", *above, "\n".join(lines)]


def _common(rows: Sequence[Row]) -> list[str]:
    """What differs from the paper's experiment in every one of these rows."""
    if not rows:
        return []
    return [each for each in rows[0].differs if all(each in row.differs for row in rows)]


def report(rows: Sequence[Row]) -> str:
    """A few lines for each row, for a terminal."""
    parts = []
    for row in rows:
        figures = (
            f"int8 {_accuracy(row.int8_accuracy, row.int8_accuracy_ci95)}, float32 "
            f"{_accuracy(row.float32_accuracy, row.float32_accuracy_ci95)}, int8 − float32 "
            f"{_difference(row)} points"
        )
        below = (f"the paper: {reported(row)}", figures, " ".join(_words(row)))
        parts.append(
            "\n".join([f"{row.paper.source}: {row.title}{_marks(row)}", *map(_below, below)])
        )
    return "\n\n".join(parts)


def _below(text: str) -> str:
    indent = "  "
    return textwrap.fill(
        text, _COLUMNS, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def listing(recipes: Sequence[Recipe]) -> list[Part]:
    """All recipes, and how their images are to be laid out."""
    rows = [
        (
            one.name,
            f"{one.paper}: {one.title}",
            ", ".join(_sets(one)),
            "yes" if one.reduced else "no",
        )
        for one in recipes
    ]
    heads = ("recipe", "experiment", "images", "--reduced")
    sets = {name: images for one in recipes for name, images in _sets(one).items()}
    about = [
        textwrap.fill(
            f"{name}: {each.about} Below the data root: {each.where}.",
            _COLUMNS,
            subsequent_indent="  ",
        )
        for name, each in sets.items()
    ]
    return [Table(heads, rows, text=4), *about]


def _sets(recipe: Recipe) -> dict[str, ImageSet]:
    pool = dict(zip(recipe.pool.data, recipe.pool.images, strict=True)) if recipe.pool else {}
    return {recipe.data: recipe.images, **pool}


def reported(row: Row) -> str:
    """The paper's figures in words; AUC as it is, the others in per cent."""
    figures = row.paper.figures
    if not figures:
        return "none at hand"
    return ", ".join(
        f"{name} {value:.3f}" if "AUC" in name else f"{name} {_percent(value)}"
        for name, value in figures.items()
    )


def _marks(row: Row) -> str:
    return {"full": "", "reduced": " (reduced)", "quick": " (quick, phantoms)"}[row.setting]


def _words(row: Row) -> list[str]:
    """What the figures do not say: images, what is reduced, what differs."""
    count = f"{len(row.seeds)} seed" + ("s" if len(row.seeds) > 1 else "")
    sentences = [row.data, f"{row.images} test images, {count}."]
    if row.reduced:
        sentences.append(f"Reduced: {', '.join(row.reduced)}.")
    if row.setting != "quick":  # it would speak of images that were not there
        sentences += row.differs
    if row.same_images is False:
        sentences.append("Other image files than this project's own figures come from.")
    if len(row.seeds) > 1:
        each = ", ".join(_percent(value) for value in row.int8_accuracy_seeds)
        sentences.append(f"int8, seed by seed: {each}.")
    if row.certain is not None and row.certain_accuracy is not None:
        sentences.append(
            f"int8 is certain of {_percent(row.certain)} of the images, and right about "
            f"{_percent(row.certain_accuracy)} of those."
        )
    if row.ece is not None:
        sentences.append(f"Calibration error of int8 after scaling {row.ece:.3f}.")
    return sentences


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _accuracy(share: float, interval: Interval) -> str:
    return f"{_percent(share)} ({100 * interval[0]:.1f}–{100 * interval[1]:.1f})"


def _difference(row: Row) -> str:
    found = row.int8_minus_float32
    low, high = found.ci95
    return f"{100 * found.mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}, over {found.over})"
