"""Label encoding by a label map: each number in the file stands for another number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, final

import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.decoding import read_lines
from onnxcert.inputs.translation import LookupTable

_LINE: Final = re.compile(r"(-?[0-9]{1,9})[\s,:]+(-?[0-9]{1,9})")
_EXPECTED: Final = "a UTF-8 text file with one line `from to` for each number of the label files"


@final
@dataclass(frozen=True)
class LabelMap:
    """Label encoding that maps each number in the file to a class.

    Attributes:
        table: from numbers in the file to classes.
        ignore_label: index of unlabelled pixels, if the map is known to have one.
    """

    table: LookupTable
    ignore_label: int | None = None
    colours: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """See `LabelEncoding.key`."""
        return f"map-{self.table.key}"

    def decode(self, path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the class of each number; see `LabelEncoding.decode`."""
        classes, unknown = self.table.apply(values)
        if unknown is not None:
            y, x = unknown
            raise InputError(
                f"{path}: expected only numbers in the label map, but {values[y, x]} occurs, "
                f"first in row {y}, column {x}: add it to the map, or use labels made for it."
            )
        return classes


def read_label_map(path: Path) -> LabelMap:
    """Read a label map of lines ``from to``, such as ``7 0``; ``#`` begins a comment.

    Raises:
        InputError: the file is missing, not UTF-8 text, empty, has an invalid line, or maps a
            number to two classes.
    """
    pairs: dict[int, int] = {}
    for number, line in enumerate(read_lines(path, _EXPECTED), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise InputError(
                f"{path}: expected lines `from to` of two whole numbers, but line {number} is "
                f"{line[:40]!r}: fix it."
            )
        source, target = map(int, match.groups())
        if pairs.setdefault(source, target) != target:
            raise InputError(
                f"{path}: expected each number once, but line {number} gives {source} a second "
                "meaning: keep one."
            )
    if not pairs:
        raise InputError(f"{path}: expected {_EXPECTED}, but it has none: add them.")
    return LabelMap(LookupTable.of(pairs))
