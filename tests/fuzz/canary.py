"""What lies around an edited store and must stay as it is, and must not get into any result."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from onnxcert.results.fingerprint import fingerprint
from onnxcert.results.hdf5 import put

TOKEN = b"0nly-outside-7f3a"
# What a name that leads to `victim`, or a link to the folder, would have written or removed.
SUFFIXES = (".h5", ".npy", ".png", ".csv")


class Outside(Exception):
    """Something outside was changed, or copied in."""


def plant(folder: Path, record: Path, run: Path) -> None:
    """Files in and below `folder` that nobody may touch.

    Args:
        record: a valid one; a copy that holds the token, and fits its digest, lies outside.
        run: a valid run.json.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "inner").mkdir(parents=True)
    (folder / "secret.txt").write_bytes(b"password " + TOKEN + b"\n")
    (folder / "secret.bin").write_bytes(TOKEN * 500)
    (folder / "run.json").write_text(run.read_text().replace("{", f'{{"note": "{TOKEN!r}", ', 1))
    shutil.copy(record, folder / "secret.h5")
    with h5py.File(folder / "secret.h5", "r+") as file:
        put(file, "note", TOKEN.decode())
        put(file, "sha256", fingerprint(file))
    for name in ("victim", record.stem, f".{record.stem}.npy", "000-no"):
        for suffix in (*SUFFIXES, ".tmp"):
            for where in (folder, folder / "inner"):
                shutil.copy(folder / "secret.h5", where / f"{name}{suffix}")


def seen(folder: Path, *, but: tuple[Path, ...]) -> dict[str, str]:
    """Each path below `folder` with what it is, except below those of `but`."""
    return {str(path): _what(path) for path in _below(folder) if not _in(path, but)}


def refuse_changes(before: dict[str, str], after: dict[str, str]) -> None:
    """Raise Outside if anything was changed, made or removed."""
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            was, now = (one.get(path, "nothing").split()[0] for one in (before, after))
            raise Outside(f"changed outside: {was} to {now} at {Path(path).name}")


def copies(*paths: Path) -> list[Path]:
    """Files at or below `paths` that hold the token, packed or not."""
    files = (file for path in paths for file in (path, *_below(path)))
    return [
        file
        for file in files
        if not file.is_symlink()
        and file.is_file()
        and any(TOKEN in content for content in _contents(file))
    ]


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        yield from (Path(where, name) for name in (*folders, *files))


def _in(path: Path, those: tuple[Path, ...]) -> bool:
    return any(path == one or one in path.parents for one in those)


def _what(path: Path) -> str:
    found = path.lstat()
    kind = stat.filemode(found.st_mode)
    if stat.S_ISLNK(found.st_mode):
        return f"{kind} {path.readlink()}"
    if stat.S_ISREG(found.st_mode):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return f"{kind} {found.st_mtime_ns} {digest}"
    return kind


def _contents(file: Path) -> Iterator[bytes]:
    yield file.read_bytes()
    try:
        if file.suffix == ".h5":
            with h5py.File(file, "r") as opened:
                yield from _arrays(opened, 0)
        elif file.suffix == ".png":
            with Image.open(file) as image:
                yield image.tobytes()
    except Exception:  # damaged, as an edited store may be
        return


def _arrays(group: h5py.Group, depth: int) -> Iterator[bytes]:
    """The values that lie in the file itself."""
    for name in group:
        if depth > 4 or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        node = group[name]
        if isinstance(node, h5py.Group):
            yield from _arrays(node, depth + 1)
        elif not node.is_virtual and node.external is None and node.dtype.kind != "O":
            yield np.asarray(node[...]).tobytes()
