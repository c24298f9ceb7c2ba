"""Point clouds as the vertices of PLY files; faces and other elements are ignored.

This is our own reader because the permissively licensed libraries silently accept a text file with
too few vertices or too short a line, and have no public interface for labels. Call its functions
inside `decoding_errors`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.data.points.table import (
    MAX_POINTS,
    DescribeRow,
    Numbers,
    build_cloud,
    check_counts,
    scale_colours,
)
from onnxcert.data.points.text import read_line, read_rows
from onnxcert.errors import InputError

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


_XYZ: Final = ("x", "y", "z")
_NORMAL: Final = ("nx", "ny", "nz")
_RGB: Final = ("red", "green", "blue")
_LABELS: Final = frozenset(
    ("label", "labels", "class", "classification", "category", "seg", "segment", "part", "part_id")
)
# The largest colour value by type; 255 for all others.
_WHOLE: Final = {"u2": 65535, "f4": 1, "f8": 1}


def read_ply(path: Path, where: str, _columns: object, _index: int | None) -> PointCloud:
    """Read the point cloud in a PLY file; see `read_cloud`."""
    with path.open("rb") as file:
        header = read_header(file, where)
        types = _check_vertex(where, header.vertex)
        values, describe_row = (_read_binary if header.order else _read_text)(file, where, header)
    prefix = "diffuse_" if "diffuse_red" in types else ""
    rgb = _stack_properties(where, values, tuple(prefix + name for name in _RGB))
    label = _find_label(where, types)
    points = _stack_properties(where, values, _XYZ)
    assert points is not None
    if rgb is not None:
        rgb = scale_colours(where, rgb, _WHOLE.get(types[f"{prefix}red"], 255), describe_row)
    return build_cloud(
        where,
        points,
        normals=_stack_properties(where, values, _NORMAL),
        features=rgb,
        labels=None if label is None else values[label],
        category=header.category,
        describe_row=describe_row,
    )


def count_ply_points(path: Path, where: str) -> int:
    """Return the number of vertices in a PLY file."""
    with path.open("rb") as file:
        vertex = read_header(file, where).vertex
    _check_vertex(where, vertex)
    return vertex.count


def _check_vertex(where: str, vertex: Element) -> dict[str, str]:
    types = dict(vertex.properties)
    if "" in types.values() or len(types) != len(vertex.properties) or not {*_XYZ} <= {*types}:
        raise InputError(
            f"{where}: expected vertices with the properties x, y and z, all names different and "
            f"no lists, but they have {', '.join(name[:20] for name in list(types)[:12])}: "
            "export only the points."
        )
    check_counts(where, vertex.count, len(types))
    return types


def _stack_properties(
    where: str, values: Mapping[str, Numbers], names: tuple[str, ...]
) -> Numbers | None:
    there = [name for name in names if name in values]
    if there and len(there) < len(names):
        raise InputError(
            f"{where}: expected the properties {', '.join(names)} together, but there is only "
            f"{' and '.join(there)}: export all of them or none."
        )
    return np.stack([values[name] for name in names], axis=1) if there else None


def _find_label(where: str, types: Mapping[str, str]) -> str | None:
    # CloudCompare writes `scalar_` before its field names.
    found = [name for name in types if name.lower().removeprefix("scalar_") in _LABELS]
    if len(found) > 1:
        raise InputError(
            f"{where}: expected one property with the class of each vertex, but there are "
            f"{' and '.join(name[:20] for name in found)}: keep one."
        )
    return found[0] if found else None


def _read_text(
    file: BinaryIO, where: str, header: Header
) -> tuple[dict[str, Numbers], DescribeRow]:
    number, vertex = header.lines, header.vertex
    for element in header.before:
        if element.count > MAX_POINTS:
            raise InputError(
                f"{where}: expected at most {MAX_POINTS:,} of each element before the vertices, "
                f"but {element.name[:20]} has {element.count:,}: export only the points."
            )
        for _ in range(element.count):
            number += 1
            if not read_line(file, where, number):
                break
    rows = read_rows(file, where, before=number, width=len(vertex.properties), count=vertex.count)
    names = (name for name, _ in vertex.properties)
    return dict(zip(names, rows.values.T, strict=True)), rows.describe_row


def _read_binary(
    file: BinaryIO, where: str, header: Header
) -> tuple[dict[str, Numbers], DescribeRow]:
    start, vertex = file.tell(), header.vertex
    for element in header.before:
        if any(not of for _, of in element.properties):
            raise InputError(
                f"{where}: expected the vertices before elements with lists, but "
                f"{element.name[:20]} comes first: export only the points."
            )
        start += element.count * _row_dtype(element, header.order).itemsize
    row = _row_dtype(vertex, header.order)
    there = max(0, os.fstat(file.fileno()).st_size - start) // row.itemsize
    if there < vertex.count:
        raise InputError(
            f"{where}: expected {vertex.count:,} vertices as in its header, but the file ends in "
            f"vertex {there}: it is cut short, so copy or export it again."
        )
    file.seek(start)
    values = np.frombuffer(file.read(vertex.count * row.itemsize), row)
    return {name: values[name] for name, _ in vertex.properties}, lambda at: f"vertex {at}"


def _row_dtype(element: Element, order: str) -> np.dtype[np.void]:
    # Outside the vertices use numbers as field names, as property names may be repeated.
    names = [f"{i}" for i in range(len(element.properties))]
    if element.name == "vertex":
        names = [name for name, _ in element.properties]
    kinds = [order + of for _, of in element.properties]
    return np.dtype({"names": names, "formats": kinds})
