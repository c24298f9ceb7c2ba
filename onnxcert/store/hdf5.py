"""HDF5 files opened and filled with care: whatever is wrong with one is a StoreError."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from onnxcert.errors import StoreError, refuse_trouble
from onnxcert.regular import check_regular
from onnxcert.store.links import refuse_links
from onnxcert.store.lock import NO_LOCKS
from onnxcert.store.outline import LargeArray

# gzip packs at most 1032 values into one; what claims more would only fill the memory.
_PACKED: Final = 1100
_SLACK: Final = 2**16

# The format of HDF5 1.10, whose headers carry checksums: in the older one, that h5py writes unless
# told otherwise, a flipped bit in an attribute's header can end or hang the whole process.
_FORMAT: Final = "v110"

# Everything that h5py and NumPy raise on bytes that are not what they say.
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


def _opened(path: Path, files: ExitStack) -> h5py.File:
    """Open the file without locks, because files under a final name never change."""
    try:
        return files.enter_context(h5py.File(path, "r", locking=False))
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        # HDF5_USE_FILE_LOCKING demands locks even if the file system has none.
        return files.enter_context(h5py.File(files.enter_context(path.open("rb")), "r"))


@contextmanager
def reading(path: Path, what: str = "", *, whole: bool = True) -> Iterator[h5py.File]:
    """An open HDF5 file; `what` names the part of it that is looked at.

    Args:
        whole: whether all of it is checked for links; if not, take each part from `part_of`.

    Raises:
        AccessError: the machine cannot read it.
        StoreError: it is missing, is not an HDF5 file, or something in it cannot be read or is
            stored elsewhere.
    """
    with ExitStack() as files:
        try:
            check_regular(path)
            file = _opened(path, files)
        except FileNotFoundError:
            raise StoreError(f"there is no result {path}.") from None
        except (OSError, MemoryError, RuntimeError) as error:
            refuse_trouble(path, error)
            raise StoreError(
                f"{path} is not a readable HDF5 file ({error}); name results that onnxcert wrote, "
                "or delete it and certify again."
            ) from None
        with telling_damage(path, what):
            if whole:
                refuse_links(file)
            yield file


@contextmanager
def telling_damage(path: Path, what: str = "") -> Iterator[None]:
    """Turn the exceptions that damaged values cause into a StoreError about `what` in `path`."""
    try:
        yield
    except _DAMAGE as error:
        refuse_trouble(path, error)
        where = f"{what} in {path}" if what else str(path)
        raise StoreError(
            f"{where} is damaged or not onnxcert's ({error}); "
            "delete it and give the certify command again."
        ) from None


def write_hdf5(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """Write a new HDF5 file at `path` with what `fill` puts into it.

    Raises:
        OSError: the disk is full, or a limit is reached.
    """
    with path.open("w+b", buffering=0) as disk:
        target = _Target(disk)
        try:
            with h5py.File(target, "w", libver=_FORMAT) as file:
                fill(file)
        finally:
            target.check()  # instead of HDF5's later error about data that was never written


class _Target:
    """A file for HDF5 to write to, which holds back its first error until HDF5 has closed it.

    HDF5 cannot close a file after a failed write: h5py raises other errors then, and the process
    may end with a segmentation fault.
    """

    def __init__(self, disk: FileIO) -> None:
        self._disk = disk
        self._error: OSError | None = None
        self.seek, self.tell, self.flush = disk.seek, disk.tell, disk.flush
        self.read, self.readinto = disk.read, disk.readinto

    def check(self) -> None:
        """Raise the OSError that was held back, if any."""
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


def array_in(group: h5py.Group, name: str) -> Any:
    """The array `name` of `group`, still in the file.

    Raises:
        KeyError, TypeError, ValueError: there is none, or it claims more than it holds.
    """
    array = group[name]
    if isinstance(array, np.ndarray | LargeArray):  # of an outline
        return array
    return array_of(array)


def array_of(array: Any) -> Any:
    """`array` if it is one, and stored as large as it claims to be; see `array_in`."""
    if not isinstance(array, h5py.Dataset):
        raise TypeError(f"{array.name} is no array")
    if array.size * array.dtype.itemsize > _PACKED * array.id.get_storage_size() + _SLACK:
        raise ValueError(f"{array.name} claims to be larger than what is stored of it")
    return array
