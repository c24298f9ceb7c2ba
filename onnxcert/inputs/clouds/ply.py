"""Point clouds as the vertices of PLY files; of faces and the like nothing is read.

A reader of our own: the permissively licensed libraries take a text file with too few vertices, or
with a line too short, without a word, and show labels in no public place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from onnxcert.errors import InputError
from onnxcert.inputs.clouds.assembly import Numbers, Place, assembled, colours
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.limits import MAX_POINTS, check_counts
from onnxcert.inputs.clouds.ply_header import Element, Header, read_header
from onnxcert.inputs.clouds.rows import read_line, read_rows

_XYZ: Final = ("x", "y", "z")
_NORMAL: Final = ("nx", "ny", "nz")
_RGB: Final = ("red", "green", "blue")
_LABELS: Final = frozenset(
    ("label", "labels", "class", "classification", "category", "seg", "segment", "part", "part_id")
)
# The largest colour, of all types but those below 255.
_WHOLE: Final = {"u2": 65535, "f4": 1, "f8": 1}


def read_ply(path: Path, where: str) -> PointCloud:
    """The cloud in a PLY file; see `read_cloud`; only inside `decoding`."""
    with path.open("rb") as file:
        header = read_header(file, where)
        types = _checked(where, header.vertex)
        values, place = (_binary if header.order else _text)(file, where, header)
    prefix = "diffuse_" if "diffuse_red" in types else ""
    rgb = _group(where, values, tuple(prefix + name for name in _RGB))
    label = _label(where, types)
    points = _group(where, values, _XYZ)
    assert points is not None
    if rgb is not None:
        rgb = colours(where, rgb, _WHOLE.get(types[f"{prefix}red"], 255), place)
    return assembled(
        where,
        points,
        normals=_group(where, values, _NORMAL),
        features=rgb,
        labels=None if label is None else values[label],
        category=header.category,
        place=place,
    )


def ply_size(path: Path, where: str) -> int:
    """How many vertices a PLY file has; only inside `decoding`."""
    with path.open("rb") as file:
        vertex = read_header(file, where).vertex
    _checked(where, vertex)
    return vertex.count


def _checked(where: str, vertex: Element) -> dict[str, str]:
    types = dict(vertex.properties)
    if "" in types.values() or len(types) != len(vertex.properties) or not {*_XYZ} <= {*types}:
        raise InputError(
            f"{where}: expected vertices with the properties x, y and z, none of a name twice and "
            f"none a list, but they have {', '.join(name[:20] for name in list(types)[:12])}: "
            "export the points alone."
        )
    check_counts(where, vertex.count, len(types))
    return types


def _group(where: str, values: Mapping[str, Numbers], names: tuple[str, ...]) -> Numbers | None:
    there = [name for name in names if name in values]
    if there and len(there) < len(names):
        raise InputError(
            f"{where}: expected the properties {', '.join(names)} together, but there is only "
            f"{' and '.join(there)}: export all of them or none."
        )
    return np.stack([values[name] for name in names], axis=1) if there else None


def _label(where: str, types: Mapping[str, str]) -> str | None:
    # CloudCompare puts `scalar_` in front of the names of its fields.
    found = [name for name in types if name.lower().removeprefix("scalar_") in _LABELS]
    if len(found) > 1:
        raise InputError(
            f"{where}: expected one property with the class of each vertex, but there are "
            f"{' and '.join(name[:20] for name in found)}: keep one."
        )
    return found[0] if found else None


def _text(file: BinaryIO, where: str, header: Header) -> tuple[dict[str, Numbers], Place]:
    number, vertex = header.lines, header.vertex
    for element in header.before:
        if element.count > MAX_POINTS:
            raise InputError(
                f"{where}: expected at most {MAX_POINTS:,} of each element in front of the "
                f"vertices, but of {element.name[:20]} there are {element.count:,}: export the "
                "points alone."
            )
        for _ in range(element.count):
            number += 1
            if not read_line(file, where, number):
                break
    rows = read_rows(file, where, before=number, width=len(vertex.properties), count=vertex.count)
    names = (name for name, _ in vertex.properties)
    return dict(zip(names, rows.values.T, strict=True)), rows.place


def _binary(file: BinaryIO, where: str, header: Header) -> tuple[dict[str, Numbers], Place]:
    start, vertex = file.tell(), header.vertex
    for element in header.before:
        if any(not of for _, of in element.properties):
            raise InputError(
                f"{where}: expected the vertices in front of elements with lists, but "
                f"{element.name[:20]} comes first: export the points alone."
            )
        start += element.count * _row(element, header.order).itemsize
    row = _row(vertex, header.order)
    there = max(0, os.fstat(file.fileno()).st_size - start) // row.itemsize
    if there < vertex.count:
        raise InputError(
            f"{where}: expected {vertex.count:,} vertices, as its header says, but the file ends "
            f"in vertex {there}: it is cut short, so copy or export it again."
        )
    file.seek(start)
    values = np.frombuffer(file.read(vertex.count * row.itemsize), row)
    return {name: values[name] for name, _ in vertex.properties}, lambda at: f"vertex {at}"


def _row(element: Element, order: str) -> np.dtype[np.void]:
    # By number, since names may be repeated outside the vertices.
    names = [f"{i}" for i in range(len(element.properties))]
    if element.name == "vertex":
        names = [name for name, _ in element.properties]
    kinds = [order + of for _, of in element.properties]
    return np.dtype({"names": names, "formats": kinds})
