"""What the machine does not let be read is not called damaged; nobody is told to delete it."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import PIL.Image
import pytest
from finished_run import enter_copy, finished_run

from onnxcert import errors
from onnxcert.results import hdf5

CERTIFY = ("certify", "model.onnx", "pictures", "--sigma", "0.2", "--n", "60", "--threads", "1")
QUICK = (*CERTIFY, "--seed", "5", "--no-pictures", "--out", "out")

TROUBLES = {
    "too many files": OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    "too many of all": OSError(errno.ENFILE, os.strerror(errno.ENFILE)),
    "no permission": PermissionError(errno.EACCES, os.strerror(errno.EACCES)),
    "a failing disk": OSError(errno.EIO, os.strerror(errno.EIO)),
    "a server that is gone": OSError(errno.ESTALE, os.strerror(errno.ESTALE)),
    "no locks": OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)),
    "no memory": MemoryError(),
    "no memory in HDF5": RuntimeError("Unable to read (memory allocation failed for chunk)"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, two pictures and their run."""
    return finished_run(tmp_path_factory.mktemp("made"), QUICK, inputs=2)


@pytest.fixture(autouse=True)
def bench(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_copy(made, tmp_path, monkeypatch)


def fail(patch: pytest.MonkeyPatch, ending: str, error: BaseException) -> None:
    """Let every reader fail on the file whose path ends so, as the machine would."""
    readers: tuple[tuple[Any, str], ...] = (
        *((hdf5.h5py, "File"), (PIL.Image, "open"), (os, "open")),
        *((Path, name) for name in ("open", "read_bytes", "read_text")),
    )
    for owner, name in readers:
        patch.setattr(owner, name, _failing(getattr(owner, name), ending, error))


def _failing(real: Any, ending: str, error: BaseException) -> Any:
    def read(path: Any, *arguments: Any, **options: Any) -> Any:
        if str(getattr(path, "name", path)).endswith(ending) or str(path).endswith(ending):
            raise error
        return real(path, *arguments, **options)

    return read


FILES = ("inputs/p1.h5", "labels/p1.png", "labels/p1.npy", "pictures/p1.png", "model.onnx")


@pytest.mark.parametrize("what", TROUBLES)
@pytest.mark.parametrize("file", [*FILES, "results.h5"])
def test_what_verify_cannot_read_it_could_not_check(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch, file: str, what: str
) -> None:
    fail(monkeypatch, file, TROUBLES[what])
    outcome = onnxcert("verify", "out")
    assert (outcome.status, outcome.err) == (2, "")
    why = os.strerror(TROUBLES[what].errno) if isinstance(TROUBLES[what], OSError) else "memory"
    said = [line for line in outcome.out.splitlines() if line.startswith("could not be checked: ")]
    assert said
    assert all(why in line for line in said)
    assert "fits" not in outcome.out
    for word in ("damaged", "delete", "differs from", "missing", "has changed since"):
        assert word not in outcome.out


@pytest.mark.parametrize("memory", [True, False])
def test_a_filter_that_fails_is_damage_only_where_there_is_memory(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch, memory: bool
) -> None:
    failed = OSError("Can't synchronously read data (filter returned failure during read)")
    fail(monkeypatch, "inputs/p1.h5", failed)
    monkeypatch.setattr(errors, "_has_memory", lambda: memory)
    outcome = onnxcert("verify", "out")
    assert outcome.status == (1 if memory else 2)
    assert ("not enough memory" in outcome.out) != memory


def test_a_run_that_cannot_be_read_is_told_as_such(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "run.json", TROUBLES["no permission"])
    outcome = onnxcert("verify", "out")
    assert outcome.status == 2
    assert "could not be checked: run.json: it could not be read (Permission denied)" in outcome.out


def test_damage_beside_trouble_is_still_damage(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out/labels/p0.png").unlink()
    fail(monkeypatch, "inputs/p1.h5", TROUBLES["no permission"])
    outcome = onnxcert("verify", "out")
    assert outcome.status == 1
    assert "p0: labels/p0.png is missing" in outcome.out
    assert "could not be checked: p1: the record could not be read (Permission d" in outcome.out
    assert outcome.out.endswith("2 records, 1 mismatch, 1 item could not be checked\n")


def test_a_given_input_that_cannot_be_read_may_be_the_one(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "pictures/p1.png", TROUBLES["a failing disk"])
    outcome = onnxcert("verify", "out", "--inputs", "pictures")
    assert outcome.status == 2
    assert "none of the given inputs" not in outcome.out


@pytest.mark.parametrize("what", TROUBLES)
@pytest.mark.parametrize("command", [QUICK, ("report", "out"), ("decide", "out"), ("pack", "out")])
def test_no_command_says_to_delete_what_it_could_not_read(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], what: str
) -> None:
    Path("out/index.jsonl").unlink()
    before = Path("out/inputs/p1.h5").read_bytes()
    with monkeypatch.context() as patch:
        fail(patch, "inputs/p1.h5", TROUBLES[what])
        outcome = onnxcert(*command, *(["all.h5"] if command[0] == "pack" else []))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1].startswith("onnxcert: out/inputs/p1.h5 could not be read (")
    assert "delete" not in outcome.err
    assert Path("out/inputs/p1.h5").read_bytes() == before


@pytest.fixture
def no_more_files() -> Iterator[None]:
    """This process may open no further file."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open(os.devnull, os.O_RDONLY)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.usefixtures("no_more_files")
def test_a_real_limit_is_told_in_one_sentence(onnxcert: Any) -> None:
    for command in (("verify", "out"), ("report", "out")):
        outcome = onnxcert(*command)
        assert (outcome.status, outcome.out) == (2, ""), command
        assert "Too many open files" in outcome.err
        assert outcome.err.count("\n") == 1


def test_a_kept_count_that_cannot_be_read_is_not_begun_again(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out/inputs/p1.h5").unlink()
    kept = Path("out/partial/p1.h5")
    with h5py.File(kept, "w") as file:
        file.attrs["count"] = 1
    before = kept.read_bytes()
    with monkeypatch.context() as patch:
        fail(patch, "partial/p1.h5", TROUBLES["a failing disk"])
        outcome = onnxcert(*QUICK)
    assert outcome.status == 2
    assert "partial/p1.h5 could not be read (Input/output error)" in outcome.err
    assert kept.read_bytes() == before
    assert onnxcert(*QUICK).status == 0, "a damaged one is counted again"


def test_too_many_open_files_are_not_blamed_on_an_input(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "pictures/p1.png", TROUBLES["too many files"])
    outcome = onnxcert(*CERTIFY, "--out", "another")
    assert outcome.status == 2
    assert "p1.png could not be read (Too many open files)" in outcome.err
