"""NumPy arrays in files: one (`.npy`), or several by name (`.npz`, as `numpy.savez` writes them).

Call the functions of this module inside `decoding_errors`.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any, Final, final

import numpy as np
import numpy.typing as npt

from onnxcert.data.decoding import open_file
from onnxcert.errors import InputError

_MEMBERS: Final = 1000
# Versions 2 and 3 differ in the encoding of field names, which no input has.
_PARSERS: Final = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}
_ZIP: Final = (b"PK\3\4", b"PK\5\6")


@final
@dataclass(frozen=True)
class StoredArray:
    """An array in an open file; its header and its values are read when they are asked for.

    Attributes:
        path: the file, for messages.
        name: name of the array, for messages.
        size: bytes that it takes in the file, with its header.
    """

    path: Path
    name: str
    size: int
    _open: Callable[[], AbstractContextManager[IO[bytes]]]

    @cached_property
    def _header(self) -> tuple[tuple[int, ...], np.dtype[Any], int]:
        with self._open() as file:
            shape, _, dtype = _PARSERS[np.lib.format.read_magic(file)](file)
            return shape, dtype, file.tell()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape according to the header."""
        return self._header[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type according to the header."""
        return self._header[1]

    def count(self) -> int:
        """Return the number of elements; -1 unless the file holds all of them."""
        # A damaged header could ask for more memory than the file holds.
        shape, dtype, start = self._header
        count = math.prod(shape) if all(length >= 0 for length in shape) else -1
        return -1 if start + count * dtype.itemsize > self.size or dtype.hasobject else count

    def read(self, *, limit: int) -> npt.NDArray[Any]:
        """Return the array.

        Raises:
            InputError: it has more than `limit` elements, or more than the file holds.
        """
        if not 0 <= self.count() <= limit:
            raise InputError(
                f"{self.path}: expected {self.name} of at most {limit:,} numbers, all of them in "
                f"the file, but its header names {self.shape}: save it again."
            )
        with self._open() as file:
            array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array


@contextmanager
def open_archive(path: Path, *, limit: int = 2**29) -> Iterator[Mapping[str, StoredArray]]:
    """Open the arrays of a `.npz` file of at most `limit` bytes, by name.

    Raises:
        InputError: the file is not regular, is too large, or has more members than any input.
    """
    with open_file(path, limit=limit) as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > _MEMBERS:
            raise InputError(
                f"{path}: expected the arrays of one input, but the archive has {len(members):,} "
                "members: save each input in a file of its own."
            )
        names = [member.filename.removesuffix(".npy") for member in members]
        yield {
            name: StoredArray(path, name, member.file_size, partial(archive.open, member))
            for name, member in zip(names, members, strict=True)
        }


@contextmanager
def open_array(path: Path) -> Iterator[StoredArray]:
    """Open the array of a `.npy` file.

    Raises:
        InputError: the file is not regular, is too large, or holds several arrays.
        ValueError: the file is cut short, or holds Python objects.
    """

    def rewind() -> AbstractContextManager[IO[bytes]]:
        file.seek(0)
        return nullcontext(file)

    with open_file(path) as file:
        if file.read(4) in _ZIP:
            raise InputError(
                f"{path}: expected one array, but it is an archive of several: "
                "save each with numpy.save."
            )
        array = StoredArray(path, "an array", os.fstat(file.fileno()).st_size, rewind)
        if array.count() < 0:
            raise ValueError("the file is cut short")
        yield array
