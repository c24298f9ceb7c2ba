"""A read of anything but a regular file of bounded size is refused, and leaves nothing open."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from onnxcert.files.regular import UnsuitableFileError, check_regular_file, read_regular_file


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def put_ten_bytes(path: Path) -> None:
    path.write_bytes(bytes(10))


REFUSED: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "socket": make_socket,
    "too large": put_ten_bytes,
    "missing": lambda _path: None,
}


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(params=REFUSED)
def refused(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    make: Callable[[Path], object] = REFUSED[request.param]
    monkeypatch.chdir(tmp_path)  # the name of a socket has at most 107 bytes
    make(Path("it"))
    return Path("it")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are not listed here")
def test_what_is_refused_is_closed(refused: Path) -> None:
    before = open_descriptors()
    for _ in range(3):
        with pytest.raises(OSError):
            read_regular_file(refused, limit=9)
    assert open_descriptors() == before


def test_the_check_refuses_what_the_read_refuses(refused: Path) -> None:
    with pytest.raises(OSError):
        check_regular_file(refused, limit=9)


def test_a_file_of_the_largest_size_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "whole"
    put_ten_bytes(path)
    check_regular_file(path, limit=10)
    assert read_regular_file(path, limit=10) == bytes(10)
    with pytest.raises(UnsuitableFileError, match="10 bytes, more than the limit of 9"):
        read_regular_file(path, limit=9)
