"""Replacing each number of a label map by another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

_ROWS_AT_ONCE = 2**20


@dataclass(frozen=True)
class Translation:
    """Which number becomes which.

    Attributes:
        pairs: (from, to), sorted; each number occurs once at most as a ``from``.
    """

    pairs: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, pairs: Mapping[int, int] | Iterable[tuple[int, int]]) -> Self:
        """The translation with these pairs, in any order."""
        return cls(tuple(sorted(dict(pairs).items())))

    @property
    def key(self) -> str:
        """SHA-256 of the pairs, 12 hexadecimal digits."""
        return hashlib.sha256(repr(self.pairs).encode()).hexdigest()[:12]

    def apply(
        self, values: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.int32], tuple[int, int] | None]:
        """Translate integers [H, W].

        Returns:
            int32 [H, W], and (y, x) of the first number that is not translated, if any.
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
