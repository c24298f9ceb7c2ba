"""A table that gives each picture its class."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from onnxcert.errors import InputError
from onnxcert.inputs.class_labels import ClassLabel
from onnxcert.inputs.decoding import read_lines
from onnxcert.inputs.listing import absolute, ends, normal
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


def classes_in(
    table: Mapping[tuple[str, ...], ClassLabel], pictures: Sequence[Path], *, source: Path
) -> list[ClassLabel]:
    """Return the class of each picture, found by the longest end of its path in the table.

    The suffix may be missing. Names that differ only by Unicode normalisation match if no other
    line and no other picture has that name.

    Raises:
        InputError: the table lacks a picture.
    """
    forms: dict[tuple[str, ...], list[ClassLabel]] = {}
    for parts, label in table.items():
        forms.setdefault(normal(parts), []).append(label)
    alone = {parts: one for parts, (one, *others) in forms.items() if not others}
    alike = Counter(normal(absolute(picture).parts) for picture in pictures)
    classes = []
    for picture in pictures:
        whole = absolute(picture)
        found = _class_in(table, whole.parts, whole.with_suffix("").parts)
        if found is None and alike[normal(whole.parts)] == 1:
            found = _class_in(alone, normal(whole.parts), normal(whole.with_suffix("").parts))
        if found is None:
            raise InputError(
                f"{picture}: expected a class in {source}, but no line names {picture.name}: add "
                "one, or leave --labels out."
            )
        classes.append(found)
    return classes


def _class_in(
    table: Mapping[tuple[str, ...], ClassLabel], parts: tuple[str, ...], bare: tuple[str, ...]
) -> ClassLabel | None:
    options = (table.get(p) or table.get(b) for p, b in zip(ends(parts), ends(bare), strict=True))
    return next((label for label in options if label is not None), None)


def _fields(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        match = _BLANK.fullmatch(line)
        return [] if match is None else [part for part in match.groups() if part is not None]
    try:
        return [part.strip() for part in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:  # a field of more than 131,072 characters, which cannot be a name
        return []
