"""Reject links and foreign filters in HDF5 files, so that all data is in the file itself."""

from __future__ import annotations

from typing import Any, Final

import h5py
from h5py import h5d, h5l, h5o, h5z

# The filters that `encoding` uses. For any other, HDF5 would search for a plugin and run its code.
_FILTERS: Final = frozenset({h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE})


def get_group(file: h5py.File, *names: str) -> h5py.Group:
    """Return the group at the path `names`, checked by `refuse_links`.

    Raises:
        KeyError: there is no such group.
        TypeError: it is not a group.
        ValueError: see `refuse_links`.
    """
    part = get_group_unchecked(file, *names)
    refuse_links(part)
    return part


def get_group_unchecked(file: h5py.File, *names: str) -> h5py.Group:
    """Return the group at the path `names` without following links; do not check its content.

    Raises:
        KeyError: there is no such group.
        TypeError: it is not a group.
        ValueError: a link is on the path.
    """
    found = file
    for name in names:
        if name == "." or "/" in name:
            raise KeyError(name)
        _refuse_link(found.id, name.encode())
        found = found[name]
        if not isinstance(found, h5py.Group):
            raise TypeError(f"{_quote(name.encode())} is not a group")
    return found


def refuse_links(group: h5py.Group) -> None:
    """Raise ValueError if anything in `group` is stored elsewhere or needs foreign code.

    Rejected are soft and external links, second hard links (and so cycles), arrays stored in other
    files or other arrays, and filters that `encoding` does not use. Each link is checked before its
    target is opened, and no value is read.
    """
    waiting, seen = [group.id], {h5o.get_info(group.id).addr}
    while waiting:
        node = waiting.pop()
        if isinstance(node, h5d.DatasetID):
            _refuse_external(node)
            continue
        for name in node:
            _refuse_link(node, name)
            below = h5o.open(node, name)
            info = h5o.get_info(below)
            if info.rc != 1 or info.addr in seen:
                raise ValueError(f"{_quote(name)} is a second link to the same place")
            seen.add(info.addr)
            waiting.append(below)


def _refuse_link(group: Any, name: bytes) -> None:
    if group.links.get_info(name).type != h5l.TYPE_HARD:
        raise ValueError(f"{_quote(name)} is a link, which is not followed")


def _refuse_external(array: h5d.DatasetID) -> None:
    creation = array.get_create_plist()
    if creation.get_layout() == h5d.VIRTUAL or creation.get_external_count():
        raise ValueError(f"{_quote(h5py.Dataset(array).name.encode())} is stored in other files")
    for index in range(creation.get_nfilters()):
        if creation.get_filter(index)[0] not in _FILTERS:
            raise ValueError(
                f"{_quote(h5py.Dataset(array).name.encode())} is compressed with a filter that "
                "onnxcert does not use"
            )


def _quote(name: bytes) -> str:
    return ascii(name.decode("utf-8", "replace")[:80])
