"""The index of a results folder, which saves opening finished records again.

    index.jsonl     one line per record: digest of the line, name, outline; separated by tabs

A line is valid only if it matches its own digest and the file of the record has not changed since
the line was written; the file is hashed at every use. Without a valid line the record itself is
read, so the index can be deleted. Lines are appended as records are written; the last line of a
name is used.

The digest of a line is not a signature: somebody can edit a line and renew its digest. `verify`
finds this, because it reads every record and compares it with the index.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, final

from onnxcert.errors import StoreError
from onnxcert.files.atomic import write_atomically
from onnxcert.results.encoding import read_record
from onnxcert.results.fingerprint import Row, build_outline
from onnxcert.results.hdf5 import get_array, open_hdf5, report_damage
from onnxcert.results.record import Record

INDEX: Final = "index.jsonl"
_VERSION: Final = 1
_LONGEST: Final = 2**26  # bytes of a line


@final
class Index:
    """The index of one folder, read at its first use.

    Args:
        path: path of the index file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, tuple[int, int]] | None = None  # name -> offset, length
        self._needs_rewrite = False

    def record(self, name: str, path: Path) -> Record | None:
        """Return the record of the file `path` from the index, or None without a valid line."""
        row = self._find_valid_row(name, path)
        if row is None:
            return None

        def read(where: str) -> Any:
            with open_hdf5(path) as file:
                return get_array(file, where[1:])[...]

        with suppress(StoreError), report_damage(path):
            return read_record(build_outline(row.outline, str(path), read))
        return None

    def find_mismatch(self, name: str, path: Path, row: Row) -> str:
        """Describe how the line of `name` contradicts `row` of the file `path`; empty if not."""
        if name in self._lines() and self._read_row(name) is None:
            return f"its line in {self._path.name} has changed since it was written"
        indexed = self._find_valid_row(name, path)
        if indexed is not None and _to_json(indexed) != _to_json(row):
            return f"its line in {self._path.name} differs from the record"
        return ""

    def add(self, name: str, path: Path, row: Row) -> None:
        """Append a line for the record in the file `path`; ignore write errors."""
        lines = self._lines()
        if not _is_regular(self._path):
            return
        with suppress(OSError):
            size, digest = path.stat().st_size, _sha256(path)
            values = [_VERSION, size, digest, row.digest, row.outline]
            content = f"{json.dumps(name)}\t{json.dumps(values)}\n".encode()
            line = hashlib.sha256(content).hexdigest().encode() + b"\t" + content
            with self._path.open("ab") as file:
                self._needs_rewrite = self._needs_rewrite or name in lines
                lines[name] = file.tell(), len(line)
                file.write(line)

    def reload(self) -> None:
        """Discard what was read, and cut off the incomplete last line of a killed process.

        Call this only while holding the lock of the folder.
        """
        self._places = None
        with suppress(OSError):
            if not _is_regular(self._path):
                return
            if self._path.stat().st_nlink > 1:  # hard-linked copy; do not change the original
                self._path.unlink()
                return
            with self._path.open("r+b") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - 1))
                if file.read() in (b"", b"\n"):
                    return
                file.seek(max(0, end - _LONGEST))
                tail = file.read()
                file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)

    def tidy(self, names: Iterable[str]) -> None:
        """Rewrite the file with one line for each of `names`, if it holds other lines.

        Raises:
            StoreError: the file cannot be written.
        """
        lines = self._lines()
        kept = [name for name in names if name in lines]
        if not self._needs_rewrite and len(kept) == len(lines):
            return
        with suppress(FileNotFoundError), self._path.open("rb") as before:

            def write(path: Path) -> None:
                with path.open("wb") as file:
                    for name in kept:
                        file.write(_read_at(before.fileno(), *lines[name]))

            write_atomically(self._path, write)
        self._places = None

    def _find_valid_row(self, name: str, path: Path) -> Row | None:
        content = self._read_row(name)
        if content is None:
            return None
        row, size, digest = content
        return row if _is_unchanged(path, size, digest) else None

    def _lines(self) -> dict[str, tuple[int, int]]:
        """Return name -> (offset, length) of its last line."""
        if self._places is None:
            self._places, self._needs_rewrite = {}, False
            for name, place in _lines_in(self._path):
                self._needs_rewrite = self._needs_rewrite or not name or name in self._places
                if name:
                    self._places[name] = place
        return self._places

    def _read_row(self, name: str) -> tuple[Row, int, str] | None:
        """Return the row of `name`, and the size and digest of the file that it describes."""
        place = self._lines().get(name)
        if place is None:
            return None
        try:
            with self._path.open("rb") as file:
                digest, content = _read_at(file.fileno(), *place).split(b"\t", 1)
            if hashlib.sha256(content).hexdigest().encode() != digest:
                return None
            version, size, of_file, of_record, outline = json.loads(content.split(b"\t", 1)[1])
        except (OSError, ValueError, RecursionError):
            return None
        return (Row(of_record, outline), size, of_file) if version == _VERSION else None


def _to_json(row: Row) -> str:
    return json.dumps([row.digest, row.outline])


def _lines_in(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield (name, place) of each complete line of an index; the name is empty if it is invalid."""
    with suppress(OSError):
        if not _is_regular(path):
            return
        with path.open("rb") as file:
            offset = 0
            while (line := file.readline(_LONGEST)).endswith(b"\n"):
                name = ""
                with suppress(ValueError, RecursionError):
                    _, quoted, _ = line.split(b"\t", 2)
                    name = str(json.loads(quoted))
                yield name, (offset, len(line))
                offset += len(line)


def _is_regular(path: Path) -> bool:
    """Return whether `path` is missing or a regular file (not a pipe or a link)."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _read_at(descriptor: int, offset: int, length: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def _is_unchanged(path: Path, size: int, digest: str) -> bool:
    """Return whether `path` is a regular file with this size and digest."""
    try:
        known = path.lstat()
        return stat.S_ISREG(known.st_mode) and known.st_size == size and _sha256(path) == digest
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
