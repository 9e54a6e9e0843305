# SPDX-License-Identifier: Apache-2.0
"""``edgecxr explain``: what in an X-ray speaks for a class."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecxr.cli import common
from edgecxr.cli.images import load_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecxr.core.bundle import Bundle
    from edgecxr.training.explain import Explainer

SHOWN_WIDTH = 384


def explain(
    image: Annotated[
        Path | None, typer.Argument(metavar="IMAGE", help="An image file.", show_default=False)
    ] = None,
    model: Annotated[Path, typer.Option(metavar="BUNDLE", help="A bundle folder.")] = Path(
        "models/cxr3"
    ),
    label: Annotated[
        str | None,
        typer.Option("--class", help="The class to explain.", show_default="the top class"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="A PNG file: the image, and the heat over it.", show_default=False
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="In place of an image: measure the share of the heat inside the lungs on a set.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="With --data: which split of it.")] = "val",
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="With --data: use so many images, evenly spaced over the split."),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            help="The layer whose feature maps are weighed.",
            show_default="the last one of at least 6×6 cells",
        ),
    ] = None,
    skip_unreadable: common.SkipOption = False,
    cache: common.CacheOption = None,
    force: common.ForceOption = False,
    as_json: common.JsonOption = False,
) -> None:
    """Show with Grad-CAM what in an image speaks for a class, or whether it lies in the lungs.

    It is computed on the float32 Keras model and needs tensorflow. The lungs are an estimate from
    the pixels (see docs/uncertainty.md).
    """
    from edgecxr.core.bundle import Bundle
    from edgecxr.core.files import refuse_existing
    from edgecxr.errors import UsageError
    from edgecxr.training.explain import Explainer

    if (image is None) == (data is None):
        raise UsageError("expected an image or --data, found both or none; name one")
    if image is not None and out is None:
        raise UsageError("expected --out for the picture, found none; name a PNG file")
    if out is not None:
        refuse_existing(out, force)
    bundle = Bundle.open(model)
    wanted = None if label is None else _index(bundle, label)
    with common.quiet():
        explainer = Explainer(bundle, layer)
    if image is not None and out is not None:
        report = _one(explainer, bundle, image, wanted, out)
    else:
        assert data is not None
        reading = common.reading(cache, None, skip_unreadable)
        source = load_for(bundle, data, split, reading)
        report = _many(explainer, source.data.images, wanted, limit)
    if as_json:
        common.print_json({"model": bundle.manifest.name, **report})
    else:
        common.say(_text(report))


def _index(bundle: Bundle, label: str) -> int:
    from edgecxr.errors import UsageError

    labels = bundle.manifest.labels
    if label not in labels:
        raise UsageError(f"expected a class of {', '.join(labels)}, found {label!r}")
    return labels.index(label)


def _one(
    explainer: Explainer, bundle: Bundle, path: Path, wanted: int | None, out: Path
) -> dict[str, object]:
    from edgecxr.core.files import write_atomic

    pixels = bundle.manifest.preprocessing.load(path)
    found = explainer.explain(pixels, wanted)
    write_atomic(out, _picture(pixels, found.heat))
    labels = bundle.manifest.labels
    return {
        "file": str(path),
        "out": str(out),
        "label": labels[int(found.scores.argmax())],
        "explained": labels[found.explained],
        "score": float(found.scores[found.explained]),
        "layer": explainer.layer,
        "cells": list(explainer.cells),
        "in_lungs": _inside(pixels, found.heat),
        "lung_area": _lung_area(pixels),
    }


def _many(
    explainer: Explainer, images: NDArray[np.uint8], wanted: int | None, limit: int | None
) -> dict[str, object]:
    """Means over a set; an image in which nothing speaks for the class has no share."""
    import numpy as np

    # Samples come class by class, so the first N would be of one class.
    count = min(limit or len(images), len(images))
    chosen = images[np.linspace(0, len(images), count, endpoint=False).astype(int)]
    shares = []
    with common.progress_bar("Explaining", count) as advance:
        for pixels in chosen:
            shares.append(_inside(pixels, explainer.explain(pixels, wanted).heat))
            advance(1)
    known = np.array([share for share in shares if share is not None])
    area = float(np.mean([_lung_area(pixels) for pixels in chosen]))
    spread = float(known.std(ddof=1)) if len(known) > 1 else None
    return {
        "images": count,
        "without_heat": count - len(known),
        "layer": explainer.layer,
        "cells": list(explainer.cells),
        "in_lungs": float(known.mean()) if len(known) else None,
        "in_lungs_sd": spread,
        "in_lungs_ci95": _interval(float(known.mean()), spread, len(known)) if spread else None,
        "lung_area": area,
    }


def _interval(mean: float, spread: float, count: int) -> list[float]:
    from scipy.stats import t

    half = float(t.ppf(0.975, count - 1)) * spread / count**0.5
    return [mean - half, mean + half]


def _inside(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> float | None:
    from edgecxr.core.lungs import lung_region

    total = float(heat.sum())
    return float(heat[lung_region(pixels)].sum()) / total if total > 0 else None


def _lung_area(pixels: NDArray[np.uint8]) -> float:
    from edgecxr.core.lungs import lung_region

    return float(lung_region(pixels).mean())


def _picture(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> bytes:
    """PNG: the image, and the image with the heat over it and the lungs' outline."""
    import numpy as np
    from PIL import Image

    over = overlay(pixels, heat)
    bicubic = Image.Resampling.BICUBIC
    gray = np.asarray(Image.fromarray(pixels).resize((over.shape[1], over.shape[0]), bicubic))
    plain = np.repeat(gray[..., np.newaxis], 3, axis=-1)
    gap = np.full((len(over), 8, 3), 255, np.uint8)
    return png(np.concatenate([plain, gap, over], axis=1))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of gray (height, width) or RGB (height, width, 3)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The image, enlarged to about 384 pixels, with the heat over it and the lungs' outline: RGB.

    Args:
        pixels, heat: both (height, width); heat from 0 to 1.
    """
    import numpy as np
    from PIL import Image
    from scipy.ndimage import binary_erosion

    from edgecxr.core.heat import over_image
    from edgecxr.core.lungs import lung_region

    scale = max(1, round(SHOWN_WIDTH / pixels.shape[1]))
    size = (pixels.shape[1] * scale, pixels.shape[0] * scale)
    over = over_image(pixels, heat, scale)
    lungs = np.asarray(Image.fromarray(lung_region(pixels)).resize(size, Image.Resampling.NEAREST))
    over[lungs & ~binary_erosion(lungs)] = (120, 220, 255)
    return np.asarray(np.clip(over + 0.5, 0, 255), np.uint8)


def _text(report: dict[str, object]) -> str:
    from edgecxr.core.result import percent
    from edgecxr.core.text import one_line

    def share(name: str) -> str:
        value = report[name]
        return percent(value if isinstance(value, float) else None)

    cells = report["cells"]
    size = "×".join(map(str, cells)) if isinstance(cells, list) else ""
    where = f"Grad-CAM at {report['layer']}, {size} cells"
    inside = "nothing here speaks for the class, so there is no heat"
    if report["in_lungs"] is not None:
        inside = f"{share('in_lungs')} % of the heat lies in the lungs (an estimate)"
    even = f"evenly spread heat would have {share('lung_area')} % there"
    if "file" in report:
        head = f"{one_line(str(report['file']))}: {report['label']}; shown is what speaks for "
        wrote = f"Wrote {one_line(str(report['out']))}."
        return f"{head}{report['explained']}\n{where}: {inside}; {even}.\n{wrote}"
    interval = report["in_lungs_ci95"]
    if isinstance(interval, list):
        inside += f", 95 % interval {percent(interval[0])}–{percent(interval[1])}"
    none = f"; {report['without_heat']} of them without any heat" if report["without_heat"] else ""
    return f"{where}, {report['images']} images{none}:\n{inside}; {even}."
