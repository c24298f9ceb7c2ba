"""Safe paths below a results folder: none leads outside.

A results folder may come from an untrusted source and contain symlinks or records with malicious
names. Writing or removing files below it must not touch other files of the user. The folder itself
may be a symlink, because the user named it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from onnxcert.errors import StoreError
from onnxcert.files.atomic import make_folder

# Folders that onnxcert writes to; nothing else in a results folder is visited.
FOLDERS: Final = ("inputs", "partial", "labels", "pictures")


def inside(folder: Path, *names: str) -> Path:
    """Return the path of `names` below the results folder `folder`.

    Every path that is written or removed below a results folder must come from this function.

    Args:
        folder: Results folder; may be a symlink and need not exist.
        names: Names of the parent folders and, last, of the file; none of them need exist.

    Raises:
        StoreError: A name contains a path, or an entry on the way is a symlink.
    """
    path = folder
    for name in names:
        if name in ("", ".", "..") or "\0" in name or Path(name).name != name:
            raise StoreError(
                f"{name!a} cannot be a file name in {folder}: expected a name without a path; "
                "remove the record or label that has this name."
            )
        path = path / name
        if path.is_symlink():
            raise _linked(path, folder)
    return path


def make_folder_inside(folder: Path, *names: str) -> Path:
    """Return the folder `names` below the results folder `folder`; create it if missing.

    Raises:
        StoreError: The folder cannot be created.
    """
    path = inside(folder, *names)
    make_folder(path)
    return path


def make_parents_inside(folder: Path, below: Path) -> Path:
    """Return the path of the file `below` in the results folder `folder`; create its parent.

    Raises:
        StoreError: The parent folder cannot be created.
    """
    make_folder_inside(folder, *below.parts[:-1])
    return inside(folder, *below.parts)


def refuse_symlinks(folder: Path) -> None:
    """Raise StoreError if an entry of the results folder `folder` or of its `FOLDERS` is a symlink.

    Hard links look like files. Writing never changes their targets, because files are replaced
    instead of modified.
    """
    waiting = [folder, *(folder / name for name in FOLDERS)]
    while waiting:
        where = waiting.pop()
        for entry in _entries(where):
            if entry.is_symlink():
                raise _linked(Path(entry.path), folder)
            if where != folder and entry.is_dir():
                waiting.append(Path(entry.path))


def _entries(where: Path) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(where) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise StoreError(
            f"{where} cannot be read ({error.strerror}); make it readable, or name another folder."
        ) from None


def _linked(path: Path, folder: Path) -> StoreError:
    below = ascii(str(path.relative_to(folder)))[1:-1]
    return StoreError(
        f"{below} in {folder} is a symlink, which is not allowed in results; replace it with the "
        "file or folder that it points to, or remove it."
    )
