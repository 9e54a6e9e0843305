# SPDX-License-Identifier: Apache-2.0
"""Small image folders for the tests of this room."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from edgecxr.data.dataset import Sample


def write_image(path: Path, text: str | None = None) -> Path:
    """A picture that depends only on ``text`` (the path's name if None): 12 × 10 gray pixels."""
    digest = hashlib.sha256((text or str(path)).encode()).digest()
    pixels = np.random.default_rng(list(digest)).integers(0, 256, (10, 12), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_tree(root: Path, counts: dict[str, int]) -> Path:
    """Folders such as ``train/a`` with so many pictures each."""
    for folder, count in counts.items():
        for number in range(count):
            write_image(root / folder / f"{number:03d}.png", f"{folder} {number}")
    return root


def sample(name: str, label: str, patient: str | None = None, sha256: str | None = None) -> Sample:
    """A sample without a file, in ``train``."""
    digest = sha256 if sha256 is not None else hashlib.sha256(name.encode()).hexdigest()
    return Sample(Path("/nowhere") / name, name, label, "train", patient or name, digest)
