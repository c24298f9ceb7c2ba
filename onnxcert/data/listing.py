"""The inputs of a run: named files with labels, what reads them, and which of them a run takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, final

from onnxcert.data.labels.classes import ClassLabel
from onnxcert.data.labels.encoding import INDEX, LabelEncoding
from onnxcert.errors import ParameterError


@dataclass(frozen=True)
class Item:
    """One image or point cloud of a run.

    Attributes:
        name: unique in the run, even without regard to case, and safe as a file name.
        path: the file.
        label: its label map, or the source of its class label (a table or its folder); or None.
        class_label: the class of the whole input, if `label` gives one.
        category: shape category, such as ``Chair``, if the data set gives it; else empty.
        index: position in the file, from 0, if one file holds several point clouds.
    """

    name: str
    path: Path
    label: Path | None
    class_label: ClassLabel | None = None
    category: str = ""
    index: int | None = None


@dataclass(frozen=True)
class Listing:
    """The inputs of a run, in order.

    Attributes:
        items: the inputs.
        class_names: class names of the data set, or None.
        ignore_label: index of unlabelled pixels in the data set, or None.
        also_ignored: further labels that count as the ignored one.
        label_encoding: encoding of its label files.
        columns: meaning of the columns in point files without column names, or None.
        categories: shape categories of the data set: name -> classes of its parts.
        skipped_links: links to files and folders that are already listed.
        skipped_results: folders below the inputs that hold results of onnxcert.
    """

    items: tuple[Item, ...]
    class_names: tuple[str, ...] | None = None
    ignore_label: int | None = None
    also_ignored: tuple[int, ...] = ()
    label_encoding: LabelEncoding = INDEX
    columns: str | None = None
    categories: tuple[tuple[str, tuple[int, ...]], ...] = ()
    skipped_links: tuple[str, ...] = ()
    skipped_results: tuple[Path, ...] = ()


@final
@dataclass(frozen=True)
class Reader:
    """A reader of one data set layout on disk.

    Attributes:
        name: name of the layout.
        list: function that lists the inputs named by files, folders and patterns from the command
            line, with their labels from the path of the label maps or class labels, or None. It
            raises InputError if a path is missing, empty or ambiguous.
    """

    name: str
    list: Callable[[Sequence[str], str | None], Listing]


def select(listing: Listing, *, limit: int | None = None, every: int | None = None) -> Listing:
    """Keep every `every`-th input, from the first on, and of these the first `limit`.

    An item keeps its name whatever is selected.

    Raises:
        ParameterError: `limit` or `every` is below 1.
    """
    for flag, value in (("--limit", limit), ("--every", every)):
        if value is not None and value < 1:
            raise ParameterError(
                f"expected {flag} to be at least 1, but it is {value}: raise it or leave it out."
            )
    return replace(listing, items=listing.items[:: every or 1][:limit])


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
