"""Label files whose numbers are not the classes of the model: one number becomes another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, final

import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.decoding import read_lines
from onnxcert.inputs.translation import Translation

_LINE: Final = re.compile(r"(-?[0-9]{1,9})[\s,:]+(-?[0-9]{1,9})")
_EXPECTED: Final = "a UTF-8 text file with one line `from to` for each number of the label files"


@final
@dataclass(frozen=True)
class LabelMap:
    """The number in the file stands for another one.

    Attributes:
        translation: from the numbers in the file to classes.
        ignore_label: what unlabelled pixels become, where the map is known to have them.
    """

    translation: Translation
    ignore_label: int | None = None
    colours: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """See `LabelCoding.key`."""
        return f"map-{self.translation.key}"

    def indices(self, path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Each number translated; see `LabelCoding.indices`."""
        classes, unknown = self.translation.apply(values)
        if unknown is not None:
            y, x = unknown
            raise InputError(
                f"{path}: expected numbers that the label map knows, but {values[y, x]} occurs, "
                f"first in row {y}, column {x}: add it to the map, or use labels made for it."
            )
        return classes


def read_label_map(path: Path) -> LabelMap:
    """Read a label map: lines ``from to``, such as ``7 0``; what follows ``#`` is a comment.

    Raises:
        InputError: the file is missing, not UTF-8 text, empty, or has another line or a number
            that becomes two.
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
                f"{line[:40]!r}: mend it."
            )
        source, target = map(int, match.groups())
        if pairs.setdefault(source, target) != target:
            raise InputError(
                f"{path}: expected each number once, but line {number} gives {source} a second "
                "meaning: keep one."
            )
    if not pairs:
        raise InputError(f"{path}: expected {_EXPECTED}, but it has none: add them.")
    return LabelMap(Translation.of(pairs))
