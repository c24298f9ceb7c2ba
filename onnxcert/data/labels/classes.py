"""The class of a whole image: as a label file or folder gives it, and a table of such classes."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from onnxcert.data.decoding import read_lines
from onnxcert.data.images import image
from onnxcert.data.paths import absolute, iterate_ends, normalise_unicode
from onnxcert.errors import InputError, suggest

_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True)
class ClassLabel:
    """The class of an image as a label file or folder gives it.

    Attributes:
        text: name or index of the class.
        source: where it is written, for messages.
        folders: names of all class folders, sorted, where each folder is a class.
    """

    text: str
    source: str
    folders: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def index(self, names: Sequence[str], *, classes: int, ignore_label: int | None) -> int:
        """Return the index of the class: 0 .. classes - 1, or `ignore_label`.

        A class name of the model takes precedence over a number. If no folder has the name of a
        class and there is one folder for each class, a folder's index is its position in sorted
        order, as in torchvision's ImageFolder.

        Args:
            names: names of the model's classes.
            classes: number of classes.
            ignore_label: index of images that are not evaluated, or None.

        Raises:
            InputError: the label is not a class, or could mean two classes.
        """
        named = names.index(self.text) if self.text in names else None
        number = int(self.text) if _NUMBER.fullmatch(self.text) else None
        if named is not None:
            if number not in (None, named) and 0 <= number < classes:
                raise self._ambiguity_error(number, named, "the name of class")
            return named
        place = self._folder_index(names, classes)
        if number is not None and (0 <= number < classes or number == ignore_label):
            if place not in (None, number):
                raise self._ambiguity_error(number, place, "in the order of the folders class")
            return number
        if place is not None:
            return place
        raise InputError(
            f"{self.source}: expected the name of a class or an index from 0 to {classes - 1}, but "
            f"it is {self.text[:60]!r}: {self._suggest_fix(number, classes)}"
            f"{suggest(self.text[:60], names)}"
        )

    def _folder_index(self, names: Sequence[str], classes: int) -> int | None:
        """Return the position of the folder in sorted order, None if it does not give the class."""
        if len(self.folders) != classes or not set(self.folders).isdisjoint(names):
            return None
        return self.folders.index(self.text)

    def _ambiguity_error(self, number: int | None, other: int | None, what: str) -> InputError:
        return InputError(
            f"{self.source}: expected one meaning, but {self.text!r} may be class {number} or "
            f"{what} {other}: use class names that are not numbers."
        )

    def _suggest_fix(self, number: int | None, classes: int) -> str:
        if number is not None:
            return f"if it marks unlabelled pictures, pass --ignore-label {number}"
        if self.folders:
            return (
                f"{len(self.folders)} folders match {classes} classes only by name; rename the "
                "folders like the classes and pass --class-names FILE"
            )
        return "pass --class-names FILE with the names of the model's classes"


SUFFIXES: Final = (".csv", ".tsv", ".txt")

_EXPECTED: Final = "a UTF-8 text file with one line `picture,class` for each picture"
_HEADERS: Final = frozenset(
    (
        *("label", "class", "category", "target", "index", "labels", "classes"),
        *("label_name", "class_name", "label_id", "class_id", "label_index", "class_index"),
    )
)
# Image and class names may contain spaces: the suffix of the image separates the two.
_BLANK: Final = re.compile(
    rf"(.*?(?:{'|'.join(map(re.escape, image.SUFFIXES))}))\s+(.*)|(.*\S)\s+(\S+)", re.IGNORECASE
)


def read_class_table(path: Path) -> dict[tuple[str, ...], ClassLabel]:
    """Read a table of lines ``picture,class``; the keys are the parts of each image path.

    The separator is a tab, comma, semicolon or whitespace: the first of these that occurs in the
    first line. Quotes protect commas. A first line such as ``name,label`` is a header. Empty lines
    and lines that begin with ``# `` are skipped. The class is a name or an index.

    Raises:
        InputError: the file is missing, not UTF-8 text, empty, has an invalid line, or gives an
            image two different classes.
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
        fields = _split_fields(line, delimiter)
        if len(fields) != 2 or not all(fields):
            raise InputError(
                f"{path}: expected lines `picture,class` of two fields, but line {number} is "
                f"{line[:60]!r}: fix it."
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


def match_classes(
    table: Mapping[tuple[str, ...], ClassLabel], paths: Sequence[Path], *, source: Path
) -> list[ClassLabel]:
    """Return the class of each image: the table entry that matches the longest end of its path.

    The suffix may be missing in the table. Names that differ only in Unicode normalisation match if
    no other line and no other image has that name.


    Raises:
        InputError: the table lacks an image.
    """
    forms: dict[tuple[str, ...], list[ClassLabel]] = {}
    for parts, label in table.items():
        forms.setdefault(normalise_unicode(parts), []).append(label)
    alone = {parts: one for parts, (one, *others) in forms.items() if not others}
    alike = Counter(normalise_unicode(absolute(path).parts) for path in paths)
    classes = []
    for path in paths:
        whole = absolute(path)
        found = _find_class(table, whole.parts, whole.with_suffix("").parts)
        if found is None and alike[normalise_unicode(whole.parts)] == 1:
            found = _find_class(
                alone,
                normalise_unicode(whole.parts),
                normalise_unicode(whole.with_suffix("").parts),
            )
        if found is None:
            raise InputError(
                f"{path}: expected a class in {source}, but no line names {path.name}: add "
                "one, or leave --labels out."
            )
        classes.append(found)
    return classes


def _find_class(
    table: Mapping[tuple[str, ...], ClassLabel], parts: tuple[str, ...], bare: tuple[str, ...]
) -> ClassLabel | None:
    options = (
        table.get(p) or table.get(b)
        for p, b in zip(iterate_ends(parts), iterate_ends(bare), strict=True)
    )
    return next((label for label in options if label is not None), None)


def _split_fields(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        match = _BLANK.fullmatch(line)
        return [] if match is None else [part for part in match.groups() if part is not None]
    try:
        return [part.strip() for part in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:  # a field of more than 131,072 characters, which cannot be a name
        return []
