"""Categories of objects, their parts, and the class index of each part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from .aircraft import aeroplane, rocket
from .furniture import Things, chair, lamp, table
from .guitar import guitar
from .vessels import bottle, mug
from .wheels import car, skateboard

BUILDERS: Final[dict[str, Callable[[np.random.Generator], Things]]] = {
    "aeroplane": aeroplane,
    "bottle": bottle,
    "car": car,
    "chair": chair,
    "guitar": guitar,
    "lamp": lamp,
    "mug": mug,
    "rocket": rocket,
    "skateboard": skateboard,
    "table": table,
}

PARTS: Final[dict[str, tuple[str, ...]]] = {
    "aeroplane": ("fuselage", "wings", "tail", "engines"),
    "bottle": ("body", "cap"),
    "car": ("body", "roof", "wheels"),
    "chair": ("seat", "back", "legs", "arms"),
    "guitar": ("body", "neck", "head"),
    "lamp": ("base", "pole", "shade"),
    "mug": ("body", "handle"),
    "rocket": ("body", "fins", "nose"),
    "skateboard": ("deck", "trucks", "wheels"),
    "table": ("top", "legs", "shelf"),
}

# The position is the class index: "aeroplane fuselage" is 0, "table shelf" is 29.
CLASS_NAMES: Final = tuple(f"{thing} {part}" for thing, parts in PARTS.items() for part in parts)

# Each category with the class indices of its parts.
CATEGORIES: Final = tuple(
    (thing, tuple(CLASS_NAMES.index(f"{thing} {part}") for part in parts))
    for thing, parts in PARTS.items()
)
