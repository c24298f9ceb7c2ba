"""Atomic writes: a file exists under its name only when it is complete and on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from onnxcert.errors import StoreError

# Glob pattern of temporary files that a killed process may leave behind.
TEMPORARY_PATTERN: Final = ".*.tmp"

# Files written within `sync_together` and not yet renamed: final path -> temporary path.
_pending: ContextVar[dict[Path, Path] | None] = ContextVar("pending", default=None)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a temporary file, sync it to disk, rename it to `path`, and sync the folder.

    Within `sync_together`, all steps after the first are done when its block ends.

    Args:
        path: Final path of the file.
        write: Function that writes the content to the path it is given.

    Raises:
        StoreError: The disk is full, or the folder is missing or read-only.
    """
    pending = _pending.get()
    if pending is None:
        with sync_together():
            write_atomically(path, write)
        return
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with _convert_errors(path):
            temporary.unlink(missing_ok=True)  # if it is a symlink, its target must not change
            write(temporary)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    pending[path] = temporary


def make_folder(path: Path) -> None:
    """Create the folder `path` and its parents, if they are missing.

    Raises:
        StoreError: The folder cannot be created, or `path` is not a folder.
    """
    with _convert_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def remove(path: Path) -> None:
    """Remove the file `path`, if it exists.

    Raises:
        StoreError: `path` is a folder, or its parent is read-only.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be removed ({error.strerror}); remove it yourself and run the same "
            "command again."
        ) from None


@contextmanager
def sync_together() -> Iterator[None]:
    """Sync all files that the block writes in one step; an inner block joins the outer one.

    Syncing several files at once takes about as long as syncing one, and for small inputs this is
    most of the cost. Each file is on disk before it is renamed, files are renamed in the order of
    writing, and all are on disk when the block has ended. If the block fails before the first
    rename, none of its files exists.

    Raises:
        StoreError: The disk is full, or a folder is missing or read-only.
    """
    if _pending.get() is not None:
        yield
        return
    pending: dict[Path, Path] = {}
    before = _pending.set(pending)
    try:
        yield
        _sync(pending.items())
        for path, temporary in pending.items():
            with _convert_errors(path):
                temporary.replace(path)
        if os.name == "posix":
            _sync({path.parent: path.parent for path in pending}.items())
    finally:
        _pending.reset(before)
        for temporary in pending.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _sync(files: Iterable[tuple[Path, Path]]) -> None:
    """Sync files or folders to disk in parallel; each pair is (final path, current path)."""
    named = list(files)
    if len(named) == 1:
        _sync_one(*named[0])
        return
    with ThreadPoolExecutor(max_workers=max(1, min(8, len(named)))) as threads:
        for done in [threads.submit(_sync_one, *one) for one in named]:
            done.result()


def _sync_one(path: Path, where: Path) -> None:
    with _convert_errors(path):
        descriptor = os.open(where, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _convert_errors(path: Path) -> Iterator[None]:
    """Convert an OSError to a StoreError about `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"{path} cannot be written ({reason}); fix that and run the same command again; "
            "results already saved are intact."
        ) from None
