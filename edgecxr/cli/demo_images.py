# SPDX-License-Identifier: Apache-2.0
"""The images of the demo: phantoms of this program's own, handed from data to export and bench."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecxr.export.demo import DemoImage


def demo_images(shape: Sequence[int]) -> tuple[DemoImage, ...]:
    """What firmware for this input shape (1, height, width, channels) shows; none in colour."""
    from edgecxr.data.phantom import demo_phantoms
    from edgecxr.export.demo import DemoImage

    if len(shape) != 4 or shape[3] != 1:
        return ()
    _, height, width, _ = shape
    return tuple(DemoImage(*item) for item in demo_phantoms(height, width).items())


def demo_pixels(height: int, width: int) -> dict[str, NDArray[np.uint8]]:
    """The demo's images as a board unpacks them, by name: uint8 (height, width)."""
    from edgecxr.export.demo import pack, unpack

    images = demo_images((1, height, width, 1))
    return {image.name: unpack(pack(image.pixels), height, width) for image in images}
