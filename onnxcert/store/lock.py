"""Who may write to a result folder: one process at a time, whatever the file system can do."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from onnxcert.errors import StoreError

# What the system answers where a file system has no locks, as NFS and Lustre may.
NO_LOCKS: Final = frozenset(
    {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EIO}
)
_LOCK: Final = ".lock"
_OWNER: Final = ".lock-owner"
_WAIT: Final = 0.5  # seconds; an owner that is gone is replaced in the second attempt at the latest


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`, which exists, against every other process.

    Where its file system has no locks, a file names the process that holds it and its host. One
    whose process is gone from this host is taken over.

    Raises:
        StoreError: another process holds it, or nothing can be written there.
        OSError: the folder cannot be written.
    """
    from filelock import FileLock, SoftFileLock, Timeout  # those who only read do not wait for it

    with ExitStack() as stack:
        owner = folder / _OWNER
        try:
            # Not at the same path: what a lock of the system leaves there names nobody.
            stack.enter_context(FileLock(folder / _LOCK, timeout=0, fallback_to_soft=False))
            needed = owner.exists()  # held by a host that has no locks here
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
                    f"{_holder(owner)} is writing to {folder}; wait for it, or choose another "
                    f"folder with --out, or, if that process is gone, delete {owner} and give the "
                    "command again."
                ) from None
        yield


def _holder(owner: Path) -> str:
    """The process and host that the file names."""
    try:
        with owner.open("rb") as file:
            text = file.read(1000).decode("ascii", "replace")
    except OSError:
        text = ""
    named = re.match(r"([0-9]{1,10})\n([!-~]{1,253})\n", text)
    return "another process" if named is None else f"process {named[1]} on host {named[2]}"
