"""Attributes of HDF5 groups, with texts of fixed length.

h5py writes a text as a value of variable length, which lies in a heap that has no checksum: one
flipped bit there can make the HDF5 library search for ever. A text of fixed length lies in the
group's header, which has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5t

from onnxcert.store.outline import Outline


class Attributes(Mapping[str, Any]):
    """The attributes of a group, texts as `str` however they were written."""

    def __init__(self, group: h5py.Group | Outline) -> None:
        self._group = group

    def __getitem__(self, name: str) -> Any:
        if isinstance(self._group, Outline):
            return self._group.attrs[name]
        attribute = h5a.open(self._group.id, name.encode())
        kind = attribute.get_type()
        # Nearly all attributes are such strings and numbers, and this takes half the time.
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
