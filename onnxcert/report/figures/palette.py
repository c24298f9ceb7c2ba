"""Class colours: the usual ones for well-known names, otherwise perceptually distinct ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]

ABSTAIN: Final[Colour] = (255, 255, 255)
IGNORED: Final[tuple[Colour, Colour]] = ((84, 84, 84), (112, 112, 112))  # two stripes

# The usual colours of well-known names; the names of one colour are separated by commas.
_USUAL: Final[dict[str, Colour]] = {
    "sky": (116, 178, 226),
    "building, house": (160, 96, 72),
    "wall": (133, 122, 166),
    "road, street": (112, 72, 124),
    "lane marking": (214, 196, 224),
    "pavement, sidewalk": (226, 124, 202),
    "tree, vegetation": (62, 132, 58),
    "grass, terrain": (150, 205, 100),
    "ground": (146, 138, 60),
    "water": (30, 110, 160),
    "car, vehicle": (34, 62, 176),
    "truck": (20, 36, 100),
    "bus": (0, 150, 150),
    "train": (0, 92, 98),
    "motorcycle": (72, 116, 255),
    "bicycle": (128, 16, 44),
    "bicyclist, cyclist, rider": (255, 128, 20),
    "person, pedestrian": (226, 28, 58),
    "sign, traffic sign": (246, 212, 20),
    "traffic light": (252, 168, 40),
    "pole, column pole": (168, 178, 182),
    "fence": (214, 178, 142),
    "background": (46, 52, 84),
}
_KNOWN: Final = {name: colour for names, colour in _USUAL.items() for name in names.split(", ")}

# First choice for classes without a known name; these colours go well together.
_PREFERRED: Final[tuple[Colour, ...]] = (
    (66, 118, 180),
    (240, 140, 40),
    (84, 162, 76),
    (212, 66, 72),
    (150, 104, 184),
    (140, 92, 76),
    (232, 128, 196),
    (88, 190, 204),
    (212, 196, 56),
    (176, 214, 134),
)

# Below this distance in CIELAB, two adjacent areas look alike.
_MIN_DISTANCE: Final = 18.0


def colours(classes: Sequence[str] | int) -> npt.NDArray[np.uint8]:
    """Return one colour for each class; equal arguments give equal colours.

    Colours of up to 256 classes differ from each other, and all differ from white, black and the
    grey of ignored pixels; with more classes, colours repeat.

    Args:
        classes: class names in the order of their indices, or the number of classes.

    Returns:
        uint8 [classes, 3], RGB.
    """
    return _colours(classes if isinstance(classes, int) else tuple(classes)).copy()


@lru_cache(maxsize=16)  # called for every input of a run, and slow for unknown class names
def _colours(classes: tuple[str, ...] | int) -> npt.NDArray[np.uint8]:
    names = [""] * classes if isinstance(classes, int) else [_normalise(name) for name in classes]
    chosen: list[Colour | None] = [None] * len(names)
    taken: list[Colour] = [ABSTAIN, (0, 0, 0), *IGNORED]
    for i, name in enumerate(names):
        colour = _KNOWN.get(name)
        if colour is not None and colour not in taken:
            chosen[i] = colour
            taken.append(colour)
    more = iter(_distinct_colours(taken, chosen.count(None)))
    return np.array([colour or next(more) for colour in chosen], np.uint8).reshape(-1, 3)


def _normalise(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().lower()


def _distinct_colours(taken: list[Colour], count: int) -> list[Colour]:
    """Return `count` colours, each as far as possible from `taken` and from those before it.

    The fixed tables of colorcet were tried: with 20 classes, the least distance in CIELAB is 21
    there and 25 here. glasbey reaches 18, in seconds, and needs numba and scikit-learn.
    """
    if count == 0:
        return []
    steps = np.linspace(16, 248, 15).round().astype(int)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    points = _to_lab(grid)
    chroma = np.hypot(points[:, 1], points[:, 2])
    # Neither dark nor glaring: such colours look like shadow or like white.
    pleasant = (points[:, 0] > 28) & (points[:, 0] < 90) & (chroma > 14) & (chroma < 82)
    grid, points = grid[pleasant], points[pleasant]
    used = _to_lab(np.array(taken))
    found = [c for c in _PREFERRED if _lab_distance(used, c).min() >= _MIN_DISTANCE][:count]
    distance = np.min([_lab_distance(points, colour) for colour in (*taken, *found)], axis=0)
    while len(found) < count:
        red, green, blue = grid[distance.argmax()].tolist()
        found.append((red, green, blue))
        distance = np.minimum(distance, _lab_distance(points, found[-1]))
    return found


def _lab_distance(points: npt.NDArray[np.float64], colour: Colour) -> npt.NDArray[np.float64]:
    distance: npt.NDArray[np.float64] = np.linalg.norm(points - _to_lab(np.array([colour])), axis=1)
    return distance


def _to_lab(rgb: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    """Convert sRGB [..., 3] in 0 .. 255 to CIELAB, whose distances are perceptual."""
    s = rgb / 255
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    lab: npt.NDArray[np.float64] = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
    return lab


def part_colours(class_names: Sequence[str], own: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return a colour for each class, the most distinct ones for the parts of one category.

    Fifty parts of all categories would get similar colours, but one shape has few parts.

    Args:
        class_names: names by class index.
        own: classes of the shape's category.

    Returns:
        uint8 [classes, 3].
    """
    order = [*own, *(i for i in range(len(class_names)) if i not in set(own))]
    table = np.empty((len(class_names), 3), np.uint8)
    table[order] = colours([class_names[i] for i in order])
    return table
