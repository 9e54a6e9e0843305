# SPDX-License-Identifier: Apache-2.0
"""What a recipe gave, beside what its paper reports: rows of ``papers.json`` and their table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from edgecxr.core.bundle import Manifest, Training
from edgecxr.core.evidence import over_images, spread
from edgecxr.core.files import write_atomic
from edgecxr.core.metrics import Evaluation, Interval, wilson
from edgecxr.errors import DataError
from edgecxr.recipes.recipe import Recipe, Setting, Share

# With fewer seeds a t-interval over seeds says nothing (with two its quantile is 12.7).
_SEEDS_FOR_AN_INTERVAL = 3


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paper(_Strict):
    """Whose experiment it is, and what was reported, as shares of 1."""

    source: str
    figures: dict[str, Share] = {}


class Difference(_Strict):
    """Accuracy of int8 − that of float32, mean over seeds. ``over``: what the interval speaks of,
    other images (paired, per image) or other seeds (paired t-interval)."""

    mean: float
    ci95: Interval
    over: Literal["seeds", "images"]


class Row(_Strict):
    """One experiment in one setting. Figures are of the test split, means over the seeds.

    Attributes:
        data: which images, in words.
        same_images: whether they are, byte for byte, those that the project's own figures come
            from; None if that is not known.
        reduced: what is smaller than in the full setting, in words.
        differs: how this is not the paper's experiment.
        images: of the test split.
        *_ci95: Wilson's interval over images of the mean.
        *_seeds: one figure for each seed.
        auc, balanced_accuracy, ece: of int8; ece after temperature scaling on validation.
        certain, certain_accuracy: share of the test images about which int8 is not "uncertain",
            and its accuracy on those.
        random_accuracy: of guessing with the classes' shares.
        minutes: of training, all seeds together, and of what they started from.
    """

    recipe: str
    title: str
    data: str
    paper: Paper
    setting: Setting
    same_images: bool | None
    reduced: tuple[str, ...]
    differs: tuple[str, ...]
    seeds: tuple[int, ...]
    images: int
    float32_accuracy: float
    float32_accuracy_ci95: Interval
    float32_accuracy_seeds: tuple[float, ...]
    int8_accuracy: float
    int8_accuracy_ci95: Interval
    int8_accuracy_seeds: tuple[float, ...]
    auc: float | None
    balanced_accuracy: float
    int8_minus_float32: Difference
    ece: float | None
    certain: float | None
    certain_accuracy: float | None
    random_accuracy: float
    minutes: float
    command: str


class _File(_Strict):
    rows: tuple[Row, ...]


def row_of(
    recipe: Recipe,
    setting: Setting,
    manifests: Sequence[Manifest],
    *,
    same_images: bool | None,
    command: str,
) -> Row:
    """The row of a recipe whose bundles, one for each seed, were evaluated on the test split.

    Raises:
        DataError: if one of them was not.
    """
    tests = [_test(manifest) for manifest in manifests]
    images = tests[0].images
    float32 = [test.float32.accuracy for test in tests]
    int8 = [test.int8.accuracy for test in tests]
    decisions = [test.decision.int8 for test in tests if test.decision]
    trainings = [manifest.trained for manifest in manifests]
    return Row(
        recipe=recipe.name,
        title=recipe.title,
        data=recipe.images.about if setting != "quick" else "Synthetic phantoms.",
        paper=Paper(source=recipe.paper, figures=recipe.reports),
        setting=setting,
        same_images=same_images,
        reduced=recipe.what_is_reduced(setting),
        differs=recipe.differs,
        seeds=tuple(training.seed for training in trainings),
        images=images,
        float32_accuracy=float(np.mean(float32)),
        float32_accuracy_ci95=_over_images(float32, images),
        float32_accuracy_seeds=tuple(float32),
        int8_accuracy=float(np.mean(int8)),
        int8_accuracy_ci95=_over_images(int8, images),
        int8_accuracy_seeds=tuple(int8),
        auc=_mean([test.int8.auc for test in tests]),
        balanced_accuracy=float(np.mean([test.int8.balanced_accuracy for test in tests])),
        int8_minus_float32=_difference(tests),
        ece=_mean([each.ece_after for each in decisions]),
        certain=_mean([each.coverage for each in decisions]),
        certain_accuracy=_mean([each.accuracy_if_certain for each in decisions]),
        random_accuracy=tests[0].baselines.random_accuracy,
        minutes=round(_seconds(trainings) / 60, 2),
        command=command,
    )


def _seconds(trainings: Sequence[Training]) -> float:
    """Of all trainings, and of those that they started from, each of which counts once."""
    parents = {p.model_sha256: p.training for t in trainings for p in t.parents}
    mine = sum(t.epochs_run * t.seconds_per_epoch for t in trainings)
    return mine + (_seconds(list(parents.values())) if parents else 0.0)


def _test(manifest: Manifest) -> Evaluation:
    if "test" not in manifest.metrics:
        raise DataError(
            f"expected figures of the test split in the bundle {manifest.name}, found none; "
            "run the recipe again"
        )
    return manifest.metrics["test"]


def _over_images(accuracies: Sequence[float], images: int) -> Interval:
    return wilson(round(float(np.mean(accuracies)) * images), images)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _difference(tests: Sequence[Evaluation]) -> Difference:
    of_seeds = spread([test.int8.accuracy - test.float32.accuracy for test in tests])
    if of_seeds.n >= _SEEDS_FOR_AN_INTERVAL and of_seeds.ci95 is not None:
        return Difference(mean=of_seeds.mean, ci95=of_seeds.ci95, over="seeds")
    return Difference(mean=of_seeds.mean, ci95=over_images(tests), over="images")


def read(path: Path) -> tuple[Row, ...]:
    """The rows of a ``papers.json``; none if it is not there.

    Raises:
        DataError: if it holds something else.
    """
    try:
        return _File.model_validate_json(path.read_text(encoding="utf-8")).rows
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{path} is no file of results: {where}: {first['msg']}; give another --results"
        ) from error


def add(path: Path, new: Sequence[Row]) -> tuple[Row, ...]:
    """Put rows into a ``papers.json``, each in place of an older one of its recipe and setting."""
    rows = {(row.recipe, row.setting): row for row in (*read(path), *new)}
    merged = tuple(rows[key] for key in sorted(rows))
    content = {"rows": [row.model_dump(mode="json") for row in merged]}
    write_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return merged
