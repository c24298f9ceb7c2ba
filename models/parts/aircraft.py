"""Aeroplanes, which fly towards +z with +y up, and rockets, which point to +y."""

from __future__ import annotations

import numpy as np

from .furniture import Things
from .solids import Solid, loft, revolve, ring


def aeroplane(rng: np.random.Generator) -> Things:
    """Build an aeroplane: fuselage, wings, tail, and engines under the wings or at the rear."""
    length, radius = 1.0, rng.uniform(0.045, 0.075)
    t = np.array([0, 0.03, 0.1, 0.2, 0.35, 0.65, 0.8, 0.88, 0.94, 0.98, 1])
    size = radius * np.array([0.15, 0.3, 0.55, 0.8, 1, 1, 1, 0.92, 0.72, 0.42, 0.08])
    rise = radius * np.array([0.7, 0.65, 0.45, 0.2, 0, 0, 0, -0.03, -0.12, -0.22, -0.3])
    sections = [
        np.insert(ring((s, s), 16), 2, length * u, 1) + np.array((0, r, 0))
        for u, s, r in zip(t, size, rise, strict=True)
    ]
    parts: Things = [("fuselage", loft(sections))]

    low = rng.random() < 0.75
    span, sweep = rng.uniform(0.4, 0.6), rng.uniform(0.02, 0.3)
    root, tip = rng.uniform(0.18, 0.28), rng.uniform(0.05, 0.1)
    at, bend = rng.uniform(0.52, 0.6), rng.uniform(0, 0.08) * (1 if low else 0.3)
    y = -0.5 * radius if low else 0.75 * radius
    wing = _blade((0, y, at), (span, y + bend, at - sweep), root, tip, rng.uniform(0.12, 0.17))
    parts += [("wings", wing), ("wings", wing.mirrored())]

    fin = rng.uniform(0.14, 0.22)
    chord, end = rng.uniform(0.12, 0.18), rng.uniform(0.06, 0.09)
    upright = _blade((0, 0, 0.1), (fin, 0, 0.1 - rng.uniform(0.05, 0.12)), chord, end, 0.12)
    turn = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    parts.append(("tail", upright.moved(turn, (0, 0.5 * radius, 0))))
    level = 0.4 * radius + (fin if rng.random() < 0.3 else 0.0)
    reach, back = rng.uniform(0.15, 0.22), rng.uniform(0.04, 0.1)
    at_fin = 0.08 if level < fin else 0.02
    flat = _blade((0, level, at_fin), (reach, level, at_fin - back), 0.75 * chord, end, 0.12)
    parts += [("tail", flat), ("tail", flat.mirrored())]
    return parts + _engines(rng, span, y, bend, at - 0.1 * sweep, sweep, root, radius)


def _engines(
    rng: np.random.Generator,
    span: float,
    y: float,
    bend: float,
    at: float,
    sweep: float,
    root: float,
    radius: float,
) -> Things:
    """Build two or four nacelles under the wings, or two beside the rear of the fuselage."""
    long, thick = rng.uniform(0.14, 0.2), rng.uniform(0.028, 0.042)
    if rng.random() < 0.25:
        places = [(radius + 0.8 * thick, 0.45 * radius, 0.24)]
    else:
        shares = [0.34] if rng.random() < 0.6 else [0.28, 0.58]
        places = [
            (u * span, y + u * bend - 1.15 * thick, at - u * sweep + 0.45 * root) for u in shares
        ]
    parts: Things = []
    for place in places:
        engine = _nacelle(long, thick).moved(np.eye(3), place)
        parts += [("engines", engine), ("engines", engine.mirrored())]
    return parts


def _nacelle(length: float, radius: float) -> Solid:
    """Build a jet engine along z, open in front."""
    lip, hub = 0.8 * radius, 0.85 * length / 2
    half = length / 2
    profile = [(0, -half), (0.55 * radius, -half), (radius, 0.1 * half), (0.92 * radius, half)]
    upright = revolve([*profile, (lip, half), (0.75 * radius, 0.6 * half), (0, hub)], 14)
    return upright.moved([[1, 0, 0], [0, 0, -1], [0, 1, 0]])


def _blade(
    root: tuple[float, float, float],
    tip: tuple[float, float, float],
    chord: float,
    end: float,
    thick: float,
) -> Solid:
    """Build a wing from the middle of its root to its tip; `thick` is a share of the chord."""
    profile = np.array([(0.5, 0), (0.3, 0.45), (0, 0.5), (-0.5, 0), (0, -0.5), (0.3, -0.45)])
    sections = []
    for centre, size in ((root, chord), (tip, end)):
        z, y = size * profile[:, 0], size * thick * profile[:, 1]
        sections.append(np.stack([np.zeros(6), y, z], 1) + np.asarray(centre))
    return loft(sections)


def rocket(rng: np.random.Generator) -> Things:
    """Build a rocket: body with a nozzle, fins, and a pointed or rounded nose."""
    radius, tall = rng.uniform(0.08, 0.15), rng.uniform(0.55, 0.7)
    belly = rng.uniform(0, 0.35) if rng.random() < 0.5 else 0.0
    t = np.linspace(0, 1, 9)
    outline = radius * (1 + belly * np.sin(np.pi * t))
    nozzle = rng.uniform(0.5, 0.8) * radius
    bell = [(0, -0.02), (nozzle, -0.07), (0.6 * nozzle, 0)]
    body = revolve([*bell, *zip(outline, tall * t, strict=True), (0, tall)])
    parts: Things = [("body", body)]

    long, power = rng.uniform(0.18, 0.34), rng.uniform(0.5, 1.0)
    u = np.linspace(0, 1, 9)
    cone = [(outline[-1] * (1 - s) ** power, tall + long * s) for s in u]
    parts.append(("nose", revolve([(0, tall), *cone])))

    count, reach = int(rng.integers(3, 5)), rng.uniform(0.12, 0.24)
    root, end = rng.uniform(0.2, 0.32), rng.uniform(0.06, 0.15)
    drop, thick = rng.uniform(-0.02, 0.12), rng.uniform(0.02, 0.035)
    low = rng.uniform(0.0, 0.04)
    fin = loft(
        [
            [(out, y, -half), (out, y + tall, -half), (out, y + tall, half), (out, y, half)]
            for out, y, tall, half in (
                (0.7 * radius, low, root, 0.75 * thick),
                (radius + reach, low - drop, end, thick / 3),
            )
        ]
    )
    for angle in 2 * np.pi * np.arange(count) / count:
        c, s = np.cos(angle), np.sin(angle)
        parts.append(("fins", fin.moved([[c, 0, s], [0, 1, 0], [-s, 0, c]])))
    return parts
