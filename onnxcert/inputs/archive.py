"""Arrays with names in one file, as `numpy.savez` writes them (`.npz`)."""

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


def members_of(where: str | Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members of an archive by the name of their array.

    Raises:
        InputError: there are more than any input of ours has.
    """
    found = archive.infolist()
    if len(found) > _MEMBERS:
        raise InputError(
            f"{where}: expected the arrays of one input, but the archive has {len(found):,} "
            "members: save each input in a file of its own."
        )
    return {one.filename.removesuffix(".npy"): one for one in found}


def header_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    """Shape and type of an array, without its values; only inside `decoding`."""
    with archive.open(member) as file:
        return _header(file)


def load_member(
    where: str | Path, archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo, *, limit: int
) -> npt.NDArray[Any]:
    """The array of a member; only inside `decoding`.

    Args:
        where: the file, for messages. name: of the array, for messages.
        limit: of how many numbers it may be.

    Raises:
        InputError: its header names more than that, or more than the archive holds.
    """
    # The header first: what it names must not be given memory before it is known to be there.
    shape, dtype = header_of(archive, member)
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
