"""A table that gives each picture its class."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from onnxcert.errors import InputError
from onnxcert.inputs.class_labels import ClassLabel
from onnxcert.inputs.decoding import read_lines
from onnxcert.inputs.listing import absolute
from onnxcert.inputs.pictures import image

SUFFIXES: Final = (".csv", ".tsv", ".txt")

_EXPECTED: Final = "a UTF-8 text file with one line `picture,class` for each picture"
_HEADERS: Final = frozenset(
    (
        *("label", "class", "category", "target", "index", "labels", "classes"),
        *("label_name", "class_name", "label_id", "class_id", "label_index", "class_index"),
    )
)
# A picture's name may hold blanks, and so may a class: the suffix of the picture parts them.
_BLANK: Final = re.compile(
    rf"(.*?(?:{'|'.join(map(re.escape, image.SUFFIXES))}))\s+(.*)|(.*\S)\s+(\S+)", re.IGNORECASE
)


def read_class_table(path: Path) -> dict[tuple[str, ...], ClassLabel]:
    """Read the class of each picture: lines ``picture,class``, by the parts of the picture's path.

    The two are parted by a tab, a comma, a semicolon or blanks, by the first of these that occurs
    in the first line; quotes protect commas. A first line such as ``name,label`` is a header, blank
    lines and those that begin with ``# `` are skipped. The class is its name or its index.

    Raises:
        InputError: the file is missing, not UTF-8 text, empty, has another line, or names a
            picture twice with different classes.
    """
    table: dict[tuple[str, ...], ClassLabel] = {}
    delimiter: str | None = None
    lines = read_lines(path, _EXPECTED)
    first = True
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("# "):
            continue
        if first:
            delimiter = next((d for d in "\t,;" if d in line), None)
        fields = _fields(line, delimiter)
        if len(fields) != 2 or not all(fields):
            raise InputError(
                f"{path}: expected lines `picture,class` of two fields, but line {number} is "
                f"{line[:60]!r}: mend it."
            )
        header = first and fields[1].casefold() in _HEADERS
        first = False
        if header:
            continue
        name, text = fields
        label = ClassLabel(text, f"{path}, line {number}")
        parts = PurePosixPath(name.replace("\\", "/")).parts
        known = table.setdefault(parts, label)
        if known.text != text:
            raise InputError(
                f"{path}: expected one class for each picture, but line {number} gives {name!r} "
                f"{text[:60]!r} after {known.text[:60]!r}: keep one."
            )
    if not table:
        raise InputError(f"{path}: expected {_EXPECTED}, but it has none: add them.")
    return table


def class_in(
    table: Mapping[tuple[str, ...], ClassLabel], picture: Path, *, source: Path
) -> ClassLabel:
    """The class of a picture, named by as much of the end of its path as the table has.

    The suffix may be missing.

    Raises:
        InputError: the table does not have it.
    """
    whole = absolute(picture)
    for parts, bare in zip(_ends(whole), _ends(whole.with_suffix("")), strict=True):
        found = table.get(parts) or table.get(bare)
        if found is not None:
            return found
    raise InputError(
        f"{picture}: expected a class in {source}, but no line names {picture.name}: add one, or "
        "leave --labels out."
    )


def _ends(path: Path) -> list[tuple[str, ...]]:
    return [path.parts[i:] for i in range(len(path.parts))]


def _fields(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        match = _BLANK.fullmatch(line)
        return [] if match is None else [part for part in match.groups() if part is not None]
    return [part.strip() for part in next(csv.reader([line], delimiter=delimiter))]
