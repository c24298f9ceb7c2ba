"""Houses: a facade of storeys and bays with windows, shops, cornices and a roof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .canvas import Camera, Canvas, Colour, Point, mix, times
from .light import Light
from .palette import BUILDING

WALLS: Final[tuple[Colour, ...]] = (
    (178, 92, 70), (150, 78, 62), (206, 178, 138), (226, 210, 178), (196, 186, 172),
    (214, 160, 112), (168, 148, 128), (232, 222, 206), (190, 120, 88), (150, 146, 146),
    (220, 190, 120), (198, 150, 140), (128, 104, 92), (180, 172, 140),
)  # fmt: skip
ROOFS: Final[tuple[Colour, ...]] = ((94, 62, 54), (70, 72, 82), (128, 70, 52), (84, 80, 76))
TRIMS: Final[tuple[Colour, ...]] = ((236, 230, 218), (214, 206, 190), (120, 96, 82), (84, 84, 88))
FRONTS: Final[tuple[Colour, ...]] = (
    (44, 84, 74), (122, 40, 42), (36, 56, 96), (60, 52, 48), (168, 132, 60), (96, 44, 84),
)  # fmt: skip


@dataclass(frozen=True)
class Plot:
    """Position of a house, in metres.

    Attributes:
        start: (x, z) of one end of the facade.
        along: unit vector (x, z) along the facade.
        inward: unit vector (x, z) into the house.
        length: length of the facade.
    """

    start: tuple[float, float]
    along: tuple[float, float]
    inward: tuple[float, float]
    length: float

    def at(self, u: float, y: float, out: float = 0.0) -> Point:
        """Return the point `u` metres along the facade, `y` up and `out` metres in front of it."""
        return (
            self.start[0] + self.along[0] * u - self.inward[0] * out,
            y,
            self.start[1] + self.along[1] * u - self.inward[1] * out,
        )

    def panel(
        self, u0: float, u1: float, y0: float, y1: float, out: float = 0.0
    ) -> tuple[Point, Point, Point, Point]:
        """Return the corners of a rectangle on the facade or in front of it."""
        return (
            self.at(u0, y0, out), self.at(u1, y0, out), self.at(u1, y1, out), self.at(u0, y1, out),
        )  # fmt: skip


@dataclass(frozen=True)
class _Style:
    wall: Colour
    trim: Colour
    roof: Colour
    glass: Colour
    storey: float
    ground: float
    bay: float
    arched: bool
    shutters: Colour | None
    modern: bool


def paint_building(
    rng: np.random.Generator,
    canvas: Canvas,
    light: Light,
    plot: Plot,
    storeys: int,
    *,
    facing: float,
) -> None:
    """Paint one house; `facing` in [0, 1] is how much its facade faces the sun."""
    modern = bool(rng.random() < 0.2)
    style = _Style(
        wall=_vary(rng, WALLS[int(rng.integers(len(WALLS)))]),
        trim=TRIMS[int(rng.integers(len(TRIMS)))],
        roof=_vary(rng, ROOFS[int(rng.integers(len(ROOFS)))]),
        glass=mix((44, 54, 68), light.zenith, float(rng.uniform(0.05, 0.4))),
        storey=float(rng.uniform(2.9, 3.5)),
        ground=float(rng.uniform(3.4, 4.2)),
        bay=float(rng.uniform(2.0, 3.1)),
        arched=bool(rng.random() < 0.25),
        shutters=_front(rng) if rng.random() < 0.25 else None,
        modern=modern,
    )
    top = style.ground + storeys * style.storey + 0.5
    _walls(canvas, light, plot, style, top, facing)
    bays = max(1, round(plot.length / style.bay))
    width = plot.length / bays
    _street_floor(rng, canvas, light, plot, style, facing, bays)
    for storey in range(storeys):
        sill = style.ground + storey * style.storey + 0.75
        if modern:
            _ribbon(rng, canvas, light, plot, style, sill, facing, bays)
            continue
        for bay in range(bays):
            _window(rng, canvas, light, plot, style, (bay + 0.5) * width, sill, facing)
    _crown(rng, canvas, light, plot, style, top, facing)


def _vary(rng: np.random.Generator, colour: Colour) -> Colour:
    a, b, c = (v * rng.uniform(0.9, 1.08) + rng.uniform(-6, 6) for v in colour)
    return a, b, c


def _front(rng: np.random.Generator) -> Colour:
    """Return a random colour for shops, doors and shutters."""
    return _vary(rng, FRONTS[int(rng.integers(len(FRONTS)))])


def _walls(
    canvas: Canvas, light: Light, plot: Plot, style: _Style, top: float, facing: float
) -> None:
    """Paint the end walls, which show beside lower neighbours, and then the facade."""
    end = light.on(times(style.wall, 0.82), 0.25)
    for u in (0.0, plot.length):
        corners = [plot.at(u, 0), plot.at(u, 0, -9), plot.at(u, top, -9), plot.at(u, top)]
        canvas.face(corners, end, BUILDING)
    steps = max(1, round(plot.length / 4))
    for step in range(steps):
        u0, u1 = (plot.length * s / steps for s in (step, step + 1))
        canvas.face(plot.panel(u0, u1, 0, top), light.on(style.wall, facing), BUILDING)
    # Dirt at the bottom and rain stains at the top, as three thin layers each.
    for share in (0.3, 0.6, 1.0):
        canvas.face(plot.panel(0, plot.length, 0, 2.6 * share), (20, 18, 24), alpha=12)
        canvas.face(
            plot.panel(0, plot.length, top - 1.6 * share, top), (20, 18, 24), alpha=9
        )  # under the cornice
    canvas.face(plot.panel(0, plot.length, 0, 0.55), light.on(times(style.wall, 0.68), facing))


def _street_floor(
    rng: np.random.Generator,
    canvas: Canvas,
    light: Light,
    plot: Plot,
    style: _Style,
    facing: float,
    bays: int,
) -> None:
    """Paint the ground floor: shops, perhaps with an awning, or a door and windows."""
    width = plot.length / bays
    trim = light.on(style.trim, facing)
    if rng.random() < 0.5:
        front = _front(rng)
        paint = light.on(front, facing)
        whole = plot.panel(0.15, plot.length - 0.15, 0.2, style.ground - 0.1)
        canvas.face(whole, times(paint, 0.9))
        warm = mix(style.glass, (250, 214, 150), 0.25 + 0.6 * min(1.0, light.lamps * 3))
        for bay in range(bays):
            u = bay * width
            canvas.face(plot.panel(u + 0.3, u + width - 0.2, 0.65, 2.7), light.on(warm, 0.5))
            canvas.face(plot.panel(u + 0.4, u + width * 0.55, 1.7, 2.6), (255, 255, 255), alpha=26)
        fascia = plot.panel(0.1, plot.length - 0.1, 2.85, style.ground - 0.15)
        canvas.face(fascia, times(paint, 1.12))
        letters = plot.length * rng.uniform((0.2, 0.6), (0.35, 0.8))
        canvas.face(
            plot.panel(letters[0], letters[1], 3.0, style.ground - 0.35),
            mix(paint, (250, 240, 214), 0.55),
        )
        if rng.random() < 0.55:
            _awning(rng, canvas, light, plot, facing)
        return
    door = int(rng.integers(bays))
    for bay in range(bays):
        u = (bay + 0.5) * width
        if bay == door:
            colour = _front(rng)
            canvas.face(plot.panel(u - 0.72, u + 0.72, 0, 2.85), trim)
            canvas.face(plot.panel(u - 0.55, u + 0.55, 0.1, 2.3), light.on(colour, facing))
            canvas.face(plot.panel(u - 0.55, u + 0.55, 2.4, 2.7), light.on(style.glass, 0.6))
        else:
            _window(rng, canvas, light, plot, style, u, 1.0, facing)
    canvas.face(plot.panel(0, plot.length, style.ground - 0.3, style.ground - 0.05), trim)


def _awning(
    rng: np.random.Generator, canvas: Canvas, light: Light, plot: Plot, facing: float
) -> None:
    first = _front(rng)
    second: Colour = (238, 230, 214) if rng.random() < 0.6 else times(first, 0.85)
    stripes = max(4, round(plot.length / 0.6))
    for stripe in range(stripes):
        u0, u1 = (0.3 + (plot.length - 0.6) * s / stripes for s in (stripe, stripe + 1))
        colour = light.on(first if stripe % 2 == 0 else second, 0.35 + facing * 0.65)
        sloped = [plot.at(u0, 2.95), plot.at(u1, 2.95)]
        sloped += [plot.at(u1, 2.4, 1.1), plot.at(u0, 2.4, 1.1)]
        canvas.face(sloped, colour, BUILDING)
        canvas.face(plot.panel(u0, u1, 2.18, 2.4, 1.1), times(colour, 0.84), BUILDING)


def _pane(rng: np.random.Generator, light: Light, style: _Style) -> Colour:
    if rng.random() < light.lamps:
        return mix((255, 206, 120), (255, 236, 190), float(rng.random()))
    return light.on(times(style.glass, float(rng.uniform(0.75, 1.25))), 0.6)


def _window(
    rng: np.random.Generator,
    canvas: Canvas,
    light: Light,
    plot: Plot,
    style: _Style,
    u: float,
    sill: float,
    facing: float,
) -> None:
    half, tall = style.bay * 0.22, 1.65
    pane = _pane(rng, light, style)
    trim = light.on(style.trim, facing)
    z = plot.at(u, 0)[2]
    if z < 1:
        return
    fine = _fine(canvas.camera, z)
    if style.shutters and fine:
        shutter = light.on(style.shutters, facing)
        canvas.face(plot.panel(u - half - 0.42, u - half, sill, sill + tall), shutter)
        canvas.face(plot.panel(u + half, u + half + 0.42, sill, sill + tall), shutter)
    canvas.face(plot.panel(u - half - 0.11, u + half + 0.11, sill - 0.06, sill + tall + 0.14), trim)
    canvas.face(plot.panel(u - half, u + half, sill, sill + tall), pane)
    if not fine:
        return
    if style.arched:
        cap = [
            plot.at(u + half * float(np.cos(t)), sill + tall + 0.42 * float(np.sin(t)))
            for t in np.linspace(0, np.pi, 8)
        ]
        canvas.face(cap, pane)
    sky = [
        plot.at(u - half, sill + tall), plot.at(u + half * 0.7, sill + tall),
        plot.at(u - half, sill + tall * 0.35),
    ]  # fmt: skip
    canvas.face(sky, light.horizon, alpha=64)
    bar = 0.035
    canvas.face(plot.panel(u - bar, u + bar, sill, sill + tall), trim)
    canvas.face(plot.panel(u - half, u + half, sill + tall * 0.6, sill + tall * 0.6 + 0.06), trim)
    ledge = plot.panel(u - half - 0.2, u + half + 0.2, sill - 0.18, sill - 0.04)
    canvas.face(ledge, times(trim, 0.9))


def _ribbon(
    rng: np.random.Generator,
    canvas: Canvas,
    light: Light,
    plot: Plot,
    style: _Style,
    sill: float,
    facing: float,
    bays: int,
) -> None:
    """Paint a band of glass along a storey."""
    width = (plot.length - 0.8) / bays
    for bay in range(bays):
        u = 0.4 + bay * width
        pane = _pane(rng, light, style)
        canvas.face(plot.panel(u, u + width - 0.12, sill, sill + 1.6), pane)
        slant = [plot.at(u, sill + 1.6), plot.at(u + width * 0.5, sill + 1.6)]
        slant.append(plot.at(u, sill + 0.6))
        canvas.face(slant, light.horizon, alpha=50)
    ledge = light.on(style.trim, facing)
    canvas.face(plot.panel(0, plot.length, sill - 0.5, sill - 0.32), ledge)


def _crown(
    rng: np.random.Generator,
    canvas: Canvas,
    light: Light,
    plot: Plot,
    style: _Style,
    top: float,
    facing: float,
) -> None:
    """Paint a cornice and a parapet or a pitched roof with dormers and chimneys."""
    length = plot.length
    trim = light.on(style.trim, facing)
    if not style.modern and rng.random() < 0.6:
        rise = float(rng.uniform(1.6, 3.0))
        roof = light.on(style.roof, 0.3 + 0.7 * facing)
        frontal = plot.inward[1] > 0.5  # flat chimneys and dormers look wrong from the side
        for u in (length * 0.14, length * 0.8) if frontal else ():
            stack = plot.panel(u, u + 0.9, top + rise * 0.5, top + rise + 1.0, -1.8)
            canvas.face(stack, light.on(times(style.wall, 0.75), facing), BUILDING)
        slope = [plot.at(-0.1, top), plot.at(length + 0.1, top)]
        slope += [plot.at(length - 0.1, top + rise, -2.4), plot.at(0.1, top + rise, -2.4)]
        canvas.face(slope, roof, BUILDING)
        for step in (0.33, 0.66):
            line = plot.panel(0, length, top + rise * step, top + rise * step + 0.06, -2.4 * step)
            canvas.face(line, times(roof, 0.86))
        if frontal and rng.random() < 0.55:
            for share in (0.28, 0.72):
                u = length * share
                dormer = plot.panel(u - 0.65, u + 0.65, top + 0.2, top + rise * 0.85, -0.5)
                canvas.face(dormer, trim, BUILDING)
                glass = plot.panel(u - 0.45, u + 0.45, top + 0.35, top + rise * 0.7, -0.5)
                canvas.face(glass, _pane(rng, light, style))
    else:
        canvas.face(plot.panel(0, length, top, top + 0.55), times(trim, 0.92), BUILDING)
    canvas.face(plot.panel(-0.1, length + 0.1, top - 0.32, top + 0.08, 0.3), trim, BUILDING)
    canvas.face(plot.panel(0, length, top - 0.5, top - 0.32, 0.02), (16, 14, 22), alpha=80)


def _fine(camera: Camera, z: float) -> bool:
    """Return whether glazing bars at this distance are wide enough to be visible."""
    return camera.pixels(0.1, z) > 1.2
