"""Tables, chairs and lamps. Upright along +y; a chair faces +z."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from .solids import Solid, box, loft, revolve, ring, tube

# Solids of one object, each with the name of its part.
Things: TypeAlias = list[tuple[str, Solid]]


def table(rng: np.random.Generator) -> Things:
    """Build a table: top and legs, often with a shelf between the legs."""
    width, depth = rng.uniform(0.8, 1.6), rng.uniform(0.6, 0.95)
    height, thick = rng.uniform(0.45, 0.85), rng.uniform(0.03, 0.08)
    round_top = rng.random() < 0.35
    if round_top:
        width = depth = rng.uniform(0.8, 1.2)
        rim = ring((width / 2, depth / 2), 28)
        top = loft([np.insert(rim, 1, y, 1) for y in (height - thick, height)])
    else:
        top = box((-width / 2, height - thick, -depth / 2), (width / 2, height, depth / 2))
    parts: Things = [("top", top)]
    if rng.random() < (0.55 if round_top else 0.1):
        return parts + _pedestal(rng, height - thick / 2, width / 2)

    inset = 0.68 if round_top else rng.uniform(0.82, 0.97)
    x, z = inset * width / 2, inset * depth / 2
    x, z = (0.75 * x, 0.75 * z) if round_top else (x, z)
    sides = 4 if rng.random() < 0.6 else 8
    foot, head = rng.uniform(0.02, 0.05), rng.uniform(0.028, 0.055)
    splay = rng.uniform(0.0, 0.12) if rng.random() < 0.5 else 0.0
    for u in (-1, 1):
        for v in (-1, 1):
            high = (u * (x - head), height - thick / 2, v * (z - head))
            low = (u * (x - head + splay), 0, v * (z - head + splay))
            parts.append(("legs", post(low, high, foot, head, sides)))
    if rng.random() < 0.6:
        level = rng.uniform(0.12, 0.5) * height
        reach = splay * (1 - level / height)
        y = level, level + rng.uniform(0.02, 0.05)
        along, across = x - head + reach, z - head + reach
        parts.append(("shelf", box((-along, y[0], -across), (along, y[1], across))))
    return parts


def _pedestal(rng: np.random.Generator, height: float, reach: float) -> Things:
    """Build one turned leg on a foot."""
    pole, foot = rng.uniform(0.035, 0.08), rng.uniform(0.5, 0.75) * reach
    rise = rng.uniform(0.03, 0.07)
    profile = [(0, 0), (foot, 0), (foot, 0.4 * rise), (1.6 * pole, 2.2 * rise), (pole, 4 * rise)]
    return [("legs", revolve([*profile, (pole, height), (0, height)]))]


def post(
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    foot: float,
    head: float,
    sides: int = 4,
) -> Solid:
    """Build a tapered leg; `foot` and `head` are half its width at the bottom and the top."""
    sections = []
    for centre, half in ((low, foot), (high, head)):
        corners = ring((half * 2**0.5, half * 2**0.5) if sides == 4 else (half, half), sides)
        if sides == 4:
            corners = corners @ np.array([[1, 1], [-1, 1]]) / 2**0.5
        sections.append(np.insert(corners, 1, 0, 1) + np.asarray(centre))
    return loft(sections)


def chair(rng: np.random.Generator) -> Things:
    """Build a chair: seat, back and legs, with arms in half of the cases."""
    wide, deep = rng.uniform(0.44, 0.62), rng.uniform(0.42, 0.56)
    height, thick = rng.uniform(0.38, 0.5), rng.uniform(0.035, 0.1)
    x, z = wide / 2, deep / 2
    taper = rng.uniform(0.8, 1.0)
    corners = np.array([[-x, z], [x, z], [x * taper, -z], [-x * taper, -z]])
    seat = loft([np.insert(corners, 1, y, 1) for y in (height - thick, height)])
    parts: Things = [("seat", seat), *_back(rng, x * taper, z, height - thick / 2)]

    if rng.random() < 0.2:
        parts += _swivel(rng, height - thick / 2)
    else:
        foot, head = rng.uniform(0.015, 0.028), rng.uniform(0.02, 0.034)
        splay = rng.uniform(0, 0.08)
        sides = 4 if rng.random() < 0.6 else 8
        for u in (-1, 1):
            for v in (-1, 1):
                end = (x if v > 0 else x * taper) - head
                top = (u * end, height - thick / 2, v * (z - head))
                low = (u * (end + splay), 0.0, v * (z - head + splay))
                parts.append(("legs", post(low, top, foot, head, sides)))
    if rng.random() < 0.65:
        parts += _arms(rng, x, z, height - thick / 2)
    return parts


def _back(rng: np.random.Generator, x: float, z: float, seat: float) -> Things:
    """Build the back: a curved plate, or two posts with rails or bars between them."""
    tall, lean = rng.uniform(0.42, 0.68), rng.uniform(0.02, 0.14)
    thick, bow = rng.uniform(0.025, 0.06), rng.uniform(0, 0.07)
    y = np.array([seat, seat + tall])
    style = rng.random()
    if style < 0.5:
        across = np.linspace(-1, 1, 7)
        reach = rng.uniform(0.85, 1.05)
        sections = []
        for t in across:
            curve = -z + thick + bow * (t * t - 1)
            sections.append(
                [
                    (t * x, y[0], curve),
                    (t * x * reach, y[1], curve - lean),
                    (t * x * reach, y[1], curve - lean - thick),
                    (t * x, y[0], curve - thick),
                ]
            )
        return [("back", loft(sections))]
    parts: Things = []
    half = thick / 2
    for u in (-1, 1):
        low, high = (u * (x - half), y[0], half - z), (u * (x - half), y[1], half - z - lean)
        parts.append(("back", post(low, high, half, half)))
    if style < 0.75:  # rails from post to post
        for share in np.linspace(rng.uniform(0.3, 0.5), 0.93, int(rng.integers(2, 4))):
            middle, rail = seat + share * tall, rng.uniform(0.03, 0.06)
            back = half - z - share * lean
            slab = box((-x, middle - rail, back - 0.35 * thick), (x, middle + rail, back))
            parts.append(("back", slab))
        return parts
    top = half - z - lean
    parts.append(("back", box((-x, y[1] - 0.08, top - half), (x, y[1], top + half))))
    for t in np.linspace(-0.65, 0.65, int(rng.integers(3, 6))):
        low, high = (t * x, y[0], half - z), (t * x, y[1] - 0.04, top)
        parts.append(("back", post(low, high, 0.012, 0.012)))
    return parts


def _swivel(rng: np.random.Generator, height: float) -> Things:
    """Build the column and the star base of an office chair."""
    feet, reach = 5, rng.uniform(0.24, 0.3)
    parts: Things = [("legs", tube([(0, 0.05, 0), (0, height, 0)], 0.03))]
    for angle in 2 * np.pi * np.arange(feet) / feet + rng.uniform(0, 1):
        tip = (reach * np.cos(angle), 0.025, reach * np.sin(angle))
        parts.append(("legs", tube([(0, 0.08, 0), tip], (0.028, 0.02), 6)))
    return parts


def _arms(rng: np.random.Generator, x: float, z: float, seat: float) -> Things:
    """Build an armrest on each side, on a post or as a bent tube."""
    rise, thick = rng.uniform(0.17, 0.25), rng.uniform(0.018, 0.035)
    front, level = z * rng.uniform(0.55, 0.95), seat + rise
    side = x + 0.3 * thick
    if rng.random() < 0.6:
        rest = box((side - thick, level - 0.03, -z), (side + thick, level, front))
        low, high = (side, seat - 0.01, front - thick), (side, level - 0.01, front - thick)
        right: Things = [("arms", rest), ("arms", post(low, high, 0.7 * thick, 0.7 * thick))]
    else:
        bend = np.linspace(0, np.pi / 2, 5)
        radius = 0.4 * rise
        path = [(side, seat - 0.01, front)]
        path += [
            (side, level - radius + radius * np.sin(a), front - radius + radius * np.cos(a))
            for a in bend
        ]
        right = [("arms", tube([*path, (side, level, -z)], 0.75 * thick, 8))]
    return right + [(name, solid.mirrored()) for name, solid in right]


def lamp(rng: np.random.Generator) -> Things:
    """Build a standing, desk or hanging-arm lamp: base, pole and an open shade."""
    height, foot = rng.uniform(0.7, 1.5), rng.uniform(0.16, 0.28)
    rise, pole = rng.uniform(0.02, 0.07), rng.uniform(0.013, 0.03)
    if rng.random() < 0.3:  # a vase for a base
        rise, belly = rng.uniform(0.28, 0.42) * height, rng.uniform(0.12, 0.2)
        t = np.linspace(0, 1, 9)
        outline = np.stack([pole + (belly - pole) * np.sin(np.pi * t**0.8) ** 0.8, rise * t], 1)
        outline[0, 0] = 0.55 * belly
        base = revolve([(0, 0), *outline, (0, rise)])
    elif rng.random() < 0.25:
        base = box((-foot, 0, -foot), (foot, rise, foot))
    else:
        base = revolve([(0, 0), (foot, 0), (foot, 0.5 * rise), (0.8 * foot, rise), (0, rise)])
    parts: Things = [("base", base)]

    wide, tall = rng.uniform(0.18, 0.36), rng.uniform(0.18, 0.36)
    narrow, wall = wide * rng.uniform(0.35, 0.95), 0.012
    shade = revolve(
        [(wide, 0), (narrow, tall), (narrow - wall, tall), (wide - wall, 0)],
    )
    if rng.random() < 0.35:  # a bent pole with the shade at its end
        out = 1.1 * wide + rng.uniform(0.0, 0.12)  # clear of the shade
        angle = np.linspace(0, 0.85 * np.pi, 12)
        arch = np.stack([out / 2 * (1 - np.cos(angle)), height + out / 2 * np.sin(angle)], 1)
        path = np.concatenate([[(0, rise / 2)], arch])
        parts.append(("pole", tube(np.insert(path, 2, 0, 1), pole, 8)))
        tip = path[-1]
        lid = revolve([(0, tall), (narrow, tall), (narrow, tall - wall), (0, tall - wall)])
        for solid in (shade, lid):
            parts.append(("shade", solid.shifted(tip[0], tip[1] - tall + 0.01)))
        return parts
    top = height + rng.uniform(-0.1, 0.0)
    parts.append(("pole", tube([(0, rise / 2, 0), (0, top, 0)], pole, 8)))
    parts.append(("shade", shade.shifted(0, top - tall * rng.uniform(0.6, 0.95))))
    return parts
