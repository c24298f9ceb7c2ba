"""Named arrays in one `.npz` file, as `numpy.savez` writes them.

Call the functions of this module inside `decoding_errors`.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError

Header = tuple[tuple[int, ...], np.dtype[Any]]  # shape and type

_MEMBERS: Final = 1000


def list_members(where: str | Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive by the name of their array.

    Raises:
        InputError: the archive has more members than any supported input.
    """
    found = archive.infolist()
    if len(found) > _MEMBERS:
        raise InputError(
            f"{where}: expected the arrays of one input, but the archive has {len(found):,} "
            "members: save each input in a file of its own."
        )
    return {one.filename.removesuffix(".npy"): one for one in found}


def read_array_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    """Return shape and type of an array without reading its values."""
    with archive.open(member) as file:
        return _header(file)


def read_member(
    where: str | Path, archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo, *, limit: int
) -> npt.NDArray[Any]:
    """Read the array of a member.

    Args:
        where: the file, for messages.
        archive: the open archive.
        name: name of the array, for messages.
        member: the member that holds the array.
        limit: largest number of elements.

    Raises:
        InputError: the array header names more elements than `limit`, or more than the archive
            holds.
    """
    # Check the header first: a damaged one could ask for more memory than the file holds.
    shape, dtype = read_array_header(archive, member)
    size = math.prod(shape) if all(length >= 0 for length in shape) else -1
    if not 0 <= size <= limit or size * dtype.itemsize > member.file_size:
        raise InputError(
            f"{where}: expected {name} of at most {limit:,} numbers, all of them in the file, but "
            f"its header names {size:,}: save it again."
        )
    with archive.open(member) as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _header(file: IO[bytes]) -> Header:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read(file)
    return shape, dtype
