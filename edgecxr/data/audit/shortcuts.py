# SPDX-License-Identifier: Apache-2.0
"""Can the classes of a set be told without looking at the lungs?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgecxr.data.audit import features
from edgecxr.data.audit.copies import plain
from edgecxr.data.audit.finding import Finding, Severity, Told
from edgecxr.data.audit.material import Material
from edgecxr.data.audit.probe import told_by_pixels, told_by_table
from edgecxr.data.layout import split_name

WHOLE: Final = "whole image"


@dataclass(frozen=True)
class Shortcut:
    """Something that should tell nothing.

    Attributes:
        medium, high: from which gain over chance (0) to perfect (1) on; the lower end of the
            interval must be above.
    """

    name: str
    words: str
    kind: str
    medium: float
    high: float
    why: str
    do: str


SHAPE: Final = Shortcut(
    "size and aspect",
    "size and aspect alone",
    "class-from-size",
    0.05,
    0.2,
    "A model that sees the distortion of a squashed image, or its sharpness, need not see a lung",
    "Resize with --resize fit-longest or fit-shortest, and compare; look where the sizes come from",
)
FORMAT: Final = Shortcut(
    "file format",
    "the file format alone",
    "class-from-format",
    0.05,
    0.2,
    "The classes went through other programs, whose traces (JPEG blocks, colours) a model can see",
    "Get the classes from one source, or store all images the same way",
)
BRIGHTNESS: Final = Shortcut(
    "mean and contrast",
    "mean and contrast alone",
    "class-from-brightness",
    0.15,
    0.5,
    "Disease changes brightness a little; exposure and processing change it a lot",
    "Train with --step equalize or clahe and more --brightness and --contrast, and compare",
)
SHARPNESS: Final = Shortcut(
    "sharpness",
    "the sharpness of the picture alone",
    "class-from-sharpness",
    0.15,
    0.5,
    "The classes had other sizes or cameras before they were resized, and a model can see that",
    "Train with --blur, or with --step gaussian-3x3, and compare; look where the images come from",
)
FRAMES: Final = Shortcut(
    "frames",
    "the frames around the pictures alone",
    "class-from-frames",
    0.05,
    0.3,
    "A model can tell the class from the frame around the picture",
    "Train with --step crop-border",
)
MARKS: Final = Shortcut(
    "burnt-in marks",
    "burnt-in letters and markers alone",
    "class-from-marks",
    0.1,
    0.3,
    "Letters and markers show the hospital, and by it the class",
    "Look at them; paint them over or get the classes from one source",
)
BORDERS: Final = Shortcut(
    "borders only",
    "the borders alone (an eighth on each side)",
    "class-from-borders",
    0.15,
    0.4,
    "No lung is there, so it is the patient's age, the position, the exposure or the origin",
    "Do not take a high accuracy for sight of disease; test on a set from elsewhere",
)
NO_LUNGS: Final = Shortcut(
    "lungs blacked out",
    "the image with the lungs blacked out",
    "class-without-lungs",
    0.15,
    0.4,
    "Where lungs may be is hidden (the same place in every image), so it is mostly something else",
    "Do not take a high accuracy for sight of disease; test on a set from elsewhere",
)
ORIGIN: Final = Shortcut(
    "origin",
    "where the image comes from",
    "class-from-origin",
    0.05,
    0.3,
    "A model that tells the hospitals apart seems to tell the classes apart",
    "Mix sets only where each has every class, and test on a set that was not mixed in",
)


def shortcuts(material: Material, source: int) -> tuple[list[Finding], dict[str, Told | None]]:
    """Findings of one set, and what every probe told."""
    positions = material.positions(source)
    images = material.images[positions]
    headers = [material.headers[i] for i in positions]
    target = _target(material, positions)
    together = material.together[positions]
    frames, marks = features.frames(images), features.marks(images)
    pixels = features.small(images)
    tables = {
        SHAPE: features.shape(headers),
        FORMAT: features.file_format(headers),
        BRIGHTNESS: features.brightness(images),
        SHARPNESS: features.sharpness(images),
        FRAMES: frames,
        MARKS: marks,
    }
    everything = np.ones(pixels.shape[1:], bool)
    told: dict[str, Told | None] = {WHOLE: told_by_pixels(pixels, everything, target, together)}
    found = []
    for shortcut, table in tables.items():
        told[shortcut.name] = told_by_table(table, target, together)
    for shortcut, seen in ((BORDERS, features.border_mask()), (NO_LUNGS, features.no_lungs_mask())):
        told[shortcut.name] = told_by_pixels(pixels, seen, target, together)
    columns = {
        SHAPE: {2: "width:height"},
        BRIGHTNESS: {0: "mean grey level", 1: "deviation"},
        SHARPNESS: {0: "Laplacian over deviation"},
    }
    shares = {FRAMES: features.has_frame(frames), MARKS: features.has_mark(marks)}
    for shortcut in (*tables, BORDERS, NO_LUNGS):
        answer = told[shortcut.name]
        if answer is None or (severity := _severity(shortcut, answer)) is None:
            continue
        more = ""
        if shortcut in shares:
            more = "; " + _by_class(material, positions, shares[shortcut], shortcut.name)
        elif shortcut in columns:
            more = "".join(
                "; " + _medians(material, positions, tables[shortcut][:, column], words)
                for column, words in columns[shortcut].items()
            )
        elif (whole := told[WHOLE]) and shortcut in (BORDERS, NO_LUNGS):
            more = f"; from the whole image {whole.balanced_accuracy:.0%}"
        found.append(_finding(material, source, shortcut, severity, answer, more))
    return found, told


def origins(material: Material) -> list[Finding]:
    """Can the class be told from where an image comes from: set, and folder above the splits?"""
    labels = [plain(sample.label) for sample in material.samples]
    names = sorted(set(labels))
    target = np.array([names.index(label) for label in labels])
    where = [_origin(material, i) for i in range(len(labels))]
    places = sorted(set(where))
    if len(places) < 2:
        return []
    table = (np.array(where)[:, None] == np.array(places)).astype(np.float32)
    answer = told_by_table(table, target, material.together)
    if answer is None or (severity := _severity(ORIGIN, answer)) is None:
        return []
    alone = [
        f"{name} only from {places_of[0]}"
        for name in names
        if len(places_of := sorted({p for p, at in zip(where, labels, strict=True) if at == name}))
        == 1
    ]
    more = f"; {', '.join(alone)}" if alone else ""
    finding = _finding(material, 0, ORIGIN, severity, answer, more)
    sets = tuple(source.name for source in material.sources)
    return [finding.model_copy(update={"sets": sets})]


def shifts(material: Material, source: int) -> list[Finding]:
    """Do the images of a class differ between train and test, so that a probe can tell?"""
    positions = material.positions(source)
    splits = np.array([material.samples[i].split for i in positions])
    target = _target(material, positions)
    pixels = features.small(material.images[positions])
    everything = np.ones(pixels.shape[1:], bool)
    worst: tuple[float, Told, int] | None = None
    for label in np.unique(target):
        rows = np.isin(splits, ("train", "test")) & (target == label)
        answer = told_by_pixels(
            pixels[rows],
            everything,
            (splits[rows] == "test").astype(np.int64),
            material.together[positions][rows],
        )
        if answer and (worst is None or answer.sure_gain > worst[0]):
            worst = (answer.sure_gain, answer, int(np.flatnonzero(target == label)[0]))
    if worst is None or worst[0] < 0.15:
        return []
    _, answer, first = worst
    label = material.samples[positions[first]].label
    return [
        Finding(
            kind="test-differs-from-train",
            severity="medium",
            sets=(material.sources[source].name,),
            what=(
                f"A small probe tells test from train among the images of {label} with a balanced "
                f"accuracy of {_figure(answer)}"
            ),
            why="The splits come from different patients, machines or programs, so that validation "
            "images taken from train promise more than test gives",
            do="Expect that, and do not select on test; augment more",
        )
    ]


def _target(material: Material, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    labels = [material.samples[i].label for i in positions]
    names = sorted(set(labels))
    return np.array([names.index(label) for label in labels], np.int64)


def _severity(shortcut: Shortcut, answer: Told) -> Severity | None:
    if answer.sure_gain >= shortcut.high:
        return "high"
    return "medium" if answer.sure_gain >= shortcut.medium else None


def _finding(
    material: Material,
    source: int,
    shortcut: Shortcut,
    severity: Severity,
    answer: Told,
    more: str,
) -> Finding:
    return Finding(
        kind=shortcut.kind,
        severity=severity,
        sets=(material.sources[source].name,),
        what=f"The class can be told from {shortcut.words} with a balanced accuracy of "
        f"{_figure(answer)}{more}",
        why=shortcut.why,
        do=shortcut.do,
    )


def _figure(answer: Told) -> str:
    low, high = answer.ci95
    return f"{answer.balanced_accuracy:.0%} ({low:.0%} to {high:.0%}; chance {answer.chance:.0%})"


def _per_class(
    material: Material,
    positions: NDArray[np.int64],
    values: NDArray[np.float32],
    summary: Callable[[NDArray[np.float32]], str],
) -> str:
    labels = np.array([material.samples[i].label for i in positions])
    names = sorted(set(labels.tolist()))
    return ", ".join(f"{name} {summary(values[labels == name])}" for name in names)


def _by_class(
    material: Material, positions: NDArray[np.int64], has: NDArray[np.bool_], what: str
) -> str:
    shares = _per_class(material, positions, has.astype(np.float32), lambda v: f"{v.mean():.0%}")
    return f"images with {what}: {shares}"


def _medians(
    material: Material, positions: NDArray[np.int64], values: NDArray[np.float32], what: str
) -> str:
    middle = _per_class(material, positions, values, lambda v: f"{float(np.median(v)):.3g}")
    return f"median {what}: {middle}"


def _origin(material: Material, position: int) -> str:
    """The set, and the first folder if it is neither a split nor the class."""
    sample = material.samples[position]
    top, _, rest = sample.name.partition("/")
    name = material.sources[int(material.of_source[position])].name
    if not rest or split_name(top) or top == "all" or plain(top) == plain(sample.label):
        return name
    return f"{name}/{top}"
