"""Files that are complete under their name, or not there at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from onnxcert.errors import StoreError

# Pattern of the files that a killed process may leave behind.
LEFT_OVER: Final = ".*.tmp"

# Files written within `together` and not yet under their name: path -> where they are.
_waiting: ContextVar[dict[Path, Path] | None] = ContextVar("waiting", default=None)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write under another name, put it on disk, rename, put the folder on disk.

    Within `together` all but the first step is done at its end.

    Raises:
        StoreError: the disk is full, or the folder is gone or read-only.
    """
    waiting = _waiting.get()
    if waiting is None:
        with together():
            write_atomically(path, write)
        return
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with _telling(path):
            temporary.unlink(missing_ok=True)  # a link there would be written through
            write(temporary)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    waiting[path] = temporary


def make_folder(path: Path) -> None:
    """Make the folder `path` and the folders above it, if they are missing.

    Raises:
        StoreError: it cannot be made, or is not a folder.
    """
    with _telling(path):
        path.mkdir(parents=True, exist_ok=True)


def remove(path: Path) -> None:
    """Remove the file `path`, if it is there.

    Raises:
        StoreError: it is a folder, or its folder is read-only.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be removed ({error.strerror}); remove it yourself, and give the same "
            "command again."
        ) from None


@contextmanager
def together() -> Iterator[None]:
    """Put every file that the block writes on disk in one go; an inner block joins the outer one.

    A disk takes about as long for several files at once as for one, and where an input is small
    that is most of what it costs. Each file is on disk before it gets its name, names are given in
    the order of writing, and when the block has ended all of them are on disk. If it fails before
    the first name is given, nothing of it is there.

    Raises:
        StoreError: the disk is full, or a folder is gone or read-only.
    """
    if _waiting.get() is not None:
        yield
        return
    waiting: dict[Path, Path] = {}
    before = _waiting.set(waiting)
    try:
        yield
        _sync(waiting.items())
        for path, temporary in waiting.items():
            with _telling(path):
                temporary.replace(path)
        if os.name == "posix":
            _sync({path.parent: path.parent for path in waiting}.items())
    finally:
        _waiting.reset(before)
        for temporary in waiting.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _sync(files: Iterable[tuple[Path, Path]]) -> None:
    """Put files or folders on disk, at the same time; each pair is its name and where it is."""
    named = list(files)
    if len(named) == 1:
        _sync_one(*named[0])
        return
    with ThreadPoolExecutor(max_workers=max(1, min(8, len(named)))) as threads:
        for done in [threads.submit(_sync_one, *one) for one in named]:
            done.result()


def _sync_one(path: Path, where: Path) -> None:
    with _telling(path):
        descriptor = os.open(where, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turn an OSError into a StoreError about `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"{path} cannot be written ({reason}); fix that and give the command again, results "
            "already saved are intact."
        ) from None
