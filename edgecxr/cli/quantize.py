# SPDX-License-Identifier: Apache-2.0
"""``edgecxr quantize``: completes a bundle with float32.tflite and int8.tflite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.calibrate import decision_parts
from edgecxr.cli.images import load_for
from edgecxr.cli.terminal import show

if TYPE_CHECKING:
    from edgecxr.training.quantize import Quantized


def quantize(
    model: Annotated[Path, typer.Argument(help="A bundle that `edgecxr train` made.")],
    data: Annotated[Path, typer.Option("--data", help="The images that it was trained on.")],
    representative: Annotated[
        int | None,
        typer.Option(
            help="Images in the representative dataset.",
            min=1,
            show_default="256, or all training images if there are fewer",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draw of those images.", min=0)] = 1,
    force: common.ForceOption = False,
    skip_unreadable: common.SkipOption = False,
    cache: common.CacheOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Quantize to int8 after training, with a stratified draw of training images.

    Also chooses, on the validation images, a temperature for the confidence, a score below which
    an image is "uncertain", and conformal sets; `edgecxr calibrate` chooses others.

    The input scale is exactly 1/128 and the zero point 0, so an int8 input is pixel − 128.
    """
    from edgecxr.core.bundle import Bundle
    from edgecxr.errors import OutputError
    from edgecxr.training import quantize as stage
    from edgecxr.training.train import images_of

    bundle = Bundle.open(model)
    bundle.refuse_change()
    bundle.path("keras")
    if "int8" in bundle.manifest.files and not force:
        raise OutputError(f"{model} is quantized already; pass --force to do it again")
    source = load_for(bundle, data, None, common.reading(cache, None, skip_unreadable))
    if source.fingerprint != bundle.manifest.trained.dataset_fingerprint:
        common.note(f"Note: {data} does not hold the same images as {model} was trained on.")
    common.note("Converting to float32 and to int8.")
    train = images_of(source.data, "train")
    representative = representative or min(stage.REPRESENTATIVE_IMAGES, len(train.labels))
    with common.quiet():
        result = stage.quantize(
            bundle,
            train,
            images_of(source.data, "val"),
            representative=representative,
            seed=seed,
        )
    _report(result, as_json)


def _report(result: Quantized, as_json: bool) -> None:
    manifest = result.bundle.manifest
    sizes = {kind: manifest.files[kind].size for kind in ("float32", "int8")}
    if as_json:
        common.print_json(
            {
                "model": str(result.bundle.folder),
                "float32_bytes": sizes["float32"],
                "int8_bytes": sizes["int8"],
                "validation_images": result.validation_images,
                "validation_agreement": result.agreement,
                "quantization": manifest.quantization.model_dump(mode="json")
                if manifest.quantization
                else None,
                "decision": manifest.decision.model_dump(mode="json")
                if manifest.decision
                else None,
            }
        )
        return
    common.say(
        f"float32.tflite {sizes['float32']:,} bytes, int8.tflite {sizes['int8']:,} bytes "
        f"({sizes['float32'] / sizes['int8']:.1f} times smaller)"
    )
    common.say(
        f"same class from both on {100 * result.agreement:.1f} % "
        f"of {result.validation_images} validation images"
    )
    if manifest.decision is None:
        common.note('Note: too few validation images to choose when to say "uncertain".')
    else:
        common.say()
        show(decision_parts(manifest.decision))
