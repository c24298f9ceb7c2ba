"""The digest that a record stores of its own content, and its outline.

The digest detects a record that was edited or damaged after it was written. It is not a signature:
whoever edits a record can also write a new digest.

The outline is everything except the values of the large arrays.
`onnxcert.results.encoding.read_record` accepts an outline instead of the HDF5 group of a record. It
has the attributes, the small arrays (levels, curve, confusion matrices), and shape and element type
of the large arrays, whose values are read from the record when they are needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final, final

import h5py
import numpy as np
import numpy.typing as npt

from onnxcert.results.checks import most_values
from onnxcert.results.hdf5 import Attributes, check_array

ATTRIBUTE: Final = "sha256"

# Path of a group or array, its attributes, and for an array its element type, shape and values.
Line = list[Any]

# Arrays whose size does not depend on the size of the input.
_SMALL: Final = ("/confusions/", "/certificate/certified", "/certificate/correct")
_SMALL_TOO: Final = ("/certificate/levels", "/certificate/radii")
_MOST: Final = 2**22  # values of a small array: 2048 classes


@final
@dataclass(frozen=True)
class Row:
    """The digest of a record, and its outline."""

    digest: str
    outline: list[Line]


@final
@dataclass(frozen=True)
class LargeArray:
    """An array whose values are still in the file; see `onnxcert.results.record.Array`."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Any]

    def __getitem__(self, key: Any, /) -> Any:
        return self.read()[key]


@final
class Outline:
    """A group of a record.

    Args:
        attributes: name -> JSON value.
        filename: file of the record, for messages.
    """

    def __init__(self, attributes: Mapping[str, Any], filename: str) -> None:
        self.attrs, self.filename = attributes, filename
        self._children: dict[str, Any] = {}

    @property
    def file(self) -> Outline:
        return self

    def __getitem__(self, name: str) -> Any:
        return self._children[name]

    def __setitem__(self, name: str, child: Any) -> None:
        self._children[name] = child

    def __contains__(self, name: object) -> bool:
        return name in self._children

    def __iter__(self) -> Iterator[str]:
        return iter(self._children)


def encode_line(path: str, attributes: Mapping[str, Any], values: npt.NDArray[Any] | None) -> Line:
    """Return one line of an outline as JSON values.

    This is [path, attributes] for a group, [path, attributes, element type, shape] for a large
    array, and [..., [indices, values]] with the non-zero values for a small array.
    """
    if values is None:
        return [path, attributes]
    line: Line = [path, attributes, values.dtype.str, list(values.shape)]
    if path.startswith(_SMALL) or path in _SMALL_TOO:
        flat = values.ravel()
        where = np.flatnonzero(flat)
        line.append([where.tolist(), flat[where].tolist()])
    return line


def build_outline(
    lines: Iterable[Line], filename: str, read: Callable[[str], npt.NDArray[Any]]
) -> Outline:
    """Build an outline from its lines.

    Args:
        lines: see `encode_line`; each group comes before its content.
        filename: file of the record.
        read: reads the array at a path in the record.

    Raises:
        KeyError, TypeError, ValueError, IndexError: the lines were not made by `encode_line`.
    """
    groups: dict[str, Outline] = {}
    for path, attributes, *array in lines:
        if not isinstance(attributes, dict):
            raise TypeError("the attributes of an outline must be a JSON object")
        child = _decode_array(path, array, read) if array else Outline(attributes, filename)
        above, _, name = path.rpartition("/")
        if path:
            groups[above][name] = child
        if not array:
            groups[path] = child
    return groups[""]


def _decode_array(path: str, spec: list[Any], read: Callable[[str], npt.NDArray[Any]]) -> Any:
    kind, shape, *known = spec
    dtype = np.dtype(str(kind))
    if dtype.kind not in "biuf" or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"{path} is not an array of numbers")
    if not known:
        return LargeArray(tuple(shape), dtype, lambda: read(path))
    if prod(shape) > _MOST:
        raise ValueError(f"{path} is too large for an outline")
    ((where, nonzero),) = known
    values = np.zeros(shape, dtype)
    values.ravel()[np.asarray(where, np.intp)] = nonzero
    return values


def fingerprint(
    record: h5py.Group,
    *,
    without: frozenset[str] = frozenset(),
    outline: list[Line] | None = None,
) -> str:
    """Return the SHA-256 of all groups, attributes and arrays of a record, sorted by name.

    A group is one line of JSON, `[path, attributes]`. An array is `[path, attributes, element type,
    shape]`, followed by its values in C order, little-endian. Compression and the place of the
    record do not matter. The stored digest itself is left out.

    Args:
        record: group of the record.
        without: names of attributes to leave out.
        outline: receives the outline of the record, line by line; see `encode_line`.
    """
    sha = hashlib.sha256()
    most = most_values(record)
    for path, node in _nodes(record, ""):
        attributes = {
            name: _to_json(value)
            for name, value in sorted(Attributes(node).items())
            if name not in without
        }
        values = None
        if isinstance(node, h5py.Group):
            if not path:
                attributes.pop(ATTRIBUTE, None)
            sha.update(_to_line(path, attributes))
        else:
            if most is not None and node.size > most:
                raise ValueError(f"{path} has {node.size:,} values, expected at most {most:,}")
            values = node[...]
            values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
            sha.update(_to_line(path, attributes, values.dtype.str, list(node.shape)))
            sha.update(values.reshape(-1).data)  # without the copy that `tobytes` makes
        if outline is not None:
            outline.append(encode_line(path, attributes, values))
    return sha.hexdigest()


def _nodes(group: h5py.Group, path: str) -> Iterator[tuple[str, Any]]:
    yield path, group
    for name in sorted(group):
        below, node = f"{path}/{name}", group[name]
        if isinstance(node, h5py.Group):
            yield from _nodes(node, below)
        else:
            yield below, check_array(node)


def _to_line(*values: Any) -> bytes:
    return f"{json.dumps(values)}\n".encode()


def _to_json(value: Any) -> Any:
    """Return an attribute as a JSON value; a foreign one as its type and `repr`."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return [type(value).__name__, repr(value)]
    return value
