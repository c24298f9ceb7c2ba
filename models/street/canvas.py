"""Pinhole camera, and a canvas that paints colour, label and distance together.

World coordinates are metres: x to the right, y up from the ground, z away from the camera. Images
are painted `SCALE` times larger and averaged down, so that edges are smooth; labels are sampled at
the middle of each returned pixel, so that they are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SCALE: Final = 3
NEAR: Final = 0.6
FAR: Final = 120.0

Point = tuple[float, float, float]
Colour = tuple[float, float, float]


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Interpolate from `first` to `second` by `share` in [0, 1]."""
    a, b, c = (p + (q - p) * share for p, q in zip(first, second, strict=True))
    return a, b, c


def times(colour: Colour, factor: float) -> Colour:
    """Multiply a colour by a factor: darker below 1, lighter above 1."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


@dataclass(frozen=True)
class Camera:
    """Camera above (0, 0, 0) that looks along z; lengths are in painted pixels.

    Attributes:
        focal: focal length.
        centre: (column, row) of the vanishing point; the row is the horizon.
        eye: height of the eye in metres.
    """

    focal: float
    centre: tuple[float, float]
    eye: float

    def project(self, point: Point) -> tuple[float, float]:
        """Return (column, row) of a point with z > 0."""
        x, y, z = point
        return (
            self.centre[0] + self.focal * x / z,
            self.centre[1] + self.focal * (self.eye - y) / z,
        )

    def pixels(self, metres: float, z: float) -> float:
        """Return the length of `metres` at distance `z`, in painted pixels."""
        return self.focal * metres / z


class Canvas:
    """Colour, labels and distance of one image of `height` x `width` returned pixels."""

    def __init__(self, height: int, width: int, camera: Camera) -> None:
        size = (width * SCALE, height * SCALE)
        self.height, self.width, self.camera = height, width, camera
        self.colour = Image.new("RGB", size)
        self.labels = Image.new("L", size)
        self.distance = Image.new("F", size, FAR)
        self._attach()

    def _attach(self) -> None:
        self._colour = ImageDraw.Draw(self.colour, "RGBA")
        self._labels = ImageDraw.Draw(self.labels)
        self._distance = ImageDraw.Draw(self.distance)

    def backdrop(
        self,
        colour: NDArray[np.float64],
        labels: NDArray[np.uint8],
        distance: NDArray[np.float64],
    ) -> None:
        """Replace everything by arrays of painted size, [h, w, 3], [h, w] and [h, w]."""
        self.colour = Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))
        self.labels = Image.fromarray(labels)
        self.distance = Image.fromarray(distance.astype(np.float32))
        self._attach()

    def flat(
        self,
        outline: Sequence[tuple[float, float]],
        colour: Colour,
        label: int | None,
        z: float,
        alpha: int = 255,
    ) -> None:
        """Fill an outline given in painted pixels; without a label, only the colour changes."""
        if len(outline) < 3:
            return
        r, g, b = (int(min(max(c, 0), 255)) for c in colour)
        self._colour.polygon(outline, fill=(r, g, b, alpha))
        if label is not None:
            self._labels.polygon(outline, fill=label)
            self._distance.polygon(outline, fill=z)

    def face(
        self,
        corners: Iterable[Point],
        colour: Colour,
        label: int | None = None,
        alpha: int = 255,
    ) -> None:
        """Fill a planar polygon of the world, clipped at the near plane of the camera."""
        visible = _clip_near(list(corners))
        if visible:
            z = sum(p[2] for p in visible) / len(visible)
            self.flat([self.camera.project(p) for p in visible], colour, label, z, alpha)

    def disc(
        self,
        centre: Point,
        radius: float | tuple[float, float],
        colour: Colour,
        label: int | None = None,
        alpha: int = 255,
    ) -> None:
        """Fill an upright ellipse that faces the camera, radii (across, up) in metres."""
        across, up = radius if isinstance(radius, tuple) else (radius, radius)
        column, row = self.camera.project(centre)
        a, b = self.camera.pixels(across, centre[2]), self.camera.pixels(up, centre[2])
        box = (column - a, row - b, column + a, row + b)
        r, g, c = (int(min(max(v, 0), 255)) for v in colour)
        self._colour.ellipse(box, fill=(r, g, c, alpha))
        if label is not None:
            self._labels.ellipse(box, fill=label)
            self._distance.ellipse(box, fill=centre[2])

    def shadow(self, x: float, z: float, half: tuple[float, float], alpha: int) -> None:
        """Darken an ellipse with a soft edge on the ground; half axes along (x, z) in metres."""
        turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        for grow in (1.25, 1.0, 0.8):
            ring = [
                (
                    x + half[0] * grow * float(np.cos(t)),
                    0.0,
                    max(z + half[1] * grow * float(np.sin(t)), NEAR),
                )
                for t in turn
            ]
            self.face(ring, (12, 14, 26), alpha=alpha // 3)


def _clip_near(corners: list[Point]) -> list[Point]:
    """Clip a polygon to z >= NEAR."""
    kept: list[Point] = []
    for (x0, y0, z0), (x1, y1, z1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if z0 >= NEAR:
            kept.append((x0, y0, z0))
        if (z0 >= NEAR) != (z1 >= NEAR):
            t = (NEAR - z0) / (z1 - z0)
            kept.append((x0 + (x1 - x0) * t, y0 + (y1 - y0) * t, NEAR))
    return kept
