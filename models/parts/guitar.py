"""Guitars. They stand along +y with the strings towards +z."""

from __future__ import annotations

import numpy as np

from .furniture import Things
from .solids import box, loft, tube


def guitar(rng: np.random.Generator) -> Things:
    """Build a guitar: waisted body, neck, head with pegs."""
    long, deep = rng.uniform(0.4, 0.5), rng.uniform(0.035, 0.1)
    lower, upper = rng.uniform(0.17, 0.21), rng.uniform(0.12, 0.16)
    waist = rng.uniform(0.6, 0.85) * upper
    t = np.concatenate([[0, 0.015, 0.05], np.linspace(0.1, 0.9, 13), [0.95, 0.985, 1]])
    place = [0.0, 0.28, 0.62, 0.82, 1.0]
    wide = np.interp(t, place, [lower, lower, waist, upper, upper])
    ends = np.clip(1 - (2 * np.clip(np.maximum(0.3 - t, t - 0.78), 0, 1) / 0.62) ** 2, 0, 1) ** 0.5
    smooth = np.convolve(np.pad(wide, 2, "edge"), np.ones(5) / 5, "valid")
    wide = np.maximum(smooth * np.maximum(ends, 0.05), 0.3 * waist * (t > 0.99))
    sections = [
        [(-w, y, -deep), (w, y, -deep), (w, y, 0), (-w, y, 0)]
        for w, y in zip(wide, long * t, strict=True)
    ]
    parts: Things = [("body", loft(sections))]

    half, end = rng.uniform(0.022, 0.032), long + rng.uniform(0.32, 0.4)
    start, lift = rng.uniform(0.62, 0.8) * long, rng.uniform(0.012, 0.022)
    neck = loft(
        [
            [(-h, y, -0.015), (h, y, -0.015), (h, y, lift), (-h, y, lift)]
            for h, y in ((1.15 * half, start), (half, end))
        ]
    )
    parts.append(("neck", neck))

    tall, top = rng.uniform(0.12, 0.17), half * rng.uniform(1.1, 1.9)
    slant = rng.uniform(0, 0.04)
    head = loft(
        [
            [(-w, y, z), (w, y, z), (w, y, z + 0.025), (-w, y, z + 0.025)]
            for w, y, z in (
                (half, end - 0.01, -0.01),
                (1.5 * half, end + 0.03, -0.012 - 0.2 * slant),
                (top, end + tall, -0.012 - slant),
            )
        ]
    )
    parts.append(("head", head))
    for y in np.linspace(end + 0.04, end + 0.9 * tall, 3):
        reach = 1.5 * half + 0.03
        back = -0.002 - slant * (y - end) / tall
        parts.append(("head", tube([(-reach, y, back), (reach, y, back)], 0.008, 6)))
        for side in (-reach, reach):
            peg = box(
                (side - 0.012, y - 0.014, back - 0.008), (side + 0.012, y + 0.014, back + 0.008)
            )
            parts.append(("head", peg))
    return parts
