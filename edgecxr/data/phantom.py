# SPDX-License-Identifier: Apache-2.0
"""A folder of phantoms: the built-in default data, labelled synthetic in every way there is."""

from __future__ import annotations

import hashlib
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from edgecxr.core.files import new_folder
from edgecxr.data.anatomy import OPACITIES, draw
from edgecxr.data.dataset import SYNTHETIC_MARKER, SYNTHETIC_PREFIX
from edgecxr.data.layout import SPLITS
from edgecxr.data.parallel import Progress, map_parallel
from edgecxr.errors import UsageError

_DEMO_SIZE: Final = 192

_NOTICE: Final = """\
SYNTHETIC

These images are phantoms, drawn by edgecxr from formulas (seed {seed}). No patient is shown.
They are for trying the tool. No figure measured on them says anything about X-rays of people.
"""


def write_phantoms(
    folder: Path,
    *,
    train: int = 600,
    val: int = 0,
    test: int = 100,
    seed: int = 0,
    size: int = 192,
    force: bool = False,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write ``<split>/<class>/synthetic_<number>.png``: 8-bit gray, ``size`` × ``size``.

    The same arguments give the same pictures. The word SYNTHETIC is in a file of the folder, in
    every file name, in a text chunk of every PNG and burnt into its pixels.

    Args:
        train, val, test: images per class; a split with 0 is left out.

    Returns:
        Images per split and class.

    Raises:
        UsageError: for counts or a size that cannot be meant.
        OutputError: if ``folder`` exists and ``force`` is false or it holds no phantoms, or cannot
            be written.
    """
    counts = {s: n for s, n in zip(SPLITS, (train, val, test), strict=True) if n}
    if not counts or min(counts.values()) < 0:
        raise UsageError(
            f"phantoms per class must be 0 or more, and not all 0; found train {train}, val {val}, "
            f"test {test}"
        )
    if not 64 <= size <= 1024:
        raise UsageError(f"phantoms have 64 to 1024 pixels along an edge, found {size}")
    jobs = [(s, label, i) for s, n in counts.items() for label in OPACITIES for i in range(n)]
    with new_folder(folder, force=force, mark=SYNTHETIC_MARKER) as temporary:
        (temporary / SYNTHETIC_MARKER).write_text(_NOTICE.format(seed=seed), encoding="utf-8")
        for split in counts:
            for label in OPACITIES:
                (temporary / split / label).mkdir(parents=True)

        def write(job: tuple[str, str, int]) -> None:
            split, label, number = job
            name = f"{SYNTHETIC_PREFIX}{number:05d}.png"
            (temporary / split / label / name).write_bytes(_png(split, label, number, seed, size))

        for _ in map_parallel(write, jobs, description="Drawing phantoms", progress=progress):
            pass
    return {split: dict.fromkeys(OPACITIES, count) for split, count in counts.items()}


def demo_phantoms(height: int, width: int) -> dict[str, NDArray[np.uint8]]:
    """One phantom of each class, the same ones each time, by name: uint8 (height, width).

    Every name starts with the word that marks synthetic images.
    """
    return {
        SYNTHETIC_PREFIX + label: np.asarray(
            _picture("demo", label, 0, 0, _DEMO_SIZE).resize((width, height), Image.Resampling.BOX)
        )
        for label in OPACITIES
    }


def _picture(split: str, label: str, number: int, seed: int, size: int) -> Image.Image:
    # Seeded by what the image is, so that asking for more images leaves the first ones as they are.
    digest = hashlib.sha256(f"{seed} {split} {label} {number}".encode()).digest()
    pixels = draw(label, np.random.default_rng(int.from_bytes(digest[:8], "little")), size)
    image = Image.fromarray(pixels)
    image.paste(_stamp(), (0, size - _stamp().height))  # alike in every class
    return image


def _png(split: str, label: str, number: int, seed: int, size: int) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", f"SYNTHETIC phantom by edgecxr, class {label}, seed {seed}")
    buffer = BytesIO()
    image = _picture(split, label, number, seed, size)
    image.save(buffer, "PNG", pnginfo=text, compress_level=1)
    return buffer.getvalue()


@cache
def _stamp() -> Image.Image:
    """The word SYNTHETIC, bright on black."""
    # Pillow's built-in bitmap font: the same pixels on every machine.
    font = ImageFont.load_default_imagefont()
    left, top, right, bottom = (int(edge) for edge in font.getbbox("SYNTHETIC"))
    image = Image.new("L", (right - left + 4, bottom - top + 2))
    ImageDraw.Draw(image).text((2 - left, 1 - top), "SYNTHETIC", fill=230, font=font)
    return image
