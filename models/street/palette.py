"""The classes of a street scene, in the order of their label indices, and their colours."""

from __future__ import annotations

from typing import Final

CLASS_NAMES: Final = ("sky", "building", "road", "pavement", "tree", "car", "person", "sign")
SKY, BUILDING, ROAD, PAVEMENT, TREE, CAR, PERSON, SIGN = range(len(CLASS_NAMES))

# The colours also differ in lightness, for readers with red-green colour blindness.
PALETTE: Final = (
    (134, 190, 232),
    (166, 124, 92),
    (84, 84, 96),
    (222, 206, 196),
    (58, 134, 72),
    (36, 62, 168),
    (212, 44, 64),
    (250, 200, 40),
)
