"""Label encoding by a label map: each number in the file stands for another number."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self, final

import numpy as np
import numpy.typing as npt

from onnxcert.data.files.decoding import read_lines
from onnxcert.errors import InputError


class LabelEncoding(Protocol):
    """A label encoding: how the pixels of a label file encode classes.

    Attributes:
        colours: read the file as 24-bit colours, r << 16 | g << 8 | b, instead of numbers.
    """

    colours: ClassVar[bool]

    @property
    def key(self) -> str:
        """Identifier of the encoding in stored results; equal encodings have equal keys."""
        ...

    def decode(self, path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the class of each pixel.

        Args:
            path: the label file, for messages.
            values: integers [H, W].

        Returns:
            Integers [H, W]. The caller checks that they are classes of the model.

        Raises:
            InputError: a value has no meaning in this encoding.
        """
        ...


@final
@dataclass(frozen=True)
class Index:
    """The identity encoding: the number in the file is the class."""

    colours: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """See `LabelEncoding.key`."""
        return "index"

    def decode(self, path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:  # noqa: ARG002
        """Return `values` unchanged."""
        return values


#: The identity encoding, for label files that hold class indices.
INDEX: Final = Index()


_ROWS_AT_ONCE = 2**20


@dataclass(frozen=True)
class LookupTable:
    """A lookup table of integers.

    Attributes:
        pairs: (from, to), sorted; each ``from`` is unique.
    """

    pairs: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, pairs: Mapping[int, int] | Iterable[tuple[int, int]]) -> Self:
        """Return the table of these pairs, given in any order."""
        return cls(tuple(sorted(dict(pairs).items())))

    @property
    def key(self) -> str:
        """SHA-256 of the pairs, 12 hexadecimal digits."""
        return hashlib.sha256(repr(self.pairs).encode()).hexdigest()[:12]

    def apply(
        self, values: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.int32], tuple[int, int] | None]:
        """Map integers [H, W].

        Returns:
            int32 [H, W], and (y, x) of the first number that is not in the table, or None.
        """
        sources, targets = (np.array(side, np.int64) for side in zip(*self.pairs, strict=True))
        out = np.empty(values.shape, np.int32)
        rows = max(1, _ROWS_AT_ONCE // values.shape[1])
        for y in range(0, len(values), rows):
            part = values[y : y + rows]
            at = np.searchsorted(sources, part).clip(max=len(sources) - 1)
            unknown = sources[at] != part
            if unknown.any():
                row, column = np.unravel_index(int(unknown.argmax()), unknown.shape)
                return out, (y + int(row), int(column))
            out[y : y + rows] = targets[at]
        return out, None


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
