"""The header of a PLY file: its elements and their properties."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO, Final

from onnxcert.errors import InputError
from onnxcert.inputs.clouds.rows import read_line

_MAX_LINES: Final = 2000
_TYPES: Final = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"},
}
_ORDERS: Final = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_COUNT: Final = re.compile("[0-9]{1,30}")


@dataclass(frozen=True)
class Element:
    """One element of the file, such as ``vertex`` or ``face``.

    Attributes:
        name: name of the element.
        count: how many of them the file holds.
        properties: (name, NumPy type without byte order), in order; type "" for a list.
    """

    name: str
    count: int
    properties: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Header:
    """The content of a PLY header.

    Attributes:
        order: byte order ``<`` or ``>`` of binary numbers; empty for text.
        before: the elements before the vertices.
        vertex: the vertices.
        category: from a line ``comment category NAME``; empty without one.
        lines: number of lines in the header.
    """

    order: str
    before: tuple[Element, ...]
    vertex: Element
    category: str
    lines: int


def read_header(file: BinaryIO, where: str) -> Header:
    """Read the header of an open binary PLY file; the file position is then just after it.

    Raises:
        InputError: this is not a PLY header, or it has no vertices.
    """
    number, order, category = 1, None, ""
    elements: list[tuple[str, int, list[tuple[str, str]]]] = []
    if read_line(file, where, 1).strip() != b"ply":
        raise InputError(
            f"{where}: expected a PLY file, whose first line is `ply`, but the first line differs: "
            "convert it, or give it the suffix of its format."
        )
    while True:
        number += 1
        line = read_line(file, where, number)
        words = line.decode("utf-8", "replace").split()
        match words:
            case ["end_header"]:
                break
            case ["format", kind, "1.0"] if kind in _ORDERS and order is None:
                order = _ORDERS[kind]
            case ["comment", "category", *name] if name:
                category = " ".join(name)
            case ["comment" | "obj_info", *_] | []:
                pass
            case ["element", name, count] if _COUNT.fullmatch(count):
                elements.append((name, int(count), []))
            case ["property", "list", size, of, name] if elements and {size, of} <= _TYPES.keys():
                elements[-1][2].append((name, ""))
            case ["property", of, name] if elements and of in _TYPES:
                elements[-1][2].append((name, _TYPES[of]))
            case _:
                raise InputError(
                    f"{where}: expected a line of a PLY header, but line {number} is "
                    f"{' '.join(words)[:60]!r}: fix the file."
                )
        if not line or number > _MAX_LINES:
            raise InputError(
                f"{where}: expected a PLY header of at most {_MAX_LINES:,} lines that ends in "
                f"`end_header`, but there is none up to line {number}: fix the file."
            )
    names = [name for name, _, _ in elements]
    if order is None or names.count("vertex") != 1:
        what = "a line `format`" if order is None else "one element `vertex`"
        raise InputError(f"{where}: expected {what} in the header, but it has none: fix the file.")
    found = [Element(name, count, tuple(properties)) for name, count, properties in elements]
    at = names.index("vertex")
    return Header(order, tuple(found[:at]), found[at], category, number)
