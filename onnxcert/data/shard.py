"""Shards: a run split over K independent processes, each with every K-th input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from onnxcert.data.listing import Listing
from onnxcert.errors import ParameterError


@dataclass(frozen=True)
class Shard:
    """Shard `number` of a run in `count` shards.

    Inputs are assigned in turn, sorted by name. Shards that list the same inputs in any order
    therefore divide them without overlap.

    >>> [Shard(number, 2).names(["c", "a", "b"]) for number in (1, 2)]
    [['a', 'c'], ['b']]

    Raises:
        ParameterError: not 1 <= number <= count.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ParameterError(
                f"--shard must be I/K with I from 1 to K, such as 3/8, got {self}."
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that `text` gives, such as ``3/8``.

        Raises:
            ParameterError: `text` is not a shard.
        """
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        if match is None:
            raise ParameterError(
                f"--shard must be I/K with I from 1 to K, such as 3/8, got {text!r}."
            )
        return cls(int(match[1]), int(match[2]))

    def names(self, whole: Sequence[str]) -> list[str]:
        """Return those of `whole`, the names of all inputs, that are in this shard."""
        return sorted(whole)[self.number - 1 :: self.count]

    def of(self, listing: Listing) -> Listing:
        """Return `listing` with the inputs of this shard only, in their order.

        Raises:
            ParameterError: the shard has no inputs.
        """
        mine = set(self.names([item.name for item in listing.items]))
        if not mine:
            raise ParameterError(
                f"shard {self} holds none of {len(listing.items)} inputs; use at most "
                f"{len(listing.items)} shards."
            )
        return replace(listing, items=tuple(item for item in listing.items if item.name in mine))
