"""The meaning of each column in a table of points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np

from onnxcert._typing import LevelArray
from onnxcert.errors import InputError, ParameterError

_WIDTHS: Final = {"xyz": 3, "normals": 3, "rgb": 3, "label": 1, "skip": 1, "features": 0}
# Guess that vectors are normals if at least this share has unit length within _UNIT.
_UNIT: Final = 0.1
_SHARE: Final = 0.9


@final
@dataclass(frozen=True)
class Columns:
    """The columns of a table of points, from left to right.

    Attributes:
        kinds: ``xyz``, once; ``normals`` (three columns); ``rgb`` (three, 0 to 255); ``label``
            (one); ``skip`` (one, any number of times); ``features`` (all other columns).
    """

    kinds: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse column kinds separated by commas, such as ``xyz,normals,label``.

        Raises:
            ParameterError: a word is unknown or repeated, or there are no coordinates.
        """
        kinds = tuple(word.strip().lower() for word in text.split(","))
        twice = any(kinds.count(kind) > 1 for kind in kinds if kind != "skip")
        if twice or "xyz" not in kinds or not set(kinds) <= set(_WIDTHS):
            raise ParameterError(
                f"expected --columns as words out of {', '.join(_WIDTHS)}, separated by commas, "
                f"with xyz and only skip repeated, but it is {text[:80]!r}: describe the columns "
                "of the file, such as xyz,normals,label."
            )
        return cls(kinds)

    def slices(self, where: str, width: int) -> Iterator[tuple[str, slice]]:
        """Yield each kind with its slice of a row of `width` numbers.

        Raises:
            InputError: there are too many or too few columns.
        """
        taken = sum(_WIDTHS[kind] for kind in self.kinds)
        spare = width - taken
        if spare < 0 or (spare > 0) != ("features" in self.kinds):
            more = "more than " if "features" in self.kinds else ""
            raise InputError(
                f"{where}: expected {more}{taken} columns, as in --columns {','.join(self.kinds)}, "
                f"but there are {width}: describe the columns of the file."
            )
        at = 0
        for kind in self.kinds:
            end = at + (_WIDTHS[kind] or spare)
            yield kind, slice(at, end)
            at = end


def guess_columns(where: str, table: LevelArray) -> Columns:
    """Guess the columns of a table without description: x y z, then unit normals, then a class.

    Raises:
        InputError: the columns are ambiguous.
    """
    width = table.shape[1]
    if width == 3:
        return Columns(("xyz",))
    found = f"there are {width}"
    if width in (6, 7):
        if not _are_normals(table[:, 3:6]):
            found = f"of {width} columns, the 4th to 6th are not unit vectors"
        elif width == 6:
            return Columns(("xyz", "normals"))
        elif np.array_equal(table[:, 6], np.rint(table[:, 6])):
            return Columns(("xyz", "normals", "label"))
        else:
            found = "of 7 columns, the last does not hold integers"
    raise InputError(
        f"{where}: expected columns x y z, or x y z with a unit normal, or both with a class, but "
        f"{found}: describe them with --columns, such as xyz,features,label."
    )


def _are_normals(vectors: LevelArray) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.sqrt(np.square(vectors).sum(axis=1))
        return bool(np.mean(np.abs(length - 1) <= _UNIT) >= _SHARE)
