# SPDX-License-Identifier: Apache-2.0
"""The map of the features, and the mistakes as images."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from edgecxr.core.heat import over_image
from edgecxr.report.seen import Seen, data_uri, projected, thumbnails, worst_mistakes

SIDE = 1000
MISTAKES = 12
POINTS = 1500
"""More cannot be told apart, and make the page slow."""


def explorer(seen: Seen, labels: tuple[str, ...], budget: int) -> dict[str, Any] | None:
    """Points from 0 to 1000, with what the reader sees on them; None without features.

    Args:
        budget: bytes for the images; 0 for none.
    """
    if seen.features is None or len(seen.features) < 3 or seen.features.shape[1] < 2:
        return None
    places, explained = projected(seen.features)
    called = seen.int8.argmax(axis=1)
    wrong = [int(i) for i in np.flatnonzero(called != seen.truth)]
    step = max(1, -(-len(places) // POINTS))
    shown = sorted({*range(0, len(places), step), *wrong[:POINTS]})
    first = [place for place, i in enumerate(shown) if called[i] != seen.truth[i]]
    uris = thumbnails(seen.images[shown], first, budget) if budget else {}
    points = [
        {
            "x": round(40 + (SIDE - 80) * float(places[i, 0]), 1),
            "y": round(SIDE - 40 - (SIDE - 80) * float(places[i, 1]), 1),
            "truth": int(seen.truth[i]),
            "right": bool(called[i] == seen.truth[i]),
            "text": _about(seen, labels, i),
            "image": uris.get(place, ""),
        }
        for place, i in enumerate(shown)
    ]
    # Crosses are drawn last, so that no dot hides them.
    points.sort(key=lambda point: not point["right"])
    return {"points": points, "explained": explained, "of": len(places), "wrong": len(wrong)}


def _about(seen: Seen, labels: tuple[str, ...], index: int) -> str:
    said, is_ = int(seen.int8[index].argmax()), int(seen.truth[index])
    score = 100 * float(seen.int8[index, said])
    return f"{seen.names[index]}: is {labels[is_]}, int8 says {labels[said]} ({score:.0f} %)"


def mistakes(seen: Seen, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    """What int8 gets wrong with the highest scores: the image, and with the heat if it is there."""
    heat = dict(seen.heat)
    shown = []
    for index in worst_mistakes(seen.int8, seen.truth, MISTAKES):
        pixels = seen.images[index]
        large = Image.fromarray(pixels).resize(
            (pixels.shape[1] * 2, pixels.shape[0] * 2), Image.Resampling.BICUBIC
        )
        over = ""
        if index in heat:
            mixed = np.clip(over_image(pixels, heat[index], 2) + 0.5, 0, 255).astype(np.uint8)
            over = data_uri(Image.fromarray(mixed), 70)
        said = int(seen.int8[index].argmax())
        shown.append(
            {
                "name": seen.names[index],
                "truth": labels[int(seen.truth[index])],
                "said": labels[said],
                "score": float(seen.int8[index, said]),
                "image": data_uri(large, 70),
                "heat": over,
            }
        )
    return shown
