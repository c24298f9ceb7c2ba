"""The ground: carriageway, markings, kerbs and pavement, with wear and patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import FAR, Camera, Colour
from .light import Light
from .palette import PAVEMENT, ROAD
from .texture import octaves

KERB = 0.3

Field = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Street:
    """Plan of a street.

    Attributes:
        across: False if the street runs away from the camera, True if it crosses the view.
        near: left edge x of the carriageway, or near edge z if the street crosses the view.
        far: right edge x of the carriageway, or far edge z if the street crosses the view.
        paving: width of the pavements in metres; the facades stand behind them.
        asphalt: colour of the carriageway.
        slabs: colour of the pavement.
        crossing: distance of a zebra crossing along the street, or None.
        dashes: whether a dashed line divides the carriageway.
        edges: whether lines run along the edges of the carriageway.
    """

    across: bool
    near: float
    far: float
    paving: float
    asphalt: Colour
    slabs: Colour
    crossing: float | None
    dashes: bool
    edges: bool


def paint_ground(
    rng: np.random.Generator,
    colour: NDArray[np.float64],
    camera: Camera,
    street: Street,
    light: Light,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Paint below the horizon into `colour` [h, w, 3]; return labels and distances [h, w]."""
    height, width = colour.shape[:2]
    first = min(int(camera.centre[1]) + 1, height)
    labels = np.zeros((height, width), np.uint8)
    distance = np.full((height, width), FAR)
    rows = np.arange(first, height)[:, None] + 0.5
    z = np.minimum(camera.focal * camera.eye / (rows - camera.centre[1]), FAR)
    z = z * np.ones((1, width))
    x = (np.arange(width)[None] - camera.centre[0]) * z / camera.focal
    across, along = (z, x) if street.across else (x, z)

    worn = _wear_map(rng, x, z)
    on_road = (across > street.near) & (across < street.far)
    kerb = ~on_road & (across > street.near - KERB) & (across < street.far + KERB)
    # Detail finer than a pixel would alias, so it fades with the distance.
    crisp = np.clip(1.4 - z / 28, 0, 1)

    asphalt = np.array(street.asphalt) * (1 + 0.07 * worn)[..., None]
    lane = (across - street.near) / (street.far - street.near)
    for track in (0.15, 0.36, 0.64, 0.85):
        asphalt *= (1 - 0.10 * np.exp(-(((lane - track) / 0.045) ** 2)))[..., None]
    asphalt = _patches(rng, asphalt, across, along, street)
    asphalt = _markings(rng, asphalt, lane, across, along, worn, street)

    seams = (np.mod(along, 0.9) < 0.06) | (np.mod(across, 0.6) < 0.05)
    slabs = np.array(street.slabs) * (1 + 0.05 * worn)[..., None]
    slabs *= (1 - 0.14 * seams * crisp)[..., None]
    stone = np.array((176.0, 172.0, 164.0)) * (1 + 0.04 * worn)[..., None]
    stone *= (1 - 0.3 * (np.mod(along, 1.2) < 0.07) * crisp)[..., None]

    surface = np.where(on_road[..., None], asphalt, np.where(kerb[..., None], stone, slabs))
    # The gutter beside the kerb is dark: it is in the kerb's shadow and collects dirt.
    gutter = on_road & ((across < street.near + 0.18) | (across > street.far - 0.18))
    surface *= np.where(gutter, 0.72, 1.0)[..., None]
    sun, shade = np.array(light.sun), np.array(light.shade)
    colour[first:] = surface * (shade + (sun - shade) * 0.78)
    labels[first:] = np.where(on_road, ROAD, PAVEMENT)
    distance[first:] = z
    return labels, distance


def _wear_map(rng: np.random.Generator, x: Field, z: Field) -> Field:
    """Return stains and grain of the ground in perspective."""
    stains = octaves(rng, 256, 256, (24.0, 24.0), 5)
    fine = rng.standard_normal((256, 256))
    coarse_at = (z * 10).astype(int) % 256, (x * 10).astype(int) % 256
    fine_at = (z * 34).astype(int) % 256, (x * 34).astype(int) % 256
    return np.asarray(stains[coarse_at] + 0.7 * fine[fine_at] * np.clip(1 - z / 18, 0, 1))


def _patches(
    rng: np.random.Generator,
    asphalt: Field,
    across: Field,
    along: Field,
    street: Street,
) -> Field:
    """Paint repaired rectangles and round covers."""
    start = -8.0 if street.across else 3.0
    for _ in range(int(rng.integers(0, 4))):
        side, end = rng.uniform(street.near, street.far), start + rng.uniform(0, 16)
        half = rng.uniform(0.4, 1.1), rng.uniform(0.6, 2.5)
        inside = (abs(across - side) < half[0]) & (abs(along - end) < half[1])
        asphalt = np.where(inside[..., None], asphalt * rng.uniform(0.8, 0.93), asphalt)
    for _ in range(int(rng.integers(0, 3))):
        side, end = rng.uniform(street.near + 1, street.far - 1), start + rng.uniform(0, 12)
        apart = np.hypot(across - side, along - end)
        asphalt = np.where((apart < 0.36)[..., None], asphalt * 0.62, asphalt)
        asphalt = np.where((apart < 0.27)[..., None], asphalt * 1.18, asphalt)
    return asphalt


def _markings(
    rng: np.random.Generator,
    asphalt: Field,
    lane: Field,
    across: Field,
    along: Field,
    worn: Field,
    street: Street,
) -> Field:
    """Paint white lines, fainter where the asphalt is worn."""
    paint = np.zeros(lane.shape, bool)
    middle = (street.near + street.far) / 2
    if street.dashes:
        phase = rng.uniform(0, 5)
        paint |= (abs(across - middle) < 0.09) & (np.mod(along + phase, 5) < 2.6)
    if street.edges:
        paint |= abs(across - street.near - 0.5) < 0.07
        paint |= abs(across - street.far + 0.5) < 0.07
    if street.crossing is not None:
        inside = (along > street.crossing) & (along < street.crossing + 3.2)
        paint = np.where(inside, np.mod(across - street.near - 0.35, 1.1) < 0.55, paint)
    opacity = (paint * np.clip(0.86 - 0.09 * worn, 0.45, 0.95))[..., None]
    return np.asarray(asphalt * (1 - opacity) + 228.0 * opacity)
