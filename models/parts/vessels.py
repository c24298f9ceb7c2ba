"""Mugs and bottles. Upright along +y."""

from __future__ import annotations

import numpy as np

from .furniture import Things
from .solids import revolve, tube


def mug(rng: np.random.Generator) -> Things:
    """Build a hollow mug with a handle at +x."""
    height, wide = 1.0, rng.uniform(0.34, 0.52)
    wall, belly = rng.uniform(0.03, 0.06), rng.uniform(-0.08, 0.08)
    cone = rng.uniform(0.78, 1.08)
    t = np.linspace(0, 1, 8)
    outer = wide * (cone + (1 - cone) * t) + belly * np.sin(np.pi * t)
    outside = np.stack([outer, height * t], 1)
    inside = np.stack([outer - wall, height * t], 1)[::-1]
    inside[-1, 1] = 1.6 * wall
    body = revolve([(0, 0), *outside, *inside[:-1], inside[-1], (0, 1.6 * wall)], 36)

    high, low = rng.uniform(0.76, 0.9), rng.uniform(0.1, 0.28)
    reach, grip = rng.uniform(0.22, 0.36), rng.uniform(0.035, 0.06)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 15)
    power = rng.uniform(0.5, 1.0)  # from an ear to a squarish handle
    out = reach * np.cos(angle) ** power
    up = (high + low) / 2 + (high - low) / 2 * np.sign(angle) * np.abs(np.sin(angle)) ** power
    surface = np.interp(up, height * t, outer) - 0.5 * wall
    handle = tube(np.stack([surface + out, up, np.zeros(15)], 1), grip, 10)
    return [("body", body), ("handle", handle)]


def bottle(rng: np.random.Generator) -> Things:
    """Build a bottle with a cap: slim or squat, with a long or a short neck."""
    wide, neck = rng.uniform(0.15, 0.26), rng.uniform(0.055, 0.085)
    shoulder, height = rng.uniform(0.45, 0.65), 1.0
    slope = rng.uniform(0.08, 0.25)
    t = np.linspace(0, 1, 7)
    rounded = neck + (wide - neck) * np.cos(np.pi / 2 * t) ** rng.uniform(0.7, 1.6)
    outline = [(0.0, 0.0), (0.9 * wide, 0.0), (wide, 0.03)]
    outline += list(zip(rounded, shoulder + slope * t, strict=True))
    tall = rng.uniform(0.06, 0.14)
    end = max(shoulder + slope + rng.uniform(0.03, 0.14), height - tall - rng.uniform(0, 0.15))
    body = revolve([*outline, (neck, end), (0, end)])
    lid = neck * rng.uniform(1.1, 1.6)
    cap = [(0, end - 0.02), (lid, end - 0.02), (lid * rng.uniform(0.8, 1), end + tall)]
    return [("body", body), ("cap", revolve([*cap, (0, end + tall)]))]
