"""The ShapeNet part benchmark: 16 shape categories, 50 parts, points with normals."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, final

from onnxcert.data.datasets.layout import require, require_single_path
from onnxcert.data.files.decoding import decoding_errors, read_lines
from onnxcert.data.folder import listing_errors
from onnxcert.data.listing import Item, Listing
from onnxcert.data.points.categories import SHAPENET_PART_NAMES, SHAPENET_PARTS
from onnxcert.errors import InputError

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


@final
class ShapeNetPart:
    """The shapes of one split: the data set folder (test split) or ``FOLDER/val``.

    A folder such as ``FOLDER/03001627`` gives one category of the test split. Shapes keep the order
    of the split's list, which is shuffled, so that the first hundred cover all categories. Each is
    a text file with lines ``x y z nx ny nz label``.
    """

    name: ClassVar[str] = "shapenet-part"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the shapes of the split given by the one argument; see `Reader.list`."""
        named = require_single_path(arguments, labels, expected=_EXPECTED)
        with listing_errors(arguments[0]):
            root, split, synset = _parse_split(named)
            table, entries = (
                root / CATEGORY_TABLE,
                root / _LISTS / f"shuffled_{split}_file_list.json",
            )
            require(arguments[0], _EXPECTED, root / _LISTS, table, entries)
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
