"""One process writes to a folder at a time, also where the file system has no locks."""

from __future__ import annotations

import ctypes.util
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import graphs
import pytest
import records
from drawing import write_picture

from onnxcert import ResultStore
from onnxcert.errors import StoreError

pytestmark = pytest.mark.slow

fcntl = pytest.importorskip("fcntl")

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from onnxcert import ResultStore
with ResultStore(sys.argv[1]).exclusive():
    print("held", flush=True)
    sys.stdin.read()
"""


# As NFS, Lustre and file systems in user space answer.
ANSWERS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO)


@pytest.fixture(params=ANSWERS, ids=errno.errorcode.get)
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A file system without locks, as this process sees it."""

    def flock(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)
    return int(request.param)


def owner(folder: Path) -> Path:
    return folder / ".lock-owner"


def held(folder: Path) -> str:
    with pytest.raises(StoreError) as caught, ResultStore(folder).exclusive():
        pass
    return str(caught.value)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_file_names_who_holds_the_folder(tmp_path: Path) -> None:
    with ResultStore(tmp_path).exclusive():
        assert owner(tmp_path).read_text().startswith(f"{os.getpid()}\n")
        said = held(tmp_path)
        assert f"process {os.getpid()} on host " in said
        assert f"delete {owner(tmp_path)}" in said
    assert not owner(tmp_path).exists()
    with ResultStore(tmp_path).exclusive():
        pass


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("content", ["", "\0\x1b[31m", "4242\nanother-host\n", "x" * 5000])
@pytest.mark.parametrize("locks", [True, False])
def test_an_owner_that_nobody_here_can_look_for_is_told_and_never_taken_over(
    tmp_path: Path, content: str, locks: bool, request: pytest.FixtureRequest
) -> None:
    if not locks:
        request.getfixturevalue("without_locks")
    owner(tmp_path).write_text(content)
    said = held(tmp_path)
    assert f"delete {owner(tmp_path)}" in said
    assert ("process 4242 on host another-host" in said) == ("4242" in content)
    assert said.isprintable()
    assert owner(tmp_path).read_text() == content
    owner(tmp_path).unlink()
    with ResultStore(tmp_path).exclusive():
        pass


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process whose every flock fails, also that of HDF5."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux" or ctypes.util.find_library("c") is None:
        pytest.skip("no compiler here")
    folder = tmp_path_factory.mktemp("preloaded")
    source, library = folder / "flock.c", folder / "flock.so"
    source.write_text(
        f"#include <errno.h>\nint flock(int f, int o) {{ (void)f; (void)o; errno = {errno.ENOLCK};"
        " return -1; }\n"
    )
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests"), *sys.path))
    return {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": path}


def test_an_owner_that_was_killed_is_taken_over(
    tmp_path: Path, preloaded: dict[str, str], without_locks: None
) -> None:
    assert without_locks is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=preloaded,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert f"process {holder.pid} on host " in held(tmp_path)
    holder.kill()
    holder.communicate()
    assert owner(tmp_path).exists()
    with ResultStore(tmp_path).exclusive():
        assert owner(tmp_path).read_text().startswith(f"{os.getpid()}\n")
    assert not owner(tmp_path).exists()


# What a user may have set for HDF5, which opens no file without locks then.
@pytest.mark.parametrize("asked", ["TRUE", "FALSE"])
def test_records_are_read_and_written_where_no_lock_works(
    tmp_path: Path, preloaded: dict[str, str], asked: str
) -> None:
    if asked == "FALSE":
        write_picture(tmp_path / "x.png", seed=1)
        model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
        out, flags = tmp_path / "out", ("--sigma", "0.2", "--n", "60", "--threads", "1")
        commands: tuple[tuple[Any, ...], ...] = (
            ("certify", model, tmp_path / "x.png", *flags, "--out", out),
            ("verify", out),
        )
    else:
        store = ResultStore(tmp_path / "out")
        with store.exclusive():
            store.begin({"model": "m"}, seed=0, random_seed=0)
            store.write(records.record())
        commands = (("report", tmp_path / "out"),)
    for command in commands:
        outcome = subprocess.run(
            [sys.executable, "-m", "onnxcert", *map(str, command)],
            capture_output=True,
            text=True,
            env={**preloaded, "HDF5_USE_FILE_LOCKING": asked},
        )
        assert (outcome.returncode, "Traceback" in outcome.stderr) == (0, False), outcome.stderr
    assert not owner(tmp_path / "out").exists()


@pytest.mark.parametrize("name", [".lock", ".lock-owner"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_in_the_place_of_a_lock_is_not_waited_for(
    tmp_path: Path, name: str, make: Any
) -> None:
    make(tmp_path / name)
    with pytest.raises(StoreError, match="is not a file"), ResultStore(tmp_path).exclusive():
        pass
