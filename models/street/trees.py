"""Street trees: a trunk and a crown of many leaf clumps, lit from the sun's side."""

from __future__ import annotations

from typing import Final

import numpy as np

from .canvas import Canvas, Colour, mix, times
from .light import Light
from .palette import TREE

_LEAVES: Final[tuple[Colour, ...]] = (
    (84, 132, 54), (66, 118, 60), (108, 146, 62), (52, 104, 58), (96, 128, 48), (124, 150, 70),
)  # fmt: skip
_AUTUMN: Final[tuple[Colour, ...]] = ((186, 128, 42), (168, 92, 40), (146, 138, 52))


def paint_tree(
    rng: np.random.Generator,
    canvas: Canvas,
    light: Light,
    x: float,
    z: float,
    *,
    tall: float,
) -> None:
    """Paint one tree of `tall` metres whose trunk stands at (x, 0, z)."""
    autumn = rng.random() < 0.1
    choices = _AUTUMN if autumn else _LEAVES
    leaf = choices[int(rng.integers(len(choices)))]
    bark = light.on((98, 78, 60), 0.5)
    radius = tall * float(rng.uniform(0.24, 0.33))
    middle = tall - radius * 1.05
    thick = max(0.14, tall * 0.028)
    trunk = [(x - thick, 0.0, z), (x + thick, 0.0, z)]
    trunk += [(x + thick * 0.6, middle, z), (x - thick * 0.6, middle, z)]
    canvas.face(trunk, bark, TREE)
    shaded = [(x, 0.0, z), (x - light.side * thick, 0.0, z)]
    shaded += [(x - light.side * thick * 0.6, middle, z), (x, middle, z)]
    canvas.face(shaded, times(bark, 0.72))

    # A solid ball first, so that no sky is visible through the middle of the crown.
    dark = light.on(times(leaf, 0.62), 0.25)
    canvas.disc((x, middle, z), (radius * 0.86, radius * 0.92), dark, TREE)
    clumps = 46 if canvas.camera.pixels(radius, z) > 30 else 22
    turn = rng.uniform(0, 2 * np.pi, clumps)
    out = np.sqrt(rng.uniform(0.02, 1, clumps)) * 0.86
    across, up = np.cos(turn) * out, np.sin(turn) * out
    bright = 0.5 + 0.34 * (across * light.side * 0.8 + up) + rng.normal(0, 0.1, clumps)
    for i in np.argsort(bright):
        share = float(np.clip(bright[i], 0, 1))
        tone = mix(times(leaf, 0.66), times(leaf, 1.22), share)
        size = radius * float(rng.uniform(0.2, 0.34))
        at = (x + float(across[i]) * radius, middle + float(up[i]) * radius * 1.08, z)
        canvas.disc(at, (size, size * 0.86), light.on(tone, share), TREE)


def paint_hedge(
    rng: np.random.Generator,
    canvas: Canvas,
    light: Light,
    start: tuple[float, float],
    along: tuple[float, float],
    length: float,
) -> None:
    """Paint a clipped hedge of about 1.2 m along a line on the ground."""
    leaf = _LEAVES[int(rng.integers(len(_LEAVES)))]
    tall = float(rng.uniform(1.0, 1.6))
    steps = max(3, round(length / 0.5))
    for step in sorted(range(steps), key=lambda s: -(start[1] + along[1] * s)):
        u = length * (step + 0.5) / steps
        x, z = start[0] + along[0] * u, start[1] + along[1] * u
        if z < 1.2:
            continue
        body = [(x - 0.4, 0.0, z), (x + 0.4, 0.0, z), (x + 0.4, tall * 0.8, z)]
        body.append((x - 0.4, tall * 0.8, z))
        canvas.face(body, light.on(times(leaf, 0.7), 0.3), TREE)
        for _ in range(7):
            dx, y = float(rng.uniform(-0.4, 0.4)), float(rng.uniform(0.15, tall - 0.15))
            tone = times(leaf, 0.7 + 0.45 * y / tall)
            canvas.disc((x + dx, y, z), 0.2, light.on(tone, y / tall), TREE)
