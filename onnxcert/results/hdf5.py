"""Safe reading and writing of HDF5 files; every fault in a file becomes a StoreError.

Links and foreign filters are refused, so that all data is in the file itself. Strings in attributes
have a fixed length: h5py would write them with variable length, in a heap without a checksum, where
one flipped bit can put the HDF5 library into an endless loop. Strings of fixed length are stored in
the header of the group, which has a checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from h5py import h5a, h5d, h5l, h5o, h5t, h5z

from onnxcert.errors import StoreError, refuse_machine_failure
from onnxcert.files.regular import check_regular_file
from onnxcert.results.lock import NO_LOCKS

# gzip compresses at most 1032 to 1; an array that claims more would only fill the memory.
_PACKED: Final = 1100
_SLACK: Final = 2**16

# The format of HDF5 1.10 has checksums in its headers. In the older format, the default of h5py, a
# flipped bit in the header of an attribute can crash or hang the process.
_FORMAT: Final = "v110"

# All exceptions that h5py and NumPy raise on damaged bytes.
_DAMAGE: Final = (
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    RuntimeError,
    OSError,
    MemoryError,
)

# The filters that `encoding` uses. For any other, HDF5 would search for a plugin and run its code.
_FILTERS: Final = frozenset({h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE})


def _open_unlocked(path: Path, files: ExitStack) -> h5py.File:
    """Open the file without locks, because files under a final name never change."""
    try:
        return files.enter_context(h5py.File(path, "r", locking=False))
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        # HDF5_USE_FILE_LOCKING can require locks even if the file system has none.
        return files.enter_context(h5py.File(files.enter_context(path.open("rb")), "r"))


@contextmanager
def open_hdf5(path: Path, what: str = "", *, whole: bool = True) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Args:
        path: path of the file.
        what: the part of the file to name in errors; empty for the whole file.
        whole: check the whole file for links; if False, get each part from `get_group`.

    Raises:
        AccessError: the operating system cannot read the file.
        StoreError: the file is missing or not HDF5, or its content is damaged or stored elsewhere.
    """
    with ExitStack() as files:
        try:
            check_regular_file(path)
            file = _open_unlocked(path, files)
        except FileNotFoundError:
            raise StoreError(f"the result {path} does not exist.") from None
        except (OSError, MemoryError, RuntimeError) as error:
            refuse_machine_failure(path, error)
            raise StoreError(
                f"{path} is not a readable HDF5 file ({error}); give results that onnxcert wrote, "
                "or delete the file and certify again."
            ) from None
        with report_damage(path, what):
            if whole:
                refuse_links(file)
            yield file


@contextmanager
def report_damage(path: Path, what: str = "") -> Iterator[None]:
    """Turn the exceptions that damaged values cause into a StoreError about `what` in `path`."""
    try:
        yield
    except _DAMAGE as error:
        refuse_machine_failure(path, error)
        where = f"{what} in {path}" if what else str(path)
        raise StoreError(
            f"{where} is damaged or was not written by onnxcert ({error}); "
            "delete it and run the certify command again."
        ) from None


def write_hdf5(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """Create the HDF5 file `path` and let `fill` write its content.

    Raises:
        OSError: the disk is full, or a limit is reached.
    """
    with path.open("w+b", buffering=0) as disk:
        target = _Target(disk)
        try:
            with h5py.File(target, "w", libver=_FORMAT) as file:
                fill(file)
        finally:
            target.check()  # before HDF5 reports a later, misleading error


class _Target:
    """A file for HDF5 that holds back its first write error until HDF5 has closed it.

    HDF5 cannot close a file after a failed write: h5py raises unrelated errors, and the process may
    end with a segmentation fault.
    """

    def __init__(self, disk: FileIO) -> None:
        self._disk = disk
        self._error: OSError | None = None
        self.seek, self.tell, self.flush = disk.seek, disk.tell, disk.flush
        self.read, self.readinto = disk.read, disk.readinto

    def check(self) -> None:
        """Raise the first write error, if there was one."""
        if self._error is not None:
            raise self._error from None

    def write(self, data: memoryview) -> int:
        done = 0
        try:
            while self._error is None and done < len(data):
                done += self._disk.write(data[done:])
        except OSError as error:
            self._error = error
        return len(data)

    def truncate(self, size: int) -> int:
        try:
            self._disk.truncate(size)
        except OSError as error:
            self._error = self._error or error
        return size


def get_array(group: h5py.Group, name: str) -> Any:
    """Return the array `name` of `group`, still in the file.

    Raises:
        KeyError, TypeError, ValueError: there is no such array, or it claims to be larger than its
            stored data.
    """
    array = group[name]
    if not isinstance(group, h5py.Group) and hasattr(array, "shape"):  # from an outline
        return array
    return check_array(array)


def check_array(array: Any) -> Any:
    """Return `array` if it is an array of a plausible size; see `get_array` for the errors."""
    if not isinstance(array, h5py.Dataset):
        raise TypeError(f"{array.name} is not an array")
    if array.size * array.dtype.itemsize > _PACKED * array.id.get_storage_size() + _SLACK:
        raise ValueError(f"{array.name} claims to be larger than its stored data")
    return array


# -- links -----------------------------------------------------------------------------------------


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


# -- attributes


class Attributes(Mapping[str, Any]):
    """The attributes of a group; strings are always `str`."""

    def __init__(self, group: Any) -> None:
        self._group = group  # of a file, or a `fingerprint.Outline`

    def __getitem__(self, name: str) -> Any:
        if not hasattr(self._group, "id"):
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
        if not hasattr(self._group, "id") or h5a.get_num_attrs(self._group.id) > 0:
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
