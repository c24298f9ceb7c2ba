"""Safe reading and writing of HDF5 files; every fault in a file becomes a StoreError."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from onnxcert.errors import StoreError, refuse_machine_failure
from onnxcert.files.regular import check_regular_file
from onnxcert.results.links import refuse_links
from onnxcert.results.lock import NO_LOCKS
from onnxcert.results.outline import LargeArray

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
    if isinstance(array, np.ndarray | LargeArray):  # from an outline
        return array
    return check_array(array)


def check_array(array: Any) -> Any:
    """Return `array` if it is an array of a plausible size; see `get_array` for the errors."""
    if not isinstance(array, h5py.Dataset):
        raise TypeError(f"{array.name} is not an array")
    if array.size * array.dtype.itemsize > _PACKED * array.id.get_storage_size() + _SLACK:
        raise ValueError(f"{array.name} claims to be larger than its stored data")
    return array
