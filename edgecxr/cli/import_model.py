# SPDX-License-Identifier: Apache-2.0
"""``edgecxr import``: a foreign ``.tflite`` file → a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common

if TYPE_CHECKING:
    from edgecxr.core.bundle import Imported, Manifest
    from edgecxr.core.interpreter import Interpreter
    from edgecxr.core.pixels import PixelRange
    from edgecxr.core.preprocess import Preprocessing

RESIZE = "squash"


def import_model(
    model: Annotated[
        Path, typer.Argument(metavar="FILE.tflite", help="An int8, uint8 or float32 one.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The bundle to write.")],
    labels: Annotated[
        str,
        typer.Option(
            help="The classes in the order of the model's outputs: a,b,c, or a text file with one "
            "label per line."
        ),
    ],
    resize: Annotated[
        str,
        typer.Option(
            help="How images become the model's size: squash, fit-shortest, fit-longest or "
            "reflect-pad, as in the tool that it came from."
        ),
    ] = RESIZE,
    input_range: Annotated[
        str | None,
        typer.Option(
            metavar="RANGE",
            help="Which numbers the model was trained on where pixels are 0 to 255: 0..1 (Edge "
            "Impulse), -1..1 (Teachable Machine) or 0..255. Needed for float32; an int8 model says "
            "it by its quantization, which a range may not contradict.",
        ),
    ] = None,
    force: common.ForceOption = False,
    as_json: common.JsonOption = False,
) -> None:
    """Check a model from elsewhere (Edge Impulse, Teachable Machine, …) and make a bundle of it.

    export, flash, bench and classify then work on it. A gray image goes into all three channels of
    an RGB model. A model that takes uint8 gets int8 ends, with the same scores.
    """
    from edgecxr.core.bundle import Imported, check_bundle_name, write_manifest
    from edgecxr.core.files import new_folder, refuse_existing, sha256, write_atomic
    from edgecxr.core.interpreter import open_interpreter, read_model
    from edgecxr.core.preprocess import Preprocessing
    from edgecxr.core.text import one_line
    from edgecxr.export.foreign import adapt
    from edgecxr.export.reader import read_tflite

    check_bundle_name(out)
    refuse_existing(out, force, mark="manifest.json")
    pixels, given = _range(input_range), read_model(model)
    data = adapt(given, pixels)
    graph = read_tflite(data)
    interpreter = open_interpreter(data, kernels="reference")
    _check_range(model, interpreter)
    names = _labels(labels, interpreter.classes)
    _, height, width, channels = interpreter.input.shape
    _check_channels(model, channels)
    steps = Preprocessing.of(resize, height=height, width=width)
    origin = Imported(
        file=one_line(model.name), sha256=sha256(given), input_range=interpreter.pixels
    )
    manifest = _manifest(out.name, origin, data, names, interpreter, steps)
    with new_folder(out, force=force, mark="manifest.json") as folder:
        write_atomic(folder / f"{interpreter.precision}.tflite", data)
        write_manifest(folder, manifest)
    facts = {
        "out": str(out),
        "precision": interpreter.precision,
        "labels": list(names),
        "input": [height, width, channels],
        "input_range": interpreter.pixels,
        "operators": list(graph.op_names),
        "sha256": graph.sha256,
    }
    if as_json:
        common.print_json(facts)
        return
    common.say(
        f"{one_line(str(out))}: {interpreter.precision}, {width}×{height}×{channels}, "
        f"{', '.join(names)}"
    )
    common.say(f"operators {', '.join(map(one_line, graph.op_names))}")
    common.say(f"\nNext: measure it, `edgecxr bench {one_line(str(out))} --data IMAGES`.")


def _labels(text: str, classes: int) -> tuple[str, ...]:
    from edgecxr.core.labels import label_lines
    from edgecxr.core.text import fault_of_labels, listed
    from edgecxr.errors import UsageError

    from_file = label_lines(text)
    parts = text.split(",") if from_file is None else from_file
    names = tuple(part.strip() for part in parts if part.strip())
    # Teachable Machine numbers its labels: "0 Normal".
    if from_file and all(name.split(" ")[0] == str(i) for i, name in enumerate(names)):
        names = tuple(name.partition(" ")[2] or name for name in names)
    fault = fault_of_labels(names)
    if len(names) != classes or fault is not None:
        found = f"{fault or len(names)}: {listed(names)}" if names else "none"
        raise UsageError(
            f"expected {classes} different labels, one for each of the model's outputs (two at "
            f"least), found {found}; give them with --labels"
        )
    return names


def _range(text: str | None) -> PixelRange | None:
    from edgecxr.core.pixels import RANGES
    from edgecxr.errors import UsageError

    for known in RANGES:
        if text == known:
            return known
    if text is not None:
        raise UsageError(f"expected {', '.join(RANGES)} for --input-range, found {text}")
    return None


def _check_range(model: Path, interpreter: Interpreter) -> None:
    from edgecxr.core.pixels import pixel_reals
    from edgecxr.errors import UsageError

    pixels = interpreter.pixels
    if interpreter.precision == "float32":
        if pixels is None:
            raise UsageError(
                f"{model} takes float32, which does not say what it was trained on; give "
                "--input-range 0..1 (Edge Impulse), -1..1 (Teachable Machine, Keras' MobileNet) or "
                "0..255"
            )
        return
    if pixels is None:
        return
    port = interpreter.input
    low, high = (port.scale * (end - port.zero_point) for end in (-128, 127))
    darkest, brightest = (float(end) for end in pixel_reals(pixels)[[0, 255]])
    # Calibration may miss the ends by a step, and our own 127/128 is one short of 1.
    if darkest < low - 2 * port.scale or brightest > high + 2 * port.scale:
        raise UsageError(
            f"{model} takes int8 for numbers from {low:.3g} to {high:.3g}, and its pixels are said "
            f"to be {pixels}; give the --input-range that it was trained on, or leave it out"
        )


def _check_channels(model: Path, channels: int) -> None:
    from edgecxr.errors import ModelError

    if channels not in (1, 3):
        raise ModelError(
            f"{model} takes images of {channels} channels, expected 1 (gray) or 3 (RGB); "
            "convert another model"
        )


def _manifest(
    name: str,
    origin: Imported,
    data: bytes,
    labels: tuple[str, ...],
    interpreter: Interpreter,
    steps: Preprocessing,
) -> Manifest:
    from edgecxr import __version__
    from edgecxr.core.bundle import FILES, FileRecord, InputShape, Manifest
    from edgecxr.core.files import sha256

    _, height, width, channels = interpreter.input.shape
    digest = sha256(data)
    kind = interpreter.precision
    return Manifest(
        name=name,
        labels=labels,
        input=InputShape(height=height, width=width, channels=channels),
        preprocessing=steps,
        synthetic_data=False,
        architecture=None,
        training=None,
        imported=origin,
        documents={},
        tools={"edgecxr": __version__, interpreter.name: interpreter.version},
        files={kind: FileRecord(path=FILES[kind], size=len(data), sha256=digest)},
    )
