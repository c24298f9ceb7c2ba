"""Layout of a scene: houses in rows, and trees, cars, people and signs in front of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .buildings import Plot, paint_building
from .canvas import FAR, Canvas
from .cars import Stand, choose_car, paint_car, shade_car
from .ground import Street
from .light import Light
from .palette import BUILDING, TREE
from .people import paint_person
from .signs import paint_sign
from .trees import paint_hedge, paint_tree

# Distance of an object, and the function that paints it. Its shadow is already painted.
Thing = tuple[float, Callable[[], None]]


def paint_skyline(rng: np.random.Generator, canvas: Canvas, light: Light) -> None:
    """Paint far houses and trees that close the view; haze is added later."""
    x = -90.0
    wooded = rng.random() < 0.4
    while x < 90:
        wide = float(rng.uniform(5, 14))
        if wooded or rng.random() < 0.25:
            tall = float(rng.uniform(5, 10))
            for share in (0.2, 0.5, 0.8):
                canvas.disc(
                    (x + wide * share, tall * 0.45, FAR * 0.8),
                    (wide * 0.36, tall * 0.55),
                    light.on((78, 112, 66), float(rng.uniform(0.3, 0.7))),
                    TREE,
                )
        else:
            tall = float(rng.uniform(8, 20))
            tone = float(rng.uniform(120, 190))
            corners = [(x, 0.0), (x + wide, 0.0), (x + wide, tall), (x, tall)]
            canvas.face(
                [(a, b, FAR * 0.8) for a, b in corners],
                light.on((tone, tone * 0.9, tone * 0.82), 0.5),
                BUILDING,
            )
            for y in np.arange(2.5, tall - 2, 3.2):
                for u in np.arange(x + 1, x + wide - 1.5, 2.4):
                    pane = [(u, y), (u + 1.2, y), (u + 1.2, y + 1.7), (u, y + 1.7)]
                    canvas.face([(a, b, FAR * 0.8) for a, b in pane], (30, 36, 50), alpha=110)
        x += wide * 0.96


def look_along(
    rng: np.random.Generator, canvas: Canvas, light: Light, street: Street
) -> list[Thing]:
    """Lay out a street that runs away from the camera, with houses on both sides."""
    things: list[Thing] = []
    rows: list[Thing] = []
    end = float(rng.uniform(45, 80))
    for side in (-1, 1):
        line = street.near - street.paving if side < 0 else street.far + street.paving
        facing = 0.9 if side != light.side else 0.15
        z = float(rng.uniform(-2, 1.5))
        typical = int(rng.integers(2, 5))
        while z < end:
            length = float(rng.uniform(6, 12))
            if rng.random() < 0.13:
                rows += _garden(rng, canvas, light, (line + side * 0.6, z), (0.0, 1.0), length)
            else:
                plot = Plot((line, z), (0.0, 1.0), (float(side), 0.0), length)
                storeys = max(1, typical + int(rng.integers(-1, 2)))
                _shade_street(canvas, light, plot, side, 4 + storeys * 3.2)
                rows.append((z, _house(rng, canvas, light, plot, storeys, facing)))
            z += length
    # Houses never hide objects on the street, so the whole row is painted first.
    for _, paint in sorted(rows, key=lambda thing: -thing[0]):
        paint()

    things += _trees_along(rng, canvas, light, street)
    things += _cars_along(rng, canvas, light, street)
    for _ in range(int(rng.integers(1, 5))):
        side = int(rng.choice((-1, 1)))
        edge = street.near if side < 0 else street.far
        z = float(rng.uniform(5, 13))
        x = edge + side * float(rng.uniform(0.6, street.paving - 0.6))
        if rng.random() < 0.15:
            x = float(rng.uniform(street.near + 1, street.far - 1))
        things.append(_someone(rng, canvas, light, x, z))
    if rng.random() < 0.75:
        for _ in range(int(rng.integers(1, 3))):
            side = int(rng.choice((-1, 1)))
            edge = street.near if side < 0 else street.far
            things.append(_sign(rng, canvas, light, edge + side * 0.7, float(rng.uniform(5.5, 11))))
    return things


def face_the_houses(
    rng: np.random.Generator, canvas: Canvas, light: Light, street: Street
) -> list[Thing]:
    """Lay out a street that crosses the view: a row of houses seen from the other side."""
    things: list[Thing] = []
    line = street.far + street.paving
    x = -26.0 + float(rng.uniform(0, 5))
    typical = int(rng.integers(1, 4))
    facing = float(rng.uniform(0.35, 0.9))
    rows: list[Thing] = []
    while x < 26:
        length = float(rng.uniform(6, 12))
        aside = abs(x + length / 2)
        if rng.random() < 0.16:
            green = _garden(rng, canvas, light, (x, line + 0.6), (1.0, 0.0), length)
            rows += [(aside + z / 1000, paint) for z, paint in green]
        else:
            plot = Plot((x, line), (1.0, 0.0), (0.0, 1.0), length)
            storeys = max(1, typical + int(rng.integers(-1, 2)))
            rows.append((aside, _house(rng, canvas, light, plot, storeys, facing)))
        x += length
    # Outer houses first: the neighbour nearer to the middle hides the end wall.
    for _, paint in sorted(rows, key=lambda thing: -thing[0]):
        paint()

    for lane, back in ((0.78, 1.0), (0.27, -1.0)):
        x = -12.0 + float(rng.uniform(0, 6))
        while x < 12:
            if rng.random() < 0.42:
                z = street.near + (street.far - street.near) * lane
                things.append(_car(rng, canvas, light, Stand(x, z, (back, 0.0))))
                x += 3
            x += float(rng.uniform(3, 7))
    x = -11.0 + float(rng.uniform(0, 5))
    planted = rng.random() < 0.7
    while planted and x < 11:
        tall = float(rng.uniform(4.5, 7.5))
        things.append(_tree(rng, canvas, light, x, street.far + 0.9, tall))
        x += float(rng.uniform(5, 9))
    for _ in range(int(rng.integers(1, 5))):
        z = street.far + float(rng.uniform(0.5, street.paving - 0.5))
        if rng.random() < 0.12:
            z = street.near + float(rng.uniform(0.2, 1.0))
        things.append(_someone(rng, canvas, light, float(rng.uniform(-5.5, 5.5)), z))
    if rng.random() < 0.75:
        for _ in range(int(rng.integers(1, 3))):
            z = street.far + 0.5 if rng.random() < 0.6 else street.near - 0.1
            things.append(_sign(rng, canvas, light, float(rng.uniform(-4.5, 4.5)), z))
    return things


def _house(
    rng: np.random.Generator, canvas: Canvas, light: Light, plot: Plot, storeys: int, facing: float
) -> Callable[[], None]:
    return lambda: paint_building(rng, canvas, light, plot, storeys, facing=facing)


def _shade_street(canvas: Canvas, light: Light, plot: Plot, side: int, tall: float) -> None:
    """Paint the shadow that a house on the side of the sun casts on the street."""
    if side != light.side:
        return
    x, z = plot.start
    reach = -side * min(tall * light.reach, 11.0)
    corners = [(x, 0.0, z), (x + reach, 0.0, z + 1.5)]
    corners += [(x + reach, 0.0, z + plot.length + 1.5), (x, 0.0, z + plot.length)]
    canvas.face(corners, (16, 20, 40), alpha=light.shadow)


def _garden(
    rng: np.random.Generator,
    canvas: Canvas,
    light: Light,
    start: tuple[float, float],
    along: tuple[float, float],
    length: float,
) -> list[Thing]:
    """Fill a gap in the row with a hedge and trees behind it."""
    things: list[Thing] = []
    for share in (0.2, 0.5, 0.8):
        u = length * share
        x, z = start[0] + along[0] * u, start[1] + along[1] * u
        away = 2.0 if along[0] else 0.0
        x += (2.0 if start[0] > 0 else -2.0) * (1 - along[0])
        if z + away > 3:
            things.append(_tree(rng, canvas, light, x, z + away, float(rng.uniform(5, 9))))
    nearest = max(start[1] - 0.01, 1.0)

    def hedge() -> None:
        paint_hedge(rng, canvas, light, start, along, length)

    things.append((nearest, hedge))
    return things


def _trees_along(
    rng: np.random.Generator, canvas: Canvas, light: Light, street: Street
) -> list[Thing]:
    things: list[Thing] = []
    for side in (-1, 1):
        if rng.random() < 0.4:
            continue
        edge = street.near if side < 0 else street.far
        z = float(rng.uniform(6, 13))
        gap = float(rng.uniform(7, 13))
        typical = float(rng.uniform(4.5, 8))
        while z < 48:
            tall = typical * float(rng.uniform(0.85, 1.15))
            things.append(_tree(rng, canvas, light, edge + side * 0.9, z, tall))
            z += gap * float(rng.uniform(0.85, 1.2))
    return things


def _cars_along(
    rng: np.random.Generator, canvas: Canvas, light: Light, street: Street
) -> list[Thing]:
    """Place parked cars along the kerbs, and traffic: rears on the right, fronts on the left."""
    things: list[Thing] = []
    for side in (-1, 1):
        edge = street.near if side < 0 else street.far
        x = edge - side * 1.25
        if rng.random() < 0.65:
            z = float(rng.uniform(5, 12))
            while z < 40:
                if rng.random() < 0.62:
                    things.append(_car_along(rng, canvas, light, x, z, side))
                z += float(rng.uniform(5.6, 9))
        elif rng.random() < 0.7:
            middle = (street.near + street.far) / 2
            lane = middle + side * (street.far - street.near) * 0.24
            z = float(rng.uniform(6, 20))
            things.append(_car_along(rng, canvas, light, lane, z, side))
    return things


def _car_along(
    rng: np.random.Generator, canvas: Canvas, light: Light, x: float, z: float, side: int
) -> Thing:
    """Place a car whose nearer end is at distance `z`."""
    stand = Stand(x, z, (0.0, 1.0)) if side < 0 else Stand(x, z + 4.5, (0.0, -1.0))
    return _car(rng, canvas, light, stand)


def _car(rng: np.random.Generator, canvas: Canvas, light: Light, stand: Stand) -> Thing:
    body = choose_car(rng)
    shade_car(canvas, light, stand, body)
    z = stand.at(body.length / 2, 0, 0)[2]
    return z, lambda: paint_car(rng, canvas, light, stand, body)


def _tree(
    rng: np.random.Generator, canvas: Canvas, light: Light, x: float, z: float, tall: float
) -> Thing:
    canvas.shadow(x - light.side * tall * light.reach * 0.5, z, (tall * 0.32, 0.9), light.shadow)
    return z, lambda: paint_tree(rng, canvas, light, x, z, tall=tall)


def _someone(rng: np.random.Generator, canvas: Canvas, light: Light, x: float, z: float) -> Thing:
    long = light.reach * 0.6
    canvas.shadow(x - light.side * long, z, (0.3 + long, 0.16), light.shadow)
    canvas.shadow(x, z, (0.36, 0.2), 130)
    return z, lambda: paint_person(rng, canvas, light, x, z)


def _sign(rng: np.random.Generator, canvas: Canvas, light: Light, x: float, z: float) -> Thing:
    canvas.shadow(x, z, (0.2, 0.14), 110)
    return z, lambda: paint_sign(rng, canvas, light, x, z)
