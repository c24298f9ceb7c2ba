"""Files that are complete under their name, or not there at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from onnxcert.errors import StoreError

# Pattern of the files that a killed process may leave behind.
LEFT_OVER: Final = ".*.tmp"


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write under another name, put it on disk, rename, put the folder on disk.

    Raises:
        StoreError: the disk is full, or the folder is gone or read-only.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
        if os.name == "posix":
            _sync(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        reason = error.strerror or str(error)
        raise StoreError(f"{path} cannot be written ({reason}); nothing kept is lost.") from None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
