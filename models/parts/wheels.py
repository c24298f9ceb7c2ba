"""Cars and skateboards. They roll towards +z; +y is up."""

from __future__ import annotations

import numpy as np

from .furniture import Things
from .solids import Solid, box, loft, tube


def car(rng: np.random.Generator) -> Things:
    """Build a car: body with bonnet and boot, roof with the windows, wheels."""
    length, half = 1.0, rng.uniform(0.18, 0.23)
    floor, waist = rng.uniform(0.05, 0.08), rng.uniform(0.17, 0.22)
    hood, boot = rng.uniform(0.72, 0.92), rng.uniform(0.8, 1.0)
    z = length * np.array([-0.5, -0.47, -0.3, 0.0, 0.2, 0.44, 0.5])
    top = waist * np.array([0.75, boot, max(boot, 0.95), 1, 0.97, hood, 0.65])
    wide = half * np.array([0.82, 0.94, 1, 1, 1, 0.93, 0.78])
    low = floor * np.array([1.6, 1.1, 1, 1, 1, 1.1, 1.6])
    sections = [
        [(-w, b, u), (-w, m, u), (-0.9 * w, h, u), (0.9 * w, h, u), (w, m, u), (w, b, u)]
        for u, h, m, w, b in zip(z, top, (top + low) / 2, wide, low, strict=True)
    ]
    parts: Things = [("body", loft(sections))]

    style = rng.random()  # saloon, hatchback, van
    back = rng.uniform(-0.36, -0.28) if style < 0.5 else rng.uniform(-0.47, -0.43)
    front = rng.uniform(0.14, 0.24)
    tall = rng.uniform(0.11, 0.16) if style < 0.8 else rng.uniform(0.16, 0.22)
    rake, drop = rng.uniform(0.1, 0.17), rng.uniform(0.08, 0.15) if style < 0.5 else 0.03
    base, roof = 0.88 * half, 0.68 * half
    y = 0.85 * waist
    parts.append(
        (
            "roof",
            loft(
                [
                    [(-base, y, back), (-base, y, front), (base, y, front), (base, y, back)],
                    [
                        (-roof, waist + tall, back + drop),
                        (-roof, waist + tall, front - rake),
                        (roof, waist + tall, front - rake),
                        (roof, waist + tall, back + drop),
                    ],
                ]
            ),
        )
    )
    radius, thick = rng.uniform(0.075, 0.1), rng.uniform(0.045, 0.065)
    for end in (rng.uniform(-0.33, -0.28), rng.uniform(0.28, 0.33)):
        wheel = _wheel(radius, thick).shifted(half - 0.3 * thick, radius, end)
        parts += [("wheels", wheel), ("wheels", wheel.mirrored())]
    return parts


def skateboard(rng: np.random.Generator) -> Things:
    """Build a skateboard: deck with turned-up ends, trucks, wheels."""
    half, thick = rng.uniform(0.1, 0.15), rng.uniform(0.02, 0.035)
    radius = rng.uniform(0.035, 0.06)
    level = 2 * radius + rng.uniform(0.01, 0.04)
    kick, tail = rng.uniform(0.02, 0.12), rng.uniform(0.02, 0.12)
    point = rng.uniform(0.35, 0.8)
    t = np.linspace(-1, 1, 21)
    bent = np.clip((np.abs(t) - 0.68) / 0.32, 0, 1)
    rise = bent**1.3 * np.where(t > 0, kick, tail)
    wide = half * np.clip(1 - np.clip((np.abs(t) - 0.72) / 0.28, 0, 1) ** 2.2, 0.0, 1) ** point
    wide = np.maximum(wide, 0.25 * half)
    sections = [
        [
            (-w, level + r, u),
            (w, level + r, u),
            (w, level + r + thick, u),
            (-w, level + r + thick, u),
        ]
        for u, r, w in zip(0.5 * t, rise, wide, strict=True)
    ]
    parts: Things = [("deck", loft(sections))]
    place, wheel_wide = rng.uniform(0.26, 0.33), rng.uniform(0.04, 0.07)
    axle = 0.95 * half - wheel_wide / 2
    for z in (-place, place):
        hanger = tube([(-axle, radius, z), (axle, radius, z)], 0.35 * radius, 8)
        block = box((-0.3 * half, 0.8 * radius, z - 0.04), (0.3 * half, level + 0.005, z + 0.04))
        wheel = _wheel(radius, wheel_wide).shifted(axle, radius, z)
        parts += [("trucks", hanger), ("trucks", block)]
        parts += [("wheels", wheel), ("wheels", wheel.mirrored())]
    return parts


def _wheel(radius: float, thick: float) -> Solid:
    """Build a cylinder about the x axis."""
    return tube([(-thick / 2, 0, 0), (thick / 2, 0, 0)], radius, 20)
