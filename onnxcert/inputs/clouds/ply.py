"""Point clouds as the vertices of PLY files; faces and other elements are ignored.

This is our own reader because the permissively licensed libraries silently accept a text file with
too few vertices or too short a line, and have no public interface for labels. Call its functions
inside `decoding_errors`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from onnxcert.errors import InputError
from onnxcert.inputs.clouds.assembly import DescribeRow, Numbers, build_cloud, scale_colours
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
# The largest colour value by type; 255 for all others.
_WHOLE: Final = {"u2": 65535, "f4": 1, "f8": 1}


def read_ply(path: Path, where: str) -> PointCloud:
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
