"""The digest that a record carries of itself.

It tells a record that was written from one that was edited or damaged since. It is no signature:
who edits a record can write a new digest as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

import h5py
import numpy as np

from onnxcert.store.attributes import Attributes
from onnxcert.store.hdf5 import array_of
from onnxcert.store.outline import Line, line_of
from onnxcert.store.sizes import most_values

ATTRIBUTE: Final = "sha256"


def fingerprint(
    record: h5py.Group,
    *,
    without: frozenset[str] = frozenset(),
    outline: list[Line] | None = None,
) -> str:
    """SHA-256 of every group, attribute and array of a record, in the order of their names.

    Each counts as one line of JSON, `[path, attributes]` for a group and `[path, attributes,
    element type, shape]` for an array, whose values follow in C order, little-endian. Neither how
    arrays are packed nor where the record lies matters. The digest itself is left out.

    Args:
        record: what is digested. without: names of attributes that are left out.
        outline: receives the outline of the record, line by line; see `onnxcert.store.outline`.
    """
    sha = hashlib.sha256()
    most = most_values(record)
    for path, node in _nodes(record, ""):
        attributes = {
            name: _plain(value)
            for name, value in sorted(Attributes(node).items())
            if name not in without
        }
        values = None
        if isinstance(node, h5py.Group):
            if not path:
                attributes.pop(ATTRIBUTE, None)
            sha.update(_line(path, attributes))
        else:
            if most is not None and node.size > most:
                raise ValueError(f"{path} has {node.size:,} values, expected at most {most:,}")
            values = node[...]
            values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
            sha.update(_line(path, attributes, values.dtype.str, list(node.shape)))
            sha.update(values.reshape(-1).data)  # without the copy that `tobytes` makes
        if outline is not None:
            outline.append(line_of(path, attributes, values))
    return sha.hexdigest()


def _nodes(group: h5py.Group, path: str) -> Iterator[tuple[str, Any]]:
    yield path, group
    for name in sorted(group):
        below, node = f"{path}/{name}", group[name]
        if isinstance(node, h5py.Group):
            yield from _nodes(node, below)
        else:
            yield below, array_of(node)


def _line(*values: Any) -> bytes:
    return f"{json.dumps(values)}\n".encode()


def _plain(value: Any) -> Any:
    """An attribute as a JSON value; what none of ours is, by its type and looks."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return [type(value).__name__, repr(value)]
    return value
