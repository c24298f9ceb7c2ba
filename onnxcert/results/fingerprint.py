"""The digest that a record stores of its own content.

It detects a record that was edited or damaged after it was written. It is not a signature: whoever
edits a record can also write a new digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

import h5py
import numpy as np

from onnxcert.results.attributes import Attributes
from onnxcert.results.hdf5 import check_array
from onnxcert.results.outline import Line, encode_line
from onnxcert.results.sizes import most_values

ATTRIBUTE: Final = "sha256"


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
        outline: receives the outline of the record, line by line; see `onnxcert.results.outline`.
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
            sha.update(_encode_line(path, attributes))
        else:
            if most is not None and node.size > most:
                raise ValueError(f"{path} has {node.size:,} values, expected at most {most:,}")
            values = node[...]
            values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
            sha.update(_encode_line(path, attributes, values.dtype.str, list(node.shape)))
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


def _encode_line(*values: Any) -> bytes:
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
