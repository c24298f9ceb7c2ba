"""Light of a scene by hour and weather: colours of sky, sun and haze."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .canvas import Colour


@dataclass(frozen=True)
class Light:
    """Light of one scene; colours are 0 to 255, factors multiply colours.

    Attributes:
        zenith: colour of the sky at the top.
        horizon: colour of the sky at the horizon.
        cloud: colour of lit cloud.
        cover: share of the sky under cloud.
        sun: factor of surfaces that face the sun.
        shade: factor of surfaces in the shade.
        haze: colour of the haze over far objects.
        thickness: fade into the haze per metre.
        side: -1 if the sun is on the left, 1 if on the right.
        reach: length of a shadow on the ground per metre of height.
        shadow: opacity of cast shadows, up to 255.
        lamps: share of windows that are lit from inside.
    """

    zenith: Colour
    horizon: Colour
    cloud: Colour
    cover: float
    sun: Colour
    shade: Colour
    haze: Colour
    thickness: float
    side: int
    reach: float
    shadow: int
    lamps: float

    def on(self, colour: Colour, facing: float) -> Colour:
        """Return `colour` as lit on a surface that faces the sun by `facing` in [0, 1]."""
        a, b, c = (
            v * (dark + (bright - dark) * facing)
            for v, dark, bright in zip(colour, self.shade, self.sun, strict=True)
        )
        return a, b, c


_HOURS: Final = (
    # zenith, horizon, cloud, sun, shade, haze, thickness, reach, shadow, lamps, likelihood
    ((66, 124, 206), (188, 216, 240), (252, 252, 252), (1.08, 1.06, 1.0), (0.66, 0.7, 0.8),
     (196, 214, 232), 0.006, 0.55, 120, 0.0, 0.3),  # noon
    ((96, 150, 214), (246, 226, 200), (255, 246, 232), (1.12, 1.03, 0.88), (0.62, 0.66, 0.78),
     (236, 220, 200), 0.010, 0.95, 125, 0.02, 0.2),  # morning
    ((172, 184, 198), (216, 220, 224), (236, 238, 240), (0.92, 0.93, 0.95), (0.8, 0.82, 0.86),
     (208, 213, 218), 0.011, 0.3, 36, 0.05, 0.22),  # overcast
    ((88, 116, 180), (255, 196, 128), (255, 214, 176), (1.16, 0.94, 0.7), (0.58, 0.58, 0.72),
     (248, 196, 148), 0.012, 1.2, 120, 0.08, 0.18),  # golden hour
    ((74, 84, 148), (238, 158, 140), (226, 156, 168), (0.84, 0.74, 0.8), (0.58, 0.58, 0.74),
     (196, 150, 160), 0.012, 0.5, 50, 0.4, 0.1),  # dusk
)  # fmt: skip


def choose_light(rng: np.random.Generator) -> Light:
    """Choose a random hour and vary its light."""
    weights = np.array([hour[-1] for hour in _HOURS])
    hour = _HOURS[int(rng.choice(len(_HOURS), p=weights / weights.sum()))]
    zenith, horizon, cloud, sun, shade, haze, thickness, reach, shadow, lamps, _ = hour
    strength = rng.uniform(0.92, 1.08)

    def vary(colour: Colour) -> Colour:
        a, b, c = (v * strength + rng.uniform(-9, 9) for v in colour)
        return a, b, c

    return Light(
        zenith=vary(zenith),
        horizon=vary(horizon),
        cloud=cloud,
        cover=float(rng.uniform(0.1, 0.62)),
        sun=sun,
        shade=shade,
        haze=vary(haze),
        thickness=thickness * float(rng.uniform(0.5, 1.3)),
        side=int(rng.choice((-1, 1))),
        reach=reach * float(rng.uniform(0.7, 1.2)),
        shadow=shadow,
        lamps=lamps,
    )
