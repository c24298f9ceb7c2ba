"""The ShapeNet part benchmark: 16 shape categories, 50 parts, points with normals."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from onnxcert.data.decoding import decoding_errors, read_lines
from onnxcert.data.folder import listing_errors
from onnxcert.data.listing import Item, Listing
from onnxcert.data.published import require, require_single_path
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


_LISTS = "train_test_split"
CATEGORY_TABLE: Final = "synsetoffset2category.txt"
_SPLITS: Final = ("train", "val", "test")
_EXPECTED: Final = (
    "the folder of the ShapeNet part benchmark, such as "
    "shapenetcore_partanno_segmentation_benchmark_v0_normal"
)
# Only names that cannot leave the data set folder.
_ENTRY: Final = re.compile(r"[^/]+/([0-9]{8})/([0-9A-Za-z_-]{1,100})")
_CATEGORY: Final = re.compile(r"([A-Za-z]+)\s+([0-9]{8})")


def list_shapenet_part(arguments: Sequence[str], labels: str | None) -> Listing:
    """List the shapes of one split: the data set folder (test split) or ``FOLDER/val``.

    A folder such as ``FOLDER/03001627`` gives one category of the test split. Shapes keep the order
    of the split's list, which is shuffled, so that the first hundred cover all categories. Each is
    a text file with lines ``x y z nx ny nz label``.
    """
    named = require_single_path(arguments, labels, expected=_EXPECTED)
    with listing_errors(arguments[0]):
        root, split, synset = _parse_split(named)
        table = root / CATEGORY_TABLE
        entries = root / _LISTS / f"shuffled_{split}_file_list.json"
        require(arguments[0], _EXPECTED, root / _LISTS, files=[table, entries])
        categories = _read_categories(table)
        items = _read_items(root, entries, categories, synset)
    if not items:
        raise InputError(
            f"{entries}: expected shapes of {named.name}, but it has none: check the path."
        )
    parts = tuple(SHAPENET_PARTS.items())
    return Listing(items, SHAPENET_PART_NAMES, categories=parts)


def _parse_split(named: Path) -> tuple[Path, str, str]:
    """Return the root, the split, and the folder of one category, empty for all."""
    if not (named / _LISTS).is_dir() and (named.parent / _LISTS).is_dir():
        if named.name in _SPLITS:
            return named.parent, named.name, ""
        if named.is_dir():
            return named.parent, "test", named.name
    return named, "test", ""


def _read_categories(table: Path) -> dict[str, str]:
    """Return the category by synset, from lines ``Airplane 02691156``."""
    found: dict[str, str] = {}
    for number, line in enumerate(read_lines(table, "a text file of categories"), 1):
        match = _CATEGORY.fullmatch(line)
        if not line:
            continue
        if match is None or match[1] not in SHAPENET_PARTS or match[2] in found:
            raise InputError(
                f"{table}: expected lines `Category synset` with each of the 16 categories of the "
                f"benchmark at most once, but line {number} is {line[:60]!r}: fix the file."
            )
        found[match[2]] = match[1]
    return found


def _read_items(
    root: Path, entries: Path, categories: dict[str, str], synset: str
) -> tuple[Item, ...]:
    expected = "a list of names such as shape_data/03001627/1a2b"
    lines = read_lines(entries, f"{expected} as JSON")
    with decoding_errors(entries, f"{expected} as JSON"):
        listed = json.loads("\n".join(lines))
    if not isinstance(listed, list):
        raise InputError(f"{entries}: expected {expected}, but it is not a list: fix the file.")
    items: dict[str, Item] = {}
    for entry in listed:
        match = _ENTRY.fullmatch(entry) if isinstance(entry, str) else None
        if match is None or match[1] not in categories:
            raise InputError(
                f"{entries}: expected {expected}, of a category in {CATEGORY_TABLE}, but "
                f"{str(entry)[:80]!r} occurs: fix the file."
            )
        if synset in ("", match[1]):
            category = categories[match[1]]
            path = root / match[1] / f"{match[2]}.txt"
            item = Item(f"{category}-{match[2]}", path, None, category=category)
            if items.setdefault(item.name.casefold(), item) != item:
                raise InputError(
                    f"{entries}: expected different shape names, but {item.name} differs from "
                    "another one only in upper and lower case: rename one."
                )
    missing = next((item.path for item in items.values() if not item.path.is_file()), None)
    if missing is not None:
        raise InputError(
            f"{entries}: expected a file for each shape of the list, but there is no {missing}: "
            "add it, or remove it from the list."
        )
    return tuple(items.values())
