"""Cars: a side outline extruded to the car's width, with a cabin that leans inwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .canvas import Canvas, Colour, Point, mix, times
from .light import Light
from .palette import CAR

PAINTS: Final[tuple[Colour, ...]] = (
    (178, 28, 34), (36, 72, 148), (208, 210, 212), (244, 244, 242), (40, 42, 46), (118, 122, 128),
    (38, 96, 84), (222, 168, 36), (84, 132, 172), (112, 36, 52), (228, 120, 40),
)  # fmt: skip


@dataclass(frozen=True)
class _Body:
    """Outline of one kind of car: lengths from the front end and heights, in metres."""

    length: float
    half: float
    hood: float
    belt: float
    roof: float
    screen: tuple[float, float]  # where the windscreen starts and where the roof starts
    tail: tuple[float, float]  # where the roof ends and where the rear window ends
    wheel: float


_KINDS: Final = (
    _Body(4.3, 0.9, 0.86, 0.98, 1.48, (1.15, 1.95), (3.6, 4.2), 0.33),  # hatchback
    _Body(4.7, 0.92, 0.84, 0.96, 1.45, (1.3, 2.1), (3.3, 4.0), 0.34),  # saloon
    _Body(4.6, 0.95, 1.0, 1.12, 1.74, (1.1, 1.8), (4.2, 4.5), 0.38),  # off-road
    _Body(5.0, 1.0, 1.08, 1.3, 2.25, (0.5, 1.2), (4.9, 4.95), 0.36),  # van
)


@dataclass(frozen=True)
class Stand:
    """Position of a car: the middle of its front (x, z) and the unit vector from front to rear."""

    x: float
    z: float
    back: tuple[float, float]

    def at(self, run: float, y: float, side: float) -> Point:
        """Return the point `run` metres behind the front, `y` up and `side` off the middle."""
        return (
            self.x + self.back[0] * run - self.back[1] * side,
            y,
            self.z + self.back[1] * run + self.back[0] * side,
        )


def choose_car(rng: np.random.Generator) -> _Body:
    """Pick a kind of car; vans are rarer."""
    return _KINDS[int(rng.choice(len(_KINDS), p=(0.36, 0.28, 0.24, 0.12)))]


def shade_car(canvas: Canvas, light: Light, stand: Stand, body: _Body) -> None:
    """Paint the shadow under the car and beside it."""
    x, _, z = stand.at(body.length / 2, 0, 0)
    along_z = abs(stand.back[1]) > abs(stand.back[0])
    half = (body.half, body.length / 2) if along_z else (body.length / 2, body.half)
    shift = -light.side * body.roof * light.reach * 0.4
    canvas.shadow(x + shift, z, (half[0] * 1.1, half[1] * 1.05), light.shadow)
    canvas.shadow(x, z, (half[0] * 1.12, half[1] * 1.06), 190)


def paint_car(
    rng: np.random.Generator, canvas: Canvas, light: Light, stand: Stand, body: _Body
) -> None:
    """Paint one car, its far faces first."""
    paint = PAINTS[int(rng.integers(len(PAINTS)))]
    glass = mix((30, 38, 48), light.zenith, 0.12)
    near_side = min((-1.0, 1.0), key=lambda s: _away(stand.at(body.length / 2, 0.8, s * body.half)))
    _cabin_top(canvas, light, stand, body, paint, glass, near_side)
    _side(canvas, light, stand, body, paint, glass, near_side)
    for run, rear in ((0.0, False), (body.length, True)):
        if _shows_end(stand, run, rear):
            _end(canvas, light, stand, body, paint, glass, run, rear)
    for run in (body.length * 0.18, body.length * 0.8):
        _wheel(canvas, stand, body, run, near_side)


def _shows_end(stand: Stand, run: float, rear: bool) -> bool:
    """Return whether the front (or the rear) faces the camera."""
    x, _, z = stand.at(run, 0, 0)
    ahead = x * stand.back[0] + z * stand.back[1]
    return ahead < -0.05 if rear else ahead > 0.05


def _away(point: Point) -> float:
    return float(np.hypot(point[0], point[2]))


def _cabin_top(
    canvas: Canvas,
    light: Light,
    stand: Stand,
    body: _Body,
    paint: Colour,
    glass: Colour,
    side: float,
) -> None:
    half, lean = body.half, body.half * 0.78
    top = light.on(times(paint, 1.08), 1.0)
    # The far side as a flat plate closes gaps that the near parts leave in the outline.
    far = [
        stand.at(0.1, 0.3, -side * half), stand.at(body.length - 0.1, 0.3, -side * half),
        stand.at(body.length, body.belt, -side * half), stand.at(0, body.hood - 0.1, -side * half),
    ]  # fmt: skip
    canvas.face(far, times(light.on(paint, 0.2), 0.7), CAR)

    def sheet(
        run0: float, y0: float, in0: float, run1: float, y1: float, in1: float
    ) -> list[Point]:
        return [
            stand.at(run0, y0, -in0), stand.at(run0, y0, in0), stand.at(run1, y1, in1),
            stand.at(run1, y1, -in1),
        ]  # fmt: skip

    sheets = [
        (sheet(0, body.hood - 0.1, half, body.screen[0], body.belt, half), top),
        (sheet(body.screen[0], body.belt, half, body.screen[1], body.roof, lean), glass),
        (sheet(body.tail[1], body.belt, half, body.length, body.belt - 0.02, half), top),
        (sheet(body.tail[0], body.roof, lean, body.tail[1], body.belt, half), glass),
        (sheet(body.screen[1], body.roof, lean, body.tail[0], body.roof, lean), top),
    ]
    sheets.sort(key=lambda item: -sum(_away(p) for p in item[0]))
    for corners, colour in sheets:
        shown = light.on(colour, 0.7) if colour is glass else colour
        canvas.face(corners, shown, CAR)


def _side(
    canvas: Canvas,
    light: Light,
    stand: Stand,
    body: _Body,
    paint: Colour,
    glass: Colour,
    side: float,
) -> None:
    half, lean = side * body.half, side * body.half * 0.78
    sunlit = 0.75 if (stand.at(0, 0, half)[0] - stand.x) * light.side >= 0 else 0.3
    colour = light.on(paint, sunlit)
    flank = [
        stand.at(0.05, 0.28, half), stand.at(0, body.hood - 0.1, half),
        stand.at(body.screen[0], body.belt, half), stand.at(body.tail[1], body.belt, half),
        stand.at(body.length, body.belt - 0.02, half), stand.at(body.length - 0.03, 0.28, half),
    ]  # fmt: skip
    cabin = [
        stand.at(body.screen[0], body.belt, half), stand.at(body.screen[1], body.roof, lean),
        stand.at(body.tail[0], body.roof, lean), stand.at(body.tail[1], body.belt, half),
    ]  # fmt: skip
    canvas.face(cabin, times(colour, 0.96), CAR)
    canvas.face(flank, colour, CAR)

    def on_cabin(run: float, share: float) -> Point:
        """Return a point of the leaning cabin side, `share` of the way from belt to roof."""
        y = body.belt + (body.roof - body.belt) * share
        return stand.at(run, y, half + (lean - half) * share)

    slope = (body.screen[1] - body.screen[0], body.tail[1] - body.tail[0])
    pillar = (body.screen[1] + body.tail[0]) / 2
    low, high = 0.06, 0.86
    shown = light.on(glass, 0.6)
    first = [
        on_cabin(body.screen[0] + 0.2 + slope[0] * low, low), on_cabin(pillar - 0.05, low),
        on_cabin(pillar - 0.05, high), on_cabin(body.screen[0] + 0.2 + slope[0] * high, high),
    ]  # fmt: skip
    second = [
        on_cabin(pillar + 0.07, low), on_cabin(body.tail[1] - 0.2 - slope[1] * low, low),
        on_cabin(body.tail[1] - 0.2 - slope[1] * high, high), on_cabin(pillar + 0.07, high),
    ]  # fmt: skip
    for window in (first, second):
        canvas.face(window, shown)
        canvas.face([window[0], window[2], window[3]], light.horizon, alpha=46)
    sill = [
        stand.at(0.3, 0.28, half), stand.at(0.3, 0.42, half),
        stand.at(body.length - 0.3, 0.42, half), stand.at(body.length - 0.3, 0.28, half),
    ]  # fmt: skip
    canvas.face(sill, (24, 24, 28))
    for run in (pillar, body.screen[0] + 0.25):
        seam = [stand.at(run, 0.42, half), stand.at(run + 0.04, 0.42, half)]
        seam += [stand.at(run + 0.04, body.belt, half), stand.at(run, body.belt, half)]
        canvas.face(seam, times(colour, 0.7))
    line = [stand.at(0.2, 0.68, half), stand.at(body.length - 0.1, 0.74, half)]
    line += [stand.at(body.length - 0.1, 0.8, half), stand.at(0.2, 0.73, half)]
    canvas.face(line, (255, 255, 255), alpha=48)


def _end(
    canvas: Canvas,
    light: Light,
    stand: Stand,
    body: _Body,
    paint: Colour,
    glass: Colour,
    run: float,
    rear: bool,
) -> None:
    """Paint the front or the rear: lights, bumper, plate."""
    half = body.half
    top = body.belt - 0.02 if rear else body.hood - 0.1
    colour = light.on(paint, 0.45)

    def plate(s0: float, s1: float, y0: float, y1: float) -> list[Point]:
        return [
            stand.at(run, y0, s0), stand.at(run, y0, s1), stand.at(run, y1, s1),
            stand.at(run, y1, s0),
        ]  # fmt: skip

    canvas.face(plate(-half, half, 0.28, top), colour, CAR)
    canvas.face(plate(-half, half, 0.28, 0.5), (34, 34, 38))
    lamp: Colour = (214, 30, 30) if rear else (250, 246, 226)
    for s in (-1, 1):
        canvas.face(plate(s * half * 0.94, s * half * 0.62, top - 0.3, top - 0.1), lamp)
    if rear:
        canvas.face(plate(-0.27, 0.27, top - 0.33, top - 0.2), (240, 236, 214))
        gate = light.on(glass, 0.6)
        if body.tail[1] - body.tail[0] < 0.2:  # the window is in the upright rear of a van
            canvas.face(plate(-half * 0.8, half * 0.8, top, body.roof), colour, CAR)
            canvas.face(plate(-half * 0.66, half * 0.66, top + 0.15, body.roof - 0.2), gate)
    else:
        canvas.face(plate(-half * 0.5, half * 0.5, top - 0.3, top - 0.12), (28, 28, 32))
        canvas.face(plate(-0.27, 0.27, 0.42, 0.54), (240, 236, 214))


def _wheel(canvas: Canvas, stand: Stand, body: _Body, run: float, side: float) -> None:
    turn = np.linspace(0, 2 * np.pi, 22, endpoint=False)

    def ring(radius: float, out: float) -> list[Point]:
        return [
            stand.at(
                run + radius * float(np.cos(t)),
                body.wheel + radius * float(np.sin(t)),
                side * (body.half + out),
            )
            for t in turn
        ]

    canvas.face(ring(body.wheel * 1.16, 0.0), (14, 14, 18))
    canvas.face(ring(body.wheel, 0.01), (26, 26, 30), CAR)
    canvas.face(ring(body.wheel * 0.6, 0.02), (150, 152, 158))
    canvas.face(ring(body.wheel * 0.2, 0.03), (70, 72, 78))
