"""Paths below a results folder: none leads out of it.

A folder may come from somebody else, with links in it or records of odd names, and what is written
or removed below it must not be anything else of the user's. The folder itself may be reached by a
link, as the user named it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from onnxcert.atomic import make_folder
from onnxcert.errors import StoreError

# Those that hold what onnxcert writes; whatever else lies in a results folder is not followed.
FOLDERS: Final = ("inputs", "partial", "labels", "pictures")


def inside(folder: Path, *names: str) -> Path:
    """The path of `names` below the results folder `folder`, each a plain name and no link.

    Every path that is written to or removed below a results folder comes from here.

    Args:
        folder: may be a link itself, and need not be there.
        names: of the folders on the way and, last, of the file; none of them need be there.

    Raises:
        StoreError: a name is no plain name, or a link is in its place.
    """
    path = folder
    for name in names:
        if name in ("", ".", "..") or "\0" in name or Path(name).name != name:
            raise StoreError(
                f"{name!a} cannot be the name of a file in {folder}, where names have no path "
                "in them; remove what carries this name."
            )
        path = path / name
        if path.is_symlink():
            raise _linked(path, folder)
    return path


def made_inside(folder: Path, *names: str) -> Path:
    """The folder of `names` below the results folder `folder`, see `inside`; made if missing.

    Raises:
        StoreError: it cannot be made.
    """
    path = inside(folder, *names)
    make_folder(path)
    return path


def file_inside(folder: Path, below: Path) -> Path:
    """The path of the file `below` the results folder `folder`, see `inside`; its folder is made.

    Raises:
        StoreError: it cannot be made.
    """
    made_inside(folder, *below.parts[:-1])
    return inside(folder, *below.parts)


def refuse_links(folder: Path) -> None:
    """Raise StoreError if any file or folder in the results folder `folder` is a link.

    Hard links are not told from files: they can be read, but never written through, as files are
    replaced and not changed.
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
        f"{below} in {folder} is a link, and none is followed in results; replace it by the file "
        "or folder that belongs there, or remove it."
    )
