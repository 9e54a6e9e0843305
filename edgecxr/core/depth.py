# SPDX-License-Identifier: Apache-2.0
"""How many bits of a deep image its detector used."""

from __future__ import annotations

from typing import Final

# Depths of X-ray detectors, in bits.
_DEPTHS: Final = (8, 10, 12, 14, 16, 32)


def significant_bits(brightest: int) -> int:
    """The detector depth, in bits, of an image with more than 8 bits per pixel.

    X-rays of 10, 12 or 14 bits are stored in 16-bit files, and neither PNG nor TIFF says which
    depth was meant. The smallest usual depth that holds the brightest pixel is taken: divided by
    the container's full range, a 12-bit X-ray would come out nearly black. X-rays have a pixel
    near the top of their range almost always (a side marker, the background), so that the images
    of one detector agree on their depth.
    """
    return next(bits for bits in _DEPTHS if brightest < 2**bits)
