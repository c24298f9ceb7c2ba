"""The lock of a result folder: only one process at a time writes to it, on any file system."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from onnxcert.errors import StoreError

# Errors of file systems without locks, such as some NFS and Lustre.
NO_LOCKS: Final = frozenset(
    {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EIO}
)
_LOCK: Final = ".lock"
_OWNER: Final = ".lock-owner"
_WAIT: Final = 0.5  # seconds; long enough for the second attempt, which replaces a stale lock


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, which must exist.

    If the file system has no locks, a file names the process and host that hold the lock. If that
    process ran on this host and has ended, its lock is taken over.

    Raises:
        StoreError: another process holds the lock.
        OSError: the folder cannot be written.
    """
    from filelock import FileLock, SoftFileLock, Timeout  # not needed for reading results

    owner = folder / _OWNER
    for path in (folder / _LOCK, owner):
        # Opening a pipe would wait for its writer.
        if path.exists() and not path.is_file():
            raise StoreError(
                f"{path} is not a file, so {folder} cannot be locked; remove it and run the "
                "command again."
            )
    with ExitStack() as stack:
        try:
            # Two files, because a system lock does not name its owner.
            stack.enter_context(FileLock(folder / _LOCK, timeout=0, fallback_to_soft=False))
            needed = owner.exists()  # another host may see no locks here
        except Timeout:
            raise StoreError(
                f"another run is writing to {folder}; wait for it, or choose another folder with "
                "--out."
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            needed = True
        if needed:
            try:
                stack.enter_context(SoftFileLock(owner, timeout=_WAIT, poll_interval=_WAIT / 10))
            except Timeout:
                raise StoreError(
                    f"{_holder(owner)} is writing to {folder}; wait for it, choose another folder "
                    f"with --out, or, if that process is gone, delete {owner} and run the command "
                    "again."
                ) from None
        yield


def _holder(owner: Path) -> str:
    """Return the process and host that the file names."""
    try:
        with owner.open("rb") as file:
            text = file.read(1000).decode("ascii", "replace")
    except OSError:
        text = ""
    named = re.match(r"([0-9]{1,10})\n([!-~]{1,253})\n", text)
    return "another process" if named is None else f"process {named[1]} on host {named[2]}"
