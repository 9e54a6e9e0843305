# SPDX-License-Identifier: Apache-2.0
"""The command lines that make a bundle again, from its manifest."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from enum import Enum
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import typer

from edgecxr.cli import calibrate, evaluate, quantize, train
from edgecxr.core.decision import COVERAGE

if TYPE_CHECKING:
    from edgecxr.core.bundle import Manifest, Parent, Training
    from edgecxr.core.preprocess import Preprocessing

DATA = "SET"
_NAMES = {"width_multiplier": "width", "warmup_epochs": "warmup", "average_epochs": "average"}
"""Settings whose option has another name."""


def commands(manifest: Manifest, split: str = "test") -> list[str]:
    """What to type, oldest first: train (first what the bundle learnt from), quantize, calibrate if
    its rules are not those of quantize, evaluate. Empty for a bundle that was imported.

    Only what differs from the defaults is said. ``SET`` stands for the images; other images than
    those of the bundle have a name with their fingerprint's first digits.

    Args:
        split: to evaluate on.
    """
    from edgecxr.training.quantize import REPRESENTATIVE_IMAGES

    if manifest.training is None:
        return []
    lines = _Trainings(manifest).lines()
    skipped = {"skip_unreadable": manifest.training.split.skipped_unreadable > 0}
    with_data = {"data": DATA, **skipped}
    quantized, decision = manifest.quantization, manifest.decision
    if quantized is not None:
        usual = min(REPRESENTATIVE_IMAGES, manifest.training.split.images.get("train", 0))
        images = quantized.representative_images
        drawn = {
            "seed": quantized.representative_seed,
            "representative": None if images == usual else images,
        }
        lines.append(_line(quantize.quantize, manifest.name, {**with_data, **drawn}))
    if decision is not None:
        coverage = None if decision.coverage == COVERAGE else decision.coverage
        wish = {"coverage": coverage, "max_error": decision.max_error, "level": decision.level}
        line = _line(calibrate.calibrate, manifest.name, {**with_data, **wish})
        if line != _line(calibrate.calibrate, manifest.name, with_data):
            lines.append(line)
    if quantized is not None:
        lines.append(_line(evaluate.evaluate, manifest.name, {**with_data, "split": split}))
    return lines


class _Trainings:
    """A bundle and what it learnt from, each a line; what was used twice is made once.

    A manifest says nothing of the preprocessing of what its bundle learnt from: it is taken to be
    the same.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._folders: dict[str, str] = {}  # by the SHA-256 of model.keras
        self._lines: list[str] = []

    def lines(self) -> list[str]:
        self._add(self._manifest.name, self._manifest.trained)
        return self._lines

    def _add(self, folder: str, training: Training) -> None:
        used: dict[str, list[str]] = {"init": [], "teacher": []}
        for parent in training.parents:
            used[parent.role].append(self._made(parent))
        own = training.dataset_fingerprint == self._manifest.trained.dataset_fingerprint
        values = {
            "out": folder,
            **options_of(training.settings, self._manifest.preprocessing),
            "init": used["init"][0] if used["init"] else None,
            "teacher": used["teacher"] or None,
            "weights": None if used["init"] else training.initialised_from,
            "patients": training.split.patients,
            "skip_unreadable": training.split.skipped_unreadable > 0,
        }
        data = DATA if own else f"{DATA}-{training.dataset_fingerprint[:8]}"
        self._lines.append(_line(train.train, data, values))

    def _made(self, parent: Parent) -> str:
        """The folder of what a bundle learnt from, after the lines that make it."""
        if parent.model_sha256 not in self._folders:
            taken = {self._manifest.name, *self._folders.values()}
            numbered = (f"{parent.name}-{number}" for number in count(2))
            name = next(n for n in chain([parent.name], numbered) if n not in taken)
            self._folders[parent.model_sha256] = name
            self._add(name, parent.training)
        return self._folders[parent.model_sha256]


def options_of(settings: Mapping[str, Any], preprocessing: Preprocessing) -> dict[str, Any]:
    """The parameters of ``edgecxr train`` that give these settings."""
    from edgecxr.core.preprocess import FIRST, RESIZES, Preprocessing
    from edgecxr.training.architectures import find
    from edgecxr.training.settings import TrainingSettings

    # A manifest of before a setting was there: the default changes nothing.
    known = TrainingSettings().model_dump()
    flat = {**known, **known["augmentation"], **settings, **settings.get("augmentation", {})}
    values = {_NAMES.get(key, key): value for key, value in flat.items() if key != "augmentation"}
    if values["width"] == find(values["architecture"]).width:
        values["width"] = None
    usual = Preprocessing()
    if preprocessing.steps != usual.steps:
        way = next(step for step in preprocessing.steps if step in RESIZES)
        values["resize"] = None if way in usual.steps else way.removeprefix("resize-")
        values["step"] = [s for s in preprocessing.steps if s not in (*FIRST, way)]
    if preprocessing.height != usual.height:
        values["size"] = preprocessing.height
    return values


def _line(function: Callable[..., Any], first: str, values: Mapping[str, Any]) -> str:
    """The command with its argument and the options that differ from their defaults, in the order
    of its help."""
    app = typer.Typer()
    app.command()(function)
    command = typer.main.get_command(app)
    words = ["edgecxr", function.__name__, first]
    for parameter in command.params:
        value, option = values.get(str(parameter.name)), parameter.opts[0]
        if value is None or _word(value) == _word(parameter.default):
            continue
        if isinstance(value, bool):
            words += [option] if value else []
        else:
            for one in value if isinstance(value, list) else [value]:
                words += [option, _word(one)]
    return shlex.join(words)


def _word(value: Any) -> str:
    """As it is typed; 5.0 and 5 are the same."""
    shown = value.value if isinstance(value, Enum) else value
    return repr(shown).removesuffix(".0") if isinstance(shown, float) else str(shown)
