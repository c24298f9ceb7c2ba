"""Shape categories and the part classes of each."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from onnxcert.errors import InputError
from onnxcert.files.regular import read_regular_file

_PARTS: Final = {
    "Airplane": ("body", "wing", "tail", "engine"),
    "Bag": ("handle", "body"),
    "Cap": ("crown", "visor"),
    "Car": ("roof", "hood", "wheel", "body"),
    "Chair": ("back", "seat", "leg", "armrest"),
    "Earphone": ("earcup", "headband", "wire"),
    "Guitar": ("head", "neck", "body"),
    "Knife": ("blade", "handle"),
    "Lamp": ("base", "shade", "mount", "pole"),
    "Laptop": ("keyboard", "screen"),
    "Motorbike": ("tank", "seat", "wheel", "handlebar", "light", "frame"),
    "Mug": ("handle", "cup"),
    "Pistol": ("barrel", "grip", "trigger"),
    "Rocket": ("body", "fin", "nose"),
    "Skateboard": ("wheel", "deck", "truck"),
    "Table": ("top", "leg", "drawer"),
}

#: The names of the 50 parts, in the order of their numbers.
SHAPENET_PART_NAMES: Final = tuple(
    f"{category.lower()} {part}" for category, parts in _PARTS.items() for part in parts
)

#: Numbers of the parts by category, in the usual order of the one-hot input of models.
SHAPENET_PARTS: Final[dict[str, tuple[int, ...]]] = {
    category: tuple(
        number
        for number, name in enumerate(SHAPENET_PART_NAMES)
        if name.startswith(f"{category.lower()} ")
    )
    for category in _PARTS
}


Categories = tuple[tuple[str, tuple[int, ...]], ...]

CATEGORIES: Final[dict[str, Categories]] = {"shapenet-part": tuple(SHAPENET_PARTS.items())}
_LARGEST: Final = 1_000_000


def read_categories(named: str) -> Categories:
    """Return the categories called `named`, or read them from the text file at that path.

    Each line is ``name class class ...``; `#` begins a comment. The order of the lines is that of a
    model's one-hot input.

    Raises:
        InputError: there is neither such a name nor a readable file, or a line is invalid.
    """
    if named in CATEGORIES:
        return CATEGORIES[named]
    path = Path(named)
    try:
        text = read_regular_file(path, limit=_LARGEST).decode("utf-8")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: expected {' or '.join(CATEGORIES)}, or a text file with a line `name class "
            f"class ...` for each category, but it cannot be read ({error}): check the path."
        ) from None
    found: list[tuple[str, tuple[int, ...]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        name, *parts = words
        if not parts or not all(part.isdecimal() and len(part) < 6 for part in parts):
            raise InputError(
                f"{path}, line {number}: expected a name and the classes of its parts, such as "
                f"`chair 2 3 4`, got {line.strip()[:60]!r}: fix the line."
            )
        found.append((name, tuple(map(int, parts))))
    if not found:
        raise InputError(f"{path}: expected a line for each category, but it has none: add them.")
    return tuple(found)
