"""A disk that is full, or a limit on files, ends a command in one sentence; the next one goes on.

The limit is on the size of a file (RLIMIT_FSIZE), so that every byte of it can be the last one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import graphs
import pytest
from drawing import write_pictures
from equal_runs import assert_equal_runs

from onnxcert import ResultStore
from onnxcert.errors import StoreError
from onnxcert.files.atomic import TEMPORARY_PATTERN
from onnxcert.results.fingerprint import fingerprint

resource = pytest.importorskip("resource")

ROOT = Path(__file__).parents[2]
# Every byte with ONNXCERT_DISK_FULL=1; a minute.
STEP = int(os.environ.get("ONNXCERT_DISK_FULL", "113"))
TOO_LARGE = (
    "cannot be written (File too large); fix that and run the same command again; results already "
    "saved are intact."
)
INPUTS = 2
SETTINGS = ("--sigma", "0.2", "--n", "120", "--seed", "1", "--threads", "1", "--batch-size", "1")
SWEEP = """
import resource, sys
from pathlib import Path
import records
from onnxcert import ResultStore
from onnxcert.errors import StoreError

folder, step = Path(sys.argv[1]), int(sys.argv[2])
record, store = records.record(shape=(2, 2)), ResultStore(folder)
with store.exclusive():
    store.write(record)
path = folder / "inputs" / "x.h5"
whole = path.read_bytes()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for limit in (*range(0, len(whole), step), len(whole) - 1, len(whole)):
    path.unlink()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        store.write(record)
        assert limit == len(whole), limit
        assert path.read_bytes() == whole
    except StoreError as error:
        assert limit < len(whole), limit
        assert str(error).startswith(f"{path} cannot be written (File too large); ")
        assert not list(path.parent.iterdir())
        path.touch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print("done")
"""


def python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own, as what HDF5 cannot write may end it, even at its end."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests"), *sys.path))
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )


@pytest.mark.slow
def test_a_record_is_written_whole_or_not_at_all_whatever_byte_is_the_last(tmp_path: Path) -> None:
    outcome = python(SWEEP, tmp_path, STEP)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "done\n", "")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, pictures and a run that nobody disturbed, in `whole`."""
    folder = tmp_path_factory.mktemp("full")
    graphs.save(graphs.threshold(), folder / "model.onnx")
    write_pictures(folder / "in", INPUTS)
    return folder


@pytest.fixture
def certify(place: Path, onnxcert: Any) -> Callable[..., Any]:
    def run(out: Path, *flags: object) -> Any:
        return onnxcert(
            "certify", place / "model.onnx", place / "in", *SETTINGS, "--out", out, *flags
        )

    if not (place / "whole").exists():
        assert run(place / "whole", "--radius-map").status == 0
    return run


# In the order of a run: run.json, results.h5, a checkpoint, a record.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "flags"), [(700, ()), (1500, ()), (4000, ("--checkpoint", 1e-9)), (9000, ())]
)
def test_a_run_that_cannot_write_says_so_and_goes_on_later(
    place: Path, tmp_path: Path, certify: Any, limit: int, flags: tuple[object, ...]
) -> None:
    out = tmp_path / "out"
    with largest_file(limit):
        outcome = certify(out, "--radius-map", *flags)
    assert outcome.status == 2
    said = [line for line in outcome.err.splitlines() if line.startswith("onnxcert:")]
    assert len(said) == 1
    assert said[0].endswith(TOO_LARGE)
    assert ("partial" in said[0]) == bool(flags)
    assert not list(out.rglob(".*.tmp"))
    assert not ResultStore(out).names()
    assert certify(out, "--radius-map").status == 0
    assert_equal_runs(out, place / "whole")


@pytest.mark.slow
def test_figures_that_cannot_be_written_cost_no_certificate(
    place: Path, tmp_path: Path, certify: Any
) -> None:
    out, whole = tmp_path / "out", ResultStore(place / "whole")
    largest_record = max(path.stat().st_size for path in (whole.folder / "inputs").iterdir())
    with largest_file(largest_record + 100):
        outcome = certify(out, "--radius-map")
    assert outcome.status == 0
    assert outcome.err.count(f"{INPUTS + 1} figures") == 1
    assert outcome.err.count("File too large") == 1
    assert not list((out / "pictures").iterdir())
    for name in whole.names():
        with whole.group(name) as one, ResultStore(out).group(name) as other:
            assert fingerprint(one, without=frozenset({"date"})) == fingerprint(
                other, without=frozenset({"date"})
            )
    assert certify(out, "--radius-map").status == 0
    assert_equal_runs(out, place / "whole")


def test_a_picture_that_leaves_no_room_gives_way_to_its_record(
    tmp_path: Path, certify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = ResultStore.write

    def full(store: ResultStore, record: Any, *, beside: Any) -> None:
        def fill() -> None:
            beside()
            if list((store.folder / "pictures").glob(TEMPORARY_PATTERN)):
                raise StoreError("x.h5 cannot be written (No space left on device).")

        written(store, record, beside=fill)

    monkeypatch.setattr(ResultStore, "write", full)
    outcome = certify(tmp_path / "out")
    assert outcome.status == 0
    assert "could not be drawn" in outcome.err
    assert ResultStore(tmp_path / "out").names() == ["p0", "p1"]
    assert not list((tmp_path / "out" / "pictures").iterdir())


def test_a_figure_that_cannot_be_drawn_costs_no_certificate(
    place: Path, tmp_path: Path, certify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: Exception) -> Callable[..., None]:
        def draw(*_: object, **__: object) -> None:
            raise error

        return draw

    monkeypatch.setattr("onnxcert.run.modality.draw_record", fail(ValueError("no such letter")))
    monkeypatch.setattr("onnxcert.report.figures.curve._write_picture", fail(MemoryError()))
    out = tmp_path / "out"
    outcome = certify(out, "--radius-map")
    assert outcome.status == 0
    assert outcome.err.splitlines()[-1] == (
        f"onnxcert: {INPUTS + 1} figures, the first of them the picture of p0, could not be drawn "
        "(no such letter); no certificate is lost, and the same command draws them later."
    )
    monkeypatch.undo()
    # Those missing are drawn with the next command, and nothing runs again.
    again = certify(out, "--radius-map", "--json")
    assert again.json["seconds"]["forward"] == 0
    assert_equal_runs(out, place / "whole")


NOWHERE = """
import sys, tempfile
if sys.argv.pop(1) == "no":
    def nowhere():
        raise FileNotFoundError(2, "No usable temporary directory found")
    tempfile._get_default_tempdir = nowhere
from onnxcert.__main__ import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("temporary", ["yes", "no"])
def test_nothing_but_the_result_folder_needs_to_be_writable(
    place: Path, tmp_path: Path, certify: Any, temporary: str
) -> None:
    assert certify is not None
    out, nowhere = tmp_path / "out", "/dev/null/nowhere"
    (tmp_path / "tmp").mkdir()
    outcome = python(
        NOWHERE,
        temporary,
        *("certify", place / "model.onnx", place / "in", *SETTINGS, "--radius-map", "--json"),
        *("--out", out),
        HOME=nowhere,
        XDG_CACHE_HOME=nowhere,
        XDG_CONFIG_HOME=nowhere,
        MPLCONFIGDIR="",
        TMPDIR=str(tmp_path / "tmp"),
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "atplotlib" not in outcome.stderr
    assert "onnxcert:" not in outcome.stderr
    assert_equal_runs(out, place / "whole")
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize(
    ("command", "limit"),
    [
        *(("pack", 1000), ("pack", 25_000), ("merge", 500), ("merge", 5000), ("decide", 900)),
        ("inspect", 100),
    ],
)
def test_other_commands_that_cannot_write_say_so(
    place: Path, tmp_path: Path, onnxcert: Any, certify: Any, command: str, limit: int
) -> None:
    assert certify is not None
    target, whole = tmp_path / "target", place / "whole"
    arguments = {
        "pack": (whole, target),
        "merge": (target, whole),
        "decide": (whole, "--out", target),
        "inspect": (place / "model.onnx", "--write", target),
    }[command]
    with largest_file(limit):
        outcome = onnxcert(command, *arguments)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert outcome.err.endswith(f"{TOO_LARGE}\n")
    assert not list(tmp_path.rglob("*.tmp"))
    assert target.is_dir() or not target.exists()
    if command != "decide":  # whose folder must be new
        assert onnxcert(command, *arguments).status == 0
        assert ResultStore(whole).names() == [f"p{i}" for i in range(INPUTS)]


@pytest.mark.parametrize("sub", ["inputs", "labels", "pictures", "results.h5"])
def test_what_lies_in_the_way_is_named(tmp_path: Path, certify: Any, sub: str) -> None:
    assert certify(tmp_path).status == 0
    for path in sorted(tmp_path.glob(f"{sub}/**/*"), reverse=True):
        path.unlink()
    if sub == "results.h5":
        (tmp_path / sub).unlink()
        (tmp_path / sub).mkdir()
        (tmp_path / sub / "mine").touch()
    else:
        (tmp_path / sub).rmdir()
        (tmp_path / sub).touch()
    outcome = certify(tmp_path)
    assert outcome.status == (0 if sub == "pictures" else 2)
    assert str(tmp_path) in outcome.err.splitlines()[-1]
    assert outcome.err.splitlines()[-1].startswith("onnxcert: ")
    assert "damaged" not in outcome.err  # the records are not
