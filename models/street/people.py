"""Pedestrians: legs in stride, a coat or shirt, arms, a head with hair."""

from __future__ import annotations

from typing import Final

import numpy as np

from .canvas import Canvas, Colour, Point, times
from .light import Light
from .palette import PERSON

_SKINS: Final[tuple[Colour, ...]] = (
    (240, 200, 172), (222, 172, 136), (176, 124, 88), (116, 78, 56), (250, 214, 190),
)  # fmt: skip
_HAIR: Final[tuple[Colour, ...]] = (
    (40, 30, 26), (92, 62, 40), (176, 136, 80), (150, 150, 152), (24, 22, 24), (140, 66, 36),
)  # fmt: skip
_TOPS: Final[tuple[Colour, ...]] = (
    (196, 40, 48), (34, 70, 150), (238, 200, 60), (52, 128, 92), (226, 110, 40), (238, 236, 230),
    (150, 64, 140), (38, 40, 50), (210, 90, 120), (60, 150, 180),
)  # fmt: skip
_LEGS: Final[tuple[Colour, ...]] = (
    (38, 46, 74), (54, 52, 54), (110, 96, 76), (30, 30, 36), (70, 92, 128), (150, 136, 110),
)  # fmt: skip


def paint_person(
    rng: np.random.Generator, canvas: Canvas, light: Light, x: float, z: float
) -> None:
    """Paint one person whose feet stand at (x, 0, z)."""
    tall = float(rng.uniform(1.55, 1.9))
    broad = float(rng.uniform(0.92, 1.18))
    stride = float(rng.uniform(-0.24, 0.24))
    skin = light.on(_SKINS[int(rng.integers(len(_SKINS)))], 0.7)
    hair = light.on(_HAIR[int(rng.integers(len(_HAIR)))], 0.6)
    cloth = light.on(_TOPS[int(rng.integers(len(_TOPS)))], 0.75)
    legs = light.on(_LEGS[int(rng.integers(len(_LEGS)))], 0.6)
    skirt, long_hair, turned = rng.random(3) < (0.3, 0.35, 0.3)
    gaze = float(rng.choice((-0.02, 0.0, 0.02)))

    def limb(u0: float, v0: float, u1: float, v1: float, w0: float, w1: float) -> list[Point]:
        """Return a strip from (u0, v0) to (u1, v1), shares of the height; w0, w1: half widths."""
        across = np.array((v1 - v0, u0 - u1))
        across /= np.linalg.norm(across) + 1e-9
        outline: list[Point] = []
        for u, v, w in ((u0, v0, w0), (u1, v1, w1)):
            for sign in (1, -1) if not outline else (-1, 1):
                du, dv = across * w * sign * broad
                outline.append((x + (u + float(du)) * tall, max(v + float(dv), 0) * tall, z))
        return outline

    lit = -light.side * 0.02
    for sign, tone in ((-1, 0.82), (1, 1.0)):
        foot = sign * (0.035 + abs(stride) * 0.5) + stride * 0.2
        canvas.face(limb(sign * 0.04, 0.5, foot, 0.03, 0.06, 0.04), times(legs, tone), PERSON)
        shoe = limb(foot - 0.02, 0.02, foot + 0.07, 0.015, 0.025, 0.02)
        canvas.face(shoe, (36, 30, 30), PERSON)
    if skirt:
        canvas.face(limb(0, 0.56, 0, 0.28, 0.085, 0.14), times(cloth, 0.9), PERSON)
    for sign in (-1, 1):
        swing = sign * 0.12 - sign * stride * 0.25
        canvas.face(limb(sign * 0.105, 0.79, swing, 0.47, 0.036, 0.03), times(cloth, 0.8), PERSON)
        canvas.disc((x + swing * tall, 0.455 * tall, z), 0.026 * tall, skin, PERSON)
    canvas.face(limb(0, 0.82, 0, 0.47, 0.125, 0.1), cloth, PERSON)
    canvas.face(limb(-lit * 3, 0.81, -lit * 3, 0.48, 0.05, 0.045), times(cloth, 0.84))
    canvas.face(limb(0, 0.86, 0, 0.8, 0.035, 0.05), times(skin, 0.9), PERSON)
    canvas.disc((x, 0.935 * tall, z), (0.062 * tall, 0.07 * tall), hair, PERSON)
    if long_hair:
        canvas.face(limb(0, 0.94, 0, 0.83, 0.056, 0.058), hair, PERSON)
    if not turned:
        canvas.disc((x + gaze, 0.918 * tall, z), (0.05 * tall, 0.057 * tall), skin)
    if rng.random() < 0.3:
        bag = _LEGS[int(rng.integers(len(_LEGS)))]
        side = float(rng.choice((-1, 1))) * 0.16
        canvas.face(limb(side, 0.52, side, 0.36, 0.06, 0.065), light.on(bag, 0.6), PERSON)
