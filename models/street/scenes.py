"""Street scenes with labels; a scene is determined by its seed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .canvas import SCALE, Camera, Canvas
from .finish import finish
from .ground import Street, paint_ground
from .layout import face_the_houses, look_along, paint_skyline
from .light import choose_light
from .sky import paint_sky

# Seeds from here on are held out from training; the samples and the measurements use them.
HELD_OUT: Final = 900_000


def draw_scene(
    seed: int, height: int = 160, width: int = 256
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the street scene number `seed`.

    Args:
        seed: integer of at least 0; the same seed and size give the same scene.
        height: height of the image in pixels.
        width: width of the image in pixels.

    Returns:
        Pixels uint8 [height, width, 3], RGB, and labels uint8 [height, width], indices into
        `palette.CLASS_NAMES`.

    >>> pixels, labels = draw_scene(0)
    >>> pixels.shape, labels.shape
    ((160, 256, 3), (160, 256))
    """
    rng = np.random.default_rng(seed)
    light = choose_light(rng)
    across = bool(rng.random() < 0.3)
    camera = _place_camera(rng, height, width, across)
    street = _plan(rng, across)
    canvas = Canvas(height, width, camera)

    colour = paint_sky(rng, height * SCALE, width * SCALE, camera, light)
    labels, distance = paint_ground(rng, colour, camera, street, light)
    canvas.backdrop(colour, labels, distance)
    paint_skyline(rng, canvas, light)
    if across:
        things = face_the_houses(rng, canvas, light, street)
    else:
        things = look_along(rng, canvas, light, street)
    for _, paint in sorted(things, key=lambda thing: -thing[0]):
        paint()
    return finish(rng, canvas, light)


def _place_camera(rng: np.random.Generator, height: int, width: int, across: bool) -> Camera:
    size = height * SCALE, width * SCALE
    shift = 0.0 if across else rng.uniform(-0.16, 0.16)
    row = rng.uniform(0.52, 0.6) if across else rng.uniform(0.44, 0.56)
    return Camera(
        focal=size[1] * float(rng.uniform(0.72, 0.98)),
        centre=(size[1] * (0.5 + float(shift)), size[0] * float(row)),
        eye=float(rng.uniform(1.55, 2.3)),
    )


def _plan(rng: np.random.Generator, across: bool) -> Street:
    asphalt = rng.uniform(84, 118)
    tint = rng.uniform(-5, 5)
    slab = rng.uniform(172, 208)
    warm = rng.uniform(0.84, 0.98)
    if across:
        near = float(rng.uniform(2.8, 4.6))
        far = near + float(rng.uniform(5.5, 8))
    else:
        half, off = float(rng.uniform(3.4, 5.0)), float(rng.uniform(-1.8, 1.8))
        near, far = off - half, off + half
    crossing = float(rng.uniform(6.5, 13)) if not across and rng.random() < 0.25 else None
    return Street(
        across=across,
        near=near,
        far=far,
        paving=float(rng.uniform(2.6, 4.2)),
        asphalt=(asphalt + tint, asphalt, asphalt - tint + 4),
        slabs=(slab, slab * (0.5 + warm / 2), slab * warm * 0.96),
        crossing=crossing,
        dashes=bool(rng.random() < 0.8),
        edges=bool(rng.random() < 0.4),
    )
