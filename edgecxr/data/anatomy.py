# SPDX-License-Identifier: Apache-2.0
"""Synthetic chest X-rays, drawn from formulas: what a phantom looks like.

Lengths are in half images: x from −1 (image left, the patient's right) to 1, y from −1 (top) to 1.
Brightness is attenuation, as a radiograph shows it: air 0, soft tissue about 0.6, bone on top.
Everything but the opacities is drawn from the same distributions for every class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

Plane: TypeAlias = NDArray[np.float32]
Field: TypeAlias = NDArray[np.floating[Any]]

_LUNG_AIR: Final = 0.40  # what a healthy lung takes away from soft tissue


@dataclass(frozen=True)
class Chest:
    """One imaginary patient on the detector. Planes are float32 (size, size).

    Attributes:
        x, y: the patient's coordinates of every pixel (turned, shifted and scaled).
        side: the distance from the midline, |x|.
        inner, outer: where the lung begins and ends, as a distance from the midline.
        lung: 1 inside the lungs, 0 outside.
        width: half the rib cage where it is widest.
        top: y of the apex of the lungs.
        base: y of the domes of the diaphragm, at the middle of each lung.
    """

    rng: np.random.Generator
    x: Plane
    y: Plane
    side: Plane
    inner: Plane
    outer: Plane
    lung: Plane
    width: float
    top: float
    base: Plane

    @property
    def size(self) -> int:
        """Pixels along one edge."""
        return len(self.x)


def step(value: Field, edge: float) -> Plane:
    """0 where ``value`` is negative, 1 where it is positive, over about ``edge`` to either side."""
    return np.asarray(0.5 + 0.5 * np.tanh(value * (2 / edge)), np.float32)


def bump(value: Field, width: float) -> Plane:
    """A bell around 0."""
    return np.asarray(np.exp(-np.square(value * (1 / width))), np.float32)


def arch(value: Field) -> Plane:
    """A quarter of an ellipse: from 0 at 0, steep at first, to 1 at 1 and above."""
    return np.asarray(np.sqrt(1 - np.square(1 - np.clip(value, 0, 1))), np.float32)


def noise(rng: np.random.Generator, size: int, grain: float) -> Plane:
    """Smooth noise of mean 0 and deviation about 1, with a grain of ``grain`` half images."""
    cells = max(4, round(2 / grain))
    coarse = 1.3 * rng.standard_normal((cells, cells), np.float32)
    image = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)


def new_chest(rng: np.random.Generator, size: int) -> Chest:
    """A patient of random build, position and breath."""
    x, y = _position(rng, size)
    side = np.abs(x)
    right = x < 0  # the patient's right is on the image's left, as in every radiograph
    width = rng.uniform(0.64, 0.76)
    top = rng.uniform(-0.80, -0.68)
    apex = rng.uniform(0.42, 0.50) * width
    depth = (y - top) / (0.40 - top)
    outer = apex + (width - apex) * arch(depth)
    outer = np.where(depth < 0, -0.2, outer - 0.05 * np.maximum(depth - 1, 0))
    inner = apex - (apex - _midline_border(rng, y, right)) * arch(2.2 * depth)
    dome = rng.uniform(0.36, 0.58) + rng.uniform(0.01, 0.08) * step(x, 0.01)
    along = (side - 0.48 * width) / width
    # Steep at the rib cage, flat towards the heart, which rests on the diaphragm.
    rise = np.where(along > 0, np.float32(rng.uniform(0.7, 1.1)), np.float32(0.25))
    base = dome + rise * np.square(along)
    lung = step(outer - side, 0.025) * step(side - inner, 0.05) * step(base - y, 0.022)
    return Chest(
        rng=rng,
        x=x,
        y=y,
        side=side,
        inner=inner.astype(np.float32),
        outer=outer.astype(np.float32),
        lung=lung,
        width=width,
        top=top,
        base=base.astype(np.float32),
    )


def _position(rng: np.random.Generator, size: int) -> tuple[Plane, Plane]:
    """The patient's x and y of each pixel: turned, shifted, scaled, and no two of one shape."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    px, py = np.meshgrid(axis - rng.normal(0, 0.04), axis - rng.normal(0, 0.04))
    turn = math.radians(rng.normal(0, 2.5))
    zoom = rng.uniform(0.92, 1.08)
    tall = zoom * rng.uniform(0.94, 1.06)
    x = zoom * (math.cos(turn) * px + math.sin(turn) * py) + 0.014 * noise(rng, size, 0.5)
    y = tall * (math.cos(turn) * py - math.sin(turn) * px) + 0.014 * noise(rng, size, 0.5)
    return x.astype(np.float32), y.astype(np.float32)


def _midline_border(rng: np.random.Generator, y: Plane, right: NDArray[np.bool_]) -> Plane:
    """Distance of the mediastinum's border from the midline: aorta, hilum and heart."""
    heart = rng.uniform(0.30, 0.44)
    level = rng.uniform(0.20, 0.34)
    left_border = 0.12 + (heart - 0.12) * bump(y - level, 0.36) + 0.05 * bump(y + 0.36, 0.09)
    right_border = 0.11 + rng.uniform(0.05, 0.13) * bump(y - level, 0.32)
    wobble = 0.008 * noise(rng, len(y), 0.15)
    return np.asarray(np.where(right, right_border, left_border) + wobble, np.float32)


def _body(chest: Chest) -> Plane:
    """Soft tissue of trunk, shoulders and neck, thinner towards the skin."""
    rng, y, side = chest.rng, chest.y, chest.side
    axilla = rng.uniform(-0.35, -0.05)
    trunk = (
        chest.width + rng.uniform(0.08, 0.20) + rng.uniform(1.0, 2.2) * np.maximum(axilla - y, 0)
    )
    shoulder = y - (-1.02 + rng.uniform(0.35, 0.6) * np.maximum(side - 0.26, 0))
    neck = (0.27 - side) * 1.5
    inside = np.minimum(trunk + 0.05 * y - side, np.maximum(shoulder, neck))
    depth = 1 - np.exp(-np.maximum(inside, 0) / rng.uniform(0.05, 0.10))
    return np.asarray(0.60 * depth, np.float32)


def _ribs(chest: Chest) -> Plane:
    """Stripes that fall outwards (behind) and inwards (in front, only near the side)."""
    rng, y, side = chest.rng, chest.y, chest.side
    wobble = 0.12 * noise(rng, chest.size, 0.7)
    along = side / chest.width
    spacing = rng.uniform(0.125, 0.15)

    def stripes(phase: Field, share: float) -> Field:
        wave = np.cos(2 * np.pi * phase) - math.cos(math.pi * share)
        return 0.7 * step(wave, 0.5) + 0.5 * bump(wave, 0.28)

    behind = stripes((y - 0.36 * along**2 + 0.12 * along) / spacing + wobble, 0.44)
    behind *= step(side - 0.10, 0.04) * (0.4 + 0.6 * along)
    front = stripes((y + 0.50 * along) / (spacing * 1.3) + wobble + rng.uniform(0, 1), 0.42)
    front *= step(along - rng.uniform(0.35, 0.55), 0.14) * step(y + 0.40, 0.15)
    rim = bump(side - chest.outer - 0.012, 0.022) * (0.5 + 0.6 * behind)
    cage = step(chest.outer + 0.035 - side, 0.02) * step(chest.base + 0.22 - y, 0.1)
    ribs = cage * (rng.uniform(0.07, 0.12) * behind + rng.uniform(0.02, 0.055) * front)
    return np.asarray(ribs + 0.08 * rim * step(chest.base + 0.1 - y, 0.1), np.float32)


def _spine_and_clavicles(chest: Chest) -> Plane:
    rng, x, y, side = chest.rng, chest.x, chest.y, chest.side
    discs = np.cos(2 * np.pi * y / rng.uniform(0.12, 0.14))
    spine = rng.uniform(0.06, 0.11) + 0.022 * discs + 0.03 * bump(side - 0.07, 0.016)
    spine = spine * step(0.078 - side, 0.03) * (1 - 0.5 * step(y - chest.base - 0.1, 0.3))
    tilt = rng.normal(0, 0.05)
    reach = np.clip((side - 0.08) / 0.66, 0, 1)
    bow = rng.uniform(0.10, 0.20) * np.sin(2.2 * reach) - 0.03 * np.sin(2 * np.pi * reach)
    across = np.abs(y - (chest.top + rng.uniform(0.22, 0.32) - bow + tilt * x))
    across = across / (0.030 + 0.014 * bump(side - 0.10, 0.1) + 0.008 * reach)
    within = step(side - 0.07, 0.02) * step(0.76 - side, 0.05)
    clavicle = within * (0.6 * step(1 - across, 0.35) + 0.35 * bump(across - 0.85, 0.3))
    return np.asarray(spine + rng.uniform(0.08, 0.13) * clavicle, np.float32)


def _vessels(chest: Chest) -> Plane:
    """Branching from each hilum, finer outwards; drawn as lines, then blurred."""
    rng, size = chest.rng, chest.size
    image = Image.new("L", (size, size))
    pen = ImageDraw.Draw(image)
    for sign in (-1, 1):
        for angle in np.linspace(-1.25, 1.35, 8) + rng.normal(0, 0.12, 8):
            _branch(pen, rng, (sign * 0.19, 0.02 + 0.06 * angle), sign, angle, rng.uniform(2, 3.2))
    drawn = np.asarray(image, np.float32) / 255
    return np.asarray(gaussian_filter(drawn, size / 280), np.float32)


def _branch(
    pen: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    start: tuple[float, float],
    sign: int,
    angle: float,
    width: float,
) -> None:
    """One vessel of six pieces; some of its joints send out a thinner one."""
    size = pen.im.size[0]
    x, y = start
    for bend, chance in zip(rng.normal(0, 0.22, 6), rng.uniform(-1, 1, 6), strict=True):
        angle += bend
        ends = [(x + 1) * size / 2, (y + 1) * size / 2]
        x, y = x + sign * 0.085 * math.cos(angle), y + 0.085 * math.sin(angle)
        ends += [(x + 1) * size / 2, (y + 1) * size / 2]
        pen.line(ends, fill=int(75 * min(width, 2.5)), width=max(1, round(width * size / 224)))
        width *= 0.80
        if width > 0.8 and abs(chance) < 0.5:
            _branch(pen, rng, (x, y), sign, angle + math.copysign(0.6, chance), width * 0.7)


def _soft_parts(chest: Chest) -> Plane:
    """Heart, hila, trachea, shoulder blades, breasts, liver and the stomach's air: all vary."""
    rng, x, y, side = chest.rng, chest.x, chest.y, chest.side
    hila = rng.uniform(0.06, 0.14) * bump(side - chest.inner - 0.04, 0.07) * bump(y, 0.16)
    heart = rng.uniform(0.03, 0.09) * step(chest.inner - side, 0.12) * step(y + 0.15, 0.2)
    trachea = 0.09 * bump(x + 0.02, 0.045) * step(-0.22 - y, 0.08)
    blade_edge = chest.outer - 0.10 * (1 + y) + rng.uniform(-0.03, 0.05)
    blade = rng.uniform(0.01, 0.05) * step(side - blade_edge, 0.02) * step(-y, 0.2)
    blade = blade * step(y - chest.top - 0.1, 0.1)
    fold = np.hypot((side - rng.uniform(0.36, 0.46)) / 0.30, (y - rng.uniform(0.18, 0.34)) / 0.27)
    breast = (
        float(rng.integers(2)) * rng.uniform(0.02, 0.06) * step(1 - fold, rng.uniform(0.1, 0.4))
    )
    belly = 0.10 * step(y - chest.base, 0.03) * step(side - chest.inner + 0.12, 0.15)
    bubble = np.hypot((x - 0.36) / rng.uniform(0.1, 0.25), (y - chest.base - 0.13) / 0.09)
    air = rng.uniform(0, 0.2) * step(1 - bubble, 0.3) * step(y - chest.base - 0.02, 0.03)
    return np.asarray(
        (hila + breast) * chest.lung + heart - trachea + blade + belly - air, np.float32
    )


def _opacity_normal(chest: Chest) -> Plane:
    return np.zeros_like(chest.x)


def _opacity_focal(chest: Chest) -> Plane:
    """Consolidation of one lobe or part of it: one lung, dense, in places cut off by a fissure."""
    rng, size = chest.rng, chest.size
    sign = math.copysign(1, rng.uniform(-1, 1))
    level = rng.uniform(-0.5, 0.28)
    middle = sign * rng.uniform(0.30, 0.50)
    wide, high = rng.uniform(0.13, 0.30), rng.uniform(0.12, 0.28)
    distance = np.hypot((chest.x - middle) / wide, (chest.y - level) / high)
    shape = step(1 - distance + 0.30 * noise(rng, size, 0.22), rng.uniform(0.3, 0.9))
    if rng.random() < 0.6:
        below = math.copysign(1, rng.uniform(-1, 1))
        fissure = chest.y - level - below * 0.3 * high + rng.uniform(-0.3, 0.3) * chest.side
        shape = shape * step(-below * fissure, 0.04)
    shape = shape * (1 + 0.12 * noise(rng, size, 0.08)) * (chest.x * sign > 0)
    return np.asarray(rng.uniform(0.42, 0.90) * shape, np.float32)


def _opacity_bilateral(chest: Chest) -> Plane:
    """Ground glass: both lungs, hazy patches at the periphery, more of them below."""
    rng, size = chest.rng, chest.size
    total = np.zeros_like(chest.x)
    for sign in (-1, 1):
        for _ in range(rng.integers(2, 5)):
            level = rng.triangular(-0.45, 0.35, 0.45)
            edge = chest.width * rng.uniform(0.72, 1.0)
            high, wide = rng.uniform(0.13, 0.26), rng.uniform(0.12, 0.24)
            distance = np.hypot((chest.x - sign * edge) / wide, (chest.y - level) / high)
            shape = step(1 - distance + 0.35 * noise(rng, size, 0.16), 1.0)
            total = np.maximum(total, shape * rng.uniform(0.55, 1.0))
    grain = np.clip(1 + 0.25 * noise(rng, size, 0.07), 0, 2)
    return np.asarray(rng.uniform(0.32, 0.60) * total * grain, np.float32)


OPACITIES: Final[dict[str, Callable[[Chest], Plane]]] = {
    "bilateral_peripheral": _opacity_bilateral,
    "focal_lobar": _opacity_focal,
    "normal": _opacity_normal,
}


def draw(label: str, rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """One phantom of a class of ``OPACITIES``: uint8 (size, size)."""
    return draw_with_lungs(label, rng, size)[0]


def draw_with_lungs(
    label: str, rng: np.random.Generator, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A phantom, and where its lungs are: uint8 and bool, both (size, size)."""
    chest = new_chest(rng, size)
    body = _body(chest)
    texture = 0.016 * noise(rng, size, 0.10) + 0.010 * noise(rng, size, 0.035)
    vessels = rng.uniform(0.10, 0.17) * _vessels(chest)
    opacity = np.clip(OPACITIES[label](chest), 0, 0.95)
    air = _LUNG_AIR * rng.uniform(0.85, 1.1) * (1 - opacity)
    lung = chest.lung * (air - (vessels + texture) * (1 - 0.6 * opacity))
    bones = (_ribs(chest) + _spine_and_clavicles(chest)) * step(body - 0.1, 0.1)
    return _expose(body - lung + _soft_parts(chest) + bones, rng), chest.lung > 0.5


def _expose(attenuation: Plane, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Scatter, focal spot, quantum noise, then the window that a technician chose."""
    size = len(attenuation)
    small = Image.fromarray(attenuation).resize((16, 16), Image.Resampling.BOX)
    scatter = np.asarray(small.resize((size, size), Image.Resampling.BICUBIC))
    image = gaussian_filter(0.86 * attenuation + 0.14 * scatter, rng.uniform(0.3, 0.8) * size / 224)
    grain = rng.standard_normal(image.shape, np.float32)
    image = image + rng.uniform(0.005, 0.016) * (0.4 + image) * grain
    low, high = rng.uniform(0.02, 0.10), rng.uniform(0.80, 0.98)
    image = np.clip((image - low) / (high - low), 0, 1) ** rng.uniform(0.8, 1.25)
    return np.asarray(image * 255 + 0.5, np.uint8)
