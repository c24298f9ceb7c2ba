"""Traffic signs on posts: prohibitions, warnings, mandatory rounds, information, stop."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Colour, times
from .light import Light
from .palette import SIGN

_RED: Colour = (206, 26, 34)
_BLUE: Colour = (24, 82, 176)
_WHITE: Colour = (246, 246, 244)
_BLACK: Colour = (24, 24, 28)


def paint_sign(rng: np.random.Generator, canvas: Canvas, light: Light, x: float, z: float) -> None:
    """Paint one sign whose post stands at (x, 0, z)."""
    middle = float(rng.uniform(2.2, 2.7))
    radius = float(rng.uniform(0.48, 0.62))
    kind = int(rng.integers(5))
    post = light.on((142, 146, 150), 0.6)
    canvas.face(_box(x, middle / 2, z, 0.06, middle / 2), post, SIGN)
    canvas.face(_box(x - light.side * 0.03, middle / 2, z, 0.03, middle / 2), times(post, 0.7))

    def lit(colour: Colour) -> Colour:
        return light.on(colour, 0.8)

    if kind == 0:  # prohibition: a red ring, with a number or a bar
        _round(canvas, x, middle, z, radius, 32, lit(_RED), SIGN)
        _round(canvas, x, middle, z, radius * 0.74, 32, lit(_WHITE))
        for shift in (-0.17, 0.17):
            canvas.face(_box(x + shift, middle, z, 0.09, 0.19), lit(_BLACK))
            canvas.face(_box(x + shift, middle, z, 0.035, 0.11), lit(_WHITE))
    elif kind == 1:  # warning: a triangle
        _round(canvas, x, middle, z, radius * 1.18, 3, lit(_RED), SIGN)
        _round(canvas, x, middle, z, radius * 0.76, 3, lit(_WHITE))
        canvas.face(_box(x, middle + 0.02, z, 0.05, 0.16), lit(_BLACK))
    elif kind == 2:  # mandatory: a blue round with an arrow
        _round(canvas, x, middle, z, radius, 32, lit(_BLUE), SIGN)
        canvas.face(_box(x, middle - 0.08, z, 0.06, 0.22), lit(_WHITE))
        head = [(x - 0.2, middle + 0.08, z), (x + 0.2, middle + 0.08, z), (x, middle + 0.34, z)]
        canvas.face(head, lit(_WHITE))
    elif kind == 3:  # information: a blue square, a white field
        canvas.face(_box(x, middle, z, radius * 0.86, radius), lit(_BLUE), SIGN)
        canvas.face(_box(x, middle, z, radius * 0.56, radius * 0.66), lit(_WHITE))
        canvas.face(_box(x, middle, z, radius * 0.22, radius * 0.44), lit(_BLUE))
    else:  # stop: a red octagon with a white band
        _round(canvas, x, middle, z, radius * 1.02, 8, lit(_WHITE), SIGN)
        _round(canvas, x, middle, z, radius * 0.94, 8, lit(_RED))
        canvas.face(_box(x, middle, z, radius * 0.62, radius * 0.2), lit(_WHITE))


def _box(
    x: float, y: float, z: float, across: float, up: float
) -> list[tuple[float, float, float]]:
    return [
        (x - across, y - up, z), (x + across, y - up, z), (x + across, y + up, z),
        (x - across, y + up, z),
    ]  # fmt: skip


def _round(
    canvas: Canvas,
    x: float,
    y: float,
    z: float,
    radius: float,
    corners: int,
    colour: Colour,
    label: int | None = None,
) -> None:
    """Paint a regular polygon that stands on one side."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False) + np.pi / 2
    if corners == 8:
        turn = turn + np.pi / 8
    points = [(x + radius * float(np.cos(t)), y + radius * float(np.sin(t)), z) for t in turn]
    canvas.face(points, colour, label)
