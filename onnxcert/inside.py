"""Safe paths below a results folder: none leads out of it.

A folder may come from a stranger and contain links or records with odd names. Writing or removing
files below it must not touch other files of the user. The folder itself may be a link, because the
user named it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from onnxcert.atomic import make_folder
from onnxcert.errors import StoreError

# The folders that onnxcert writes to; anything else in a results folder is not visited.
FOLDERS: Final = ("inputs", "partial", "labels", "pictures")


def inside(folder: Path, *names: str) -> Path:
    """Return the path of `names` below the results folder `folder`.

    Every path that is written or removed below a results folder comes from here.

    Args:
        folder: may be a link itself, and need not exist.
        names: of the folders on the way and, last, of the file; none of them need exist.

    Raises:
        StoreError: a name contains a path, or a symlink has this name.
    """
    path = folder
    for name in names:
        if name in ("", ".", "..") or "\0" in name or Path(name).name != name:
            raise StoreError(
                f"{name!a} cannot be the name of a file in {folder}: expected a name without a "
                "path; remove the record or label that has this name."
            )
        path = path / name
        if path.is_symlink():
            raise _linked(path, folder)
    return path


def made_inside(folder: Path, *names: str) -> Path:
    """Return the folder of `names` below the results folder `folder`; it is made if missing.

    Raises:
        StoreError: it cannot be made.
    """
    path = inside(folder, *names)
    make_folder(path)
    return path


def file_inside(folder: Path, below: Path) -> Path:
    """Return the path of the file `below` the results folder `folder`; its folder is made.

    Raises:
        StoreError: it cannot be made.
    """
    made_inside(folder, *below.parts[:-1])
    return inside(folder, *below.parts)


def refuse_links(folder: Path) -> None:
    """Raise StoreError if an entry of the results folder `folder` or of its `FOLDERS` is a symlink.

    Hard links look like files. They are read, but never written through, because files are replaced
    and not changed.
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
        f"{below} in {folder} is a link, and links in results are refused; replace it by the file "
        "or folder that belongs there, or remove it."
    )
