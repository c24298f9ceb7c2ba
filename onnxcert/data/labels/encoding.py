"""Label encodings: what the numbers or colours in a label file stand for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self, final

import numpy as np
import numpy.typing as npt

from onnxcert.data.decoding import read_lines
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
_ROWS_AT_ONCE: Final = 2**20


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
_LABEL_MAP: Final = "a UTF-8 text file with one line `from to` for each number of the label files"


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
    for number, line in enumerate(read_lines(path, _LABEL_MAP), 1):
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
        raise InputError(f"{path}: expected {_LABEL_MAP}, but it has none: add them.")
    return LabelMap(LookupTable.of(pairs))


_SPACE = r"[\s,]+"
_COLOUR_LINE: Final = re.compile(
    rf"(?:(?P<index>[0-9]{{1,6}}){_SPACE})?"
    rf"(?:\#(?P<hex>[0-9a-fA-F]{{6}})|"
    rf"(?P<r>[0-9]{{1,3}}){_SPACE}(?P<g>[0-9]{{1,3}}){_SPACE}(?P<b>[0-9]{{1,3}}))"
    rf"(?:{_SPACE}(?P<name>[^\s,0-9].*))?"
)
_PALETTE: Final = "a UTF-8 text file with one line `r g b name` or `index r g b name` a colour"


@dataclass(frozen=True)
class PaletteEntry:
    """One colour, r << 16 | g << 8 | b, with the index of its class and its name, if any."""

    colour: int
    index: int
    name: str | None


@final
@dataclass(frozen=True)
class Palette:
    """Label encoding that maps each colour in the file to a class."""

    entries: tuple[PaletteEntry, ...]
    colours: ClassVar[bool] = True

    @property
    def key(self) -> str:
        """See `LabelEncoding.key`."""
        return f"palette-{self._table.key}"

    @property
    def _table(self) -> LookupTable:
        return LookupTable.of((entry.colour, entry.index) for entry in self.entries)

    def decode(self, path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the class of each colour; see `LabelEncoding.decode`."""
        classes, unknown = self._table.apply(values)
        if unknown is not None:
            y, x = unknown
            colour = int(values[y, x])
            raise InputError(
                f"{path}: expected only colours of the palette, but {_format_rgb(colour)} "
                f"(#{colour:06x}) occurs, first in row {y}, column {x}: add it to the palette, or "
                "save the labels without smoothing and compression."
            )
        return classes

    def class_names(self, ignore_label: int | None) -> tuple[str, ...] | None:
        """Return the names of all classes but `ignore_label`; None unless each has one name.

        The indices of these classes must be 0, 1, ... without a gap, and the names unique.
        """
        names: dict[int, set[str | None]] = {}
        for entry in self.entries:
            if entry.index != ignore_label:
                names.setdefault(entry.index, set()).add(entry.name)
        ordered = [names[index] for index in sorted(names)]
        flat = tuple(name for each in ordered for name in each if name is not None)
        one_each = all(len(each) == 1 for each in ordered) and len(set(flat)) == len(names)
        return flat if one_each and sorted(names) == list(range(len(names))) else None


def read_palette(path: Path) -> Palette:
    """Read a palette: one colour per line, ``r g b name`` or ``index r g b name``.

    Red, green and blue are 0 to 255, or ``#rrggbb`` gives all three. The name is optional and does
    not begin with a digit. Commas count as spaces. Without indices, colours are numbered from 0 in
    file order. With indices, several colours may share a class. A line ``#``, or one that begins
    with ``# ``, is a comment.

    Raises:
        InputError: the file is missing, not UTF-8 text or empty, has an invalid line, has indices
            on some lines only, or lists a colour twice.
    """
    entries: dict[int, PaletteEntry] = {}
    indexed: set[bool] = set()
    for number, line in enumerate(read_lines(path, _PALETTE), 1):
        if not line or line == "#" or line.startswith("# "):
            continue
        entry = _parse_entry(line, len(entries), indexed)
        if entry is None:
            raise InputError(
                f"{path}: expected lines `r g b name` or `index r g b name` with 0 to 255 for a "
                f"channel, but line {number} is {line[:40]!r}: fix it."
            )
        if entries.setdefault(entry.colour, entry) is not entry:
            raise InputError(
                f"{path}: expected each colour once, but line {number} has "
                f"{_format_rgb(entry.colour)} again: keep one."
            )
    if not entries:
        raise InputError(f"{path}: expected {_PALETTE}, but it has none: add them.")
    if len(indexed) > 1:
        raise InputError(
            f"{path}: expected an index on every line or on none, but only some have one: "
            "number all classes."
        )
    return Palette(tuple(entries.values()))


def _parse_entry(line: str, position: int, indexed: set[bool]) -> PaletteEntry | None:
    match = _COLOUR_LINE.fullmatch(line)
    if match is None:
        return None
    if match["hex"]:
        colour = int(match["hex"], 16)
    else:
        channels = [int(match[channel]) for channel in "rgb"]
        if max(channels) > 255:
            return None
        colour = channels[0] << 16 | channels[1] << 8 | channels[2]
    indexed.add(match["index"] is not None)
    index = position if match["index"] is None else int(match["index"])
    return PaletteEntry(colour, index, match["name"])


def _format_rgb(colour: int) -> str:
    return f"{colour >> 16} {colour >> 8 & 255} {colour & 255}"
