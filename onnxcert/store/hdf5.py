"""HDF5 files opened and filled with care: whatever is wrong with one is a StoreError."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from onnxcert.errors import StoreError, refuse_trouble
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


@contextmanager
def reading(path: Path, what: str = "") -> Iterator[h5py.File]:
    """An open HDF5 file; `what` names the part of it that is looked at.

    Raises:
        AccessError: the machine does not let it be read.
        StoreError: it is not there, is no HDF5 file, or something in it cannot be read.
    """
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise StoreError(f"there is no result {path}.") from None
    except (OSError, MemoryError, RuntimeError) as error:
        refuse_trouble(path, error)
        raise StoreError(f"{path} is not a readable HDF5 file ({error}).") from None
    with file, telling_damage(path, what):
        yield file


@contextmanager
def telling_damage(path: Path, what: str = "") -> Iterator[None]:
    """Turn whatever damaged values raise into a StoreError about `what` in `path`."""
    try:
        yield
    except _DAMAGE as error:
        refuse_trouble(path, error)
        where = f"{what} in {path}" if what else str(path)
        raise StoreError(
            f"{where} is damaged or not onnxcert's ({error}); "
            "delete it and give the certify command again to make it anew."
        ) from None


def write_hdf5(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """A new HDF5 file at `path` with what `fill` puts into it."""
    try:
        with h5py.File(path, "w", libver=_FORMAT) as file:
            fill(file)
    except RuntimeError as error:  # what h5py makes of a full disk on closing
        raise StoreError(f"{path} cannot be written ({error}); nothing kept is lost.") from None


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
