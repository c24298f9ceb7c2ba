"""Reading of regular files of bounded size, so that reading never blocks and always ends.

Opening a pipe waits for its writer, a device may never end, and a sparse file may claim terabytes.
Other files raise an OSError, which readers handle like any other.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


class UnsuitableFileError(OSError):
    """The path is not a regular file, or the file is too large."""


def describe_irregular(mode: int) -> str:
    """Return the kind of a file that is not regular, such as "a folder"; empty if it is regular.

    Args:
        mode: `os.stat_result.st_mode` of the path.
    """
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a socket" if stat.S_ISSOCK(mode) else "a pipe or device"


def check_regular_file(path: Path, *, limit: int | None = None) -> None:
    """Raise OSError unless `path` is a regular file (of at most `limit` bytes, if given)."""
    _check_status(path.stat(), limit)


def read_regular_file(path: Path, *, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises:
        OSError: The file is not regular, is larger than `limit`, or cannot be read.
    """
    # Non-blocking, so that opening a pipe does not wait; it is refused below.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    # By an opener: `open` closes its descriptor when it refuses a folder, but not one it is given.
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        status = os.fstat(file.fileno())
        _check_status(status, limit)
        return file.read(status.st_size)  # reading `limit` bytes would allocate all of them


def _check_status(status: os.stat_result, limit: int | None) -> None:
    found = describe_irregular(status.st_mode)
    if found:
        raise UnsuitableFileError(f"it is {found}, not a file")
    if limit is not None and status.st_size > limit:
        raise UnsuitableFileError(
            f"it has {status.st_size:,} bytes, more than the limit of {limit:,}"
        )
