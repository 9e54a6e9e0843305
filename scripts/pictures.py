# SPDX-License-Identifier: Apache-2.0
"""The pictures of the README, made anew: `make pictures`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

from edgecxr.data.phantom import write_phantoms

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
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


def report_page(target: Path) -> None:
    """The upper part of the report on models/cxr3: figures only, no image of a data set."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        edgecxr = [sys.executable, "-m", "edgecxr"]
        export = ["export", "models/cxr3", "--format", "c", "--out", str(folder / "c")]
        subprocess.run([*edgecxr, *export], cwd=ROOT, check=True)
        results = ["models/cxr3", str(folder / "c" / "plan.json"), "benchmarks/results/engine.json"]
        page = folder / "report.html"
        subprocess.run([*edgecxr, "report", *results, "--html", str(page)], cwd=ROOT, check=True)
        with sync_playwright() as started:
            chromium = started.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            shown = chromium.new_page(viewport={"width": 1100, "height": 1000})
            shown.goto(page.as_uri())
            # Sections that need images say so; a picture of what is there tells more.
            shown.add_style_tag(content="section:has(.missing) { display: none }")
            shown.screenshot(
                path=target, clip={"x": 0, "y": 0, "width": 1100, "height": 1750}, full_page=True
            )
            chromium.close()


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    report_page(IMAGES / "report.png")
    phantom_sheet().save(IMAGES / "phantoms.png", optimize=True)
