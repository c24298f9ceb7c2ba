"""Attributes of HDF5 groups, with strings of fixed length.

h5py writes strings with variable length, in a heap without a checksum: one flipped bit there can
put the HDF5 library into an endless loop. Strings of fixed length are stored in the header of the
group, which has a checksum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5t

from onnxcert.results.outline import Outline


class Attributes(Mapping[str, Any]):
    """The attributes of a group; strings are always `str`."""

    def __init__(self, group: h5py.Group | Outline) -> None:
        self._group = group

    def __getitem__(self, name: str) -> Any:
        if isinstance(self._group, Outline):
            return self._group.attrs[name]
        attribute = h5a.open(self._group.id, name.encode())
        kind = attribute.get_type()
        # Fast path: nearly all attributes are scalars, and this takes half the time.
        if attribute.shape == () and isinstance(kind, h5t.TypeStringID):
            if not kind.is_variable_str():
                content = np.empty((), dtype=f"S{kind.get_size()}")
                attribute.read(content, mtype=kind)
                return bytes(content[()]).decode()
        elif attribute.shape == () and isinstance(kind, h5t.TypeIntegerID | h5t.TypeFloatID):
            number = np.empty((), attribute.dtype)
            attribute.read(number)
            return number[()]
        value = self._group.attrs[name]
        return value.decode() if isinstance(value, bytes) else value

    def __iter__(self) -> Iterator[str]:
        if isinstance(self._group, Outline) or h5a.get_num_attrs(self._group.id) > 0:
            yield from self._group.attrs

    def __len__(self) -> int:
        return len(self._group.attrs)


def put(group: h5py.Group, name: str, value: Any) -> None:
    """Write one attribute."""
    if isinstance(value, str):
        content = value.encode()
        kind = h5py.string_dtype("utf-8", max(1, len(content)))
        group.attrs.create(name, np.array(content, dtype=kind), dtype=kind)
    else:
        group.attrs[name] = value
