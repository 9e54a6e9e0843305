# SPDX-License-Identifier: Apache-2.0
"""Drawn pictures for tests that need pixels but no X-ray."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def blocky_images(count: int = 24, seed: int = 5) -> NDArray[np.uint8]:
    """Seeded gray pictures, shape (count, 96, 96): blocks of 2 to 24 pixels, dark and bright."""
    generator = np.random.default_rng(seed)
    images = np.empty((count, 96, 96), np.uint8)
    for image in images:
        size = int(generator.choice([2, 4, 8, 12, 24]))
        low, high = np.sort(generator.integers(0, 256, 2))
        blocks = generator.integers(low, high + 1, (96 // size, 96 // size))
        image[:] = np.kron(blocks, np.ones((size, size), np.int64))
    return images
