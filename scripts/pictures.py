# SPDX-License-Identifier: Apache-2.0
"""The pictures of the README, made anew: `make pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image, ImageOps

from edgecxr.data.phantom import write_phantoms

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
COLUMNS = 5


def phantom_sheet() -> Image.Image:
    """A row of synthetic images for each class."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "phantoms"
        write_phantoms(folder, train=COLUMNS, test=1, size=160)
        rows = []
        for label in ("normal", "focal_lobar", "bilateral_peripheral"):
            paths = sorted((folder / "train" / label).glob("*.png"))
            rows.append([Image.open(path).convert("L") for path in paths])
    sheet = Image.new("L", (COLUMNS * 164, len(rows) * 164), 255)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            sheet.paste(ImageOps.expand(image, 2, 255), (x * 164, y * 164))
    return sheet


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    phantom_sheet().save(IMAGES / "phantoms.png", optimize=True)
