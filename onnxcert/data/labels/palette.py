"""Label encoding by a colour palette: each class has its own colours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, final

import numpy.typing as npt

from onnxcert.data.files.decoding import read_lines
from onnxcert.data.labels.encoding import LookupTable
from onnxcert.errors import InputError

_SPACE = r"[\s,]+"
_LINE: Final = re.compile(
    rf"(?:(?P<index>[0-9]{{1,6}}){_SPACE})?"
    rf"(?:\#(?P<hex>[0-9a-fA-F]{{6}})|"
    rf"(?P<r>[0-9]{{1,3}}){_SPACE}(?P<g>[0-9]{{1,3}}){_SPACE}(?P<b>[0-9]{{1,3}}))"
    rf"(?:{_SPACE}(?P<name>[^\s,0-9].*))?"
)
_EXPECTED: Final = "a UTF-8 text file with one line `r g b name` or `index r g b name` a colour"


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
        names = {e.index: {e.name} for e in self.entries if e.index != ignore_label}
        for entry in self.entries:
            if entry.index != ignore_label:
                names[entry.index].add(entry.name)
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
    entries: list[PaletteEntry] = []
    indexed: set[bool] = set()
    seen: set[int] = set()
    for number, line in enumerate(read_lines(path, _EXPECTED), 1):
        if not line or line == "#" or line.startswith("# "):
            continue
        entry = _parse_entry(line, len(entries), indexed)
        if entry is None:
            raise InputError(
                f"{path}: expected lines `r g b name` or `index r g b name` with 0 to 255 for a "
                f"channel, but line {number} is {line[:40]!r}: fix it."
            )
        if entry.colour in seen:
            raise InputError(
                f"{path}: expected each colour once, but line {number} has "
                f"{_format_rgb(entry.colour)} again: keep one."
            )
        seen.add(entry.colour)
        entries.append(entry)
    if not entries:
        raise InputError(f"{path}: expected {_EXPECTED}, but it has none: add them.")
    if len(indexed) > 1:
        raise InputError(
            f"{path}: expected an index on every line or on none, but only some have one: "
            "number all classes."
        )
    return Palette(tuple(entries))


def _parse_entry(line: str, position: int, indexed: set[bool]) -> PaletteEntry | None:
    match = _LINE.fullmatch(line)
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
