"""Files are complete under their name or not there, alone and together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onnxcert.errors import StoreError
from onnxcert.files.atomic import TEMPORARY_PATTERN, sync_together, write_atomically


def put(path: Path, text: str = "new") -> None:
    write_atomically(path, lambda p: _write(p, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def left_over(folder: Path) -> list[Path]:
    return list(folder.rglob(TEMPORARY_PATTERN))


class Disk:
    """Notes, in their order, what is put on disk and what gets its name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[tuple[str, str]] = []
        opened: dict[int, str] = {}
        really_open, really_sync, really_replace = os.open, os.fsync, Path.replace

        def open_(path: Path, flags: int, *more: int) -> int:
            descriptor = really_open(path, flags, *more)
            opened[descriptor] = Path(path).name
            return descriptor

        def sync(descriptor: int) -> None:
            really_sync(descriptor)
            self.done.append(("on disk", opened[descriptor]))

        def replace(path: Path, target: Path) -> Path:
            self.done.append(("named", target.name))
            return really_replace(path, target)

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "fsync", sync)
        monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be synchronised")
@pytest.mark.parametrize("count", [1, 3, 12])
def test_each_file_is_on_disk_before_it_has_its_name_and_the_folders_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    disk = Disk(monkeypatch)
    with sync_together():
        for i in range(count):
            put(folders[i % 2] / f"{i}")
        assert not disk.done
    names = [f"{i}" for i in range(count)]
    assert {name for what, name in disk.done[:count]} == {f".{name}.tmp" for name in names}
    assert disk.done[count : 2 * count] == [("named", name) for name in names]
    used = {"a", "b"} if count > 1 else {"a"}
    assert set(disk.done[2 * count :]) == {("on disk", name) for name in used}
    assert len(disk.done) == 2 * count + len(used)


def test_nothing_has_its_name_until_the_block_has_ended(tmp_path: Path) -> None:
    put(tmp_path / "old", "before")
    with sync_together():
        put(tmp_path / "old", "after")
        with sync_together():
            put(tmp_path / "new")
        assert (tmp_path / "old").read_text() == "before"
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "old").read_text() == "after"
    assert (tmp_path / "new").read_text() == "new"
    assert not left_over(tmp_path)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, error: type[BaseException]
) -> None:
    put(tmp_path / "old", "before")

    def block() -> None:
        with sync_together():
            put(tmp_path / "old", "after")
            put(tmp_path / "new")
            raise error

    with pytest.raises(error):
        block()
    assert (tmp_path / "old").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    put(tmp_path / "old", "alone again")
    assert (tmp_path / "old").read_text() == "alone again"


def test_a_file_that_could_not_be_written_is_not_named_with_the_others(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with sync_together():
        put(tmp_path / "whole")
        with pytest.raises(StoreError, match=r"half.txt cannot be written \(No space left"):
            write_atomically(tmp_path / "half.txt", half)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_a_disk_that_fails_late_names_the_file_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    def block() -> None:
        with sync_together():
            put(tmp_path / "one")
            put(tmp_path / "two")

    with pytest.raises(StoreError, match="cannot be written"):
        block()
    assert not list(tmp_path.iterdir())
