"""Lookup tables from the numbers in a label map to other numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

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
