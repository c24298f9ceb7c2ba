"""Real processes: `--workers`, killed workers, killed drivers, Ctrl-C. Nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import graphs
import pytest
from drawing import write_pictures
from equal_runs import assert_equal_runs
from forked import Started
from waiting import LIMIT, wait_until

from onnxcert import ResultStore
from onnxcert.cli import run_command_line
from onnxcert.run.workers.processes import STOPS
from onnxcert.run.workers.ray_cluster import _check_address

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here"),
]

SETTINGS = ("--sigma", "0.2", "--seed", "7", "--no-pictures", "--batch-size", "2")
LONG = ("--n", "1500", "--checkpoint", "0.05")
SHORT = ("--n", "90", "--looks", "50,90", "--correction", "bonferroni")


class Place:
    """A model, its inputs, and the command that certifies them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        graphs.save(graphs.threshold(), folder / "model.onnx")
        write_pictures(folder / "pictures", 3, height=48, width=64)

    def arguments(self, out: Path, *extra: str) -> list[str]:
        command = ("certify", self.folder / "model.onnx", self.folder / "pictures", *SETTINGS)
        return list(map(str, (*command, "--out", out, *extra)))

    def finish(self, out: Path, *extra: str) -> Path:
        assert run_command_line(self.arguments(out, *extra)) == 0
        return out

    @contextlib.contextmanager
    def started(self, out: Path, *extra: str) -> Iterator[Started]:
        """The command in a process, and a group, of its own."""
        process = Started(self.arguments(out, *extra))
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("processes"))


@pytest.fixture(scope="module")
def whole(place: Place) -> Path:
    """What one process makes of the long run."""
    return place.finish(place.folder / "whole", *LONG, "--threads", "1")


def workers_of(driver: int) -> list[int]:
    """The processes that run a model for a driver."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_bytes()
            if parent == driver and b"spawn_main" in command:
                found.append(int(path.parent.name))
    return sorted(found)


def heeds_no(process: int, numbers: Iterable[int]) -> bool:
    """Whether it ignores or blocks signals."""
    status = Path(f"/proc/{process}/status").read_text()
    masks = [int(re.findall(rf"{name}:\s*(\w+)", status)[0], 16) for name in ("SigIgn", "SigBlk")]
    return all((masks[0] | masks[1]) >> (number - 1) & 1 for number in numbers)


def assert_gone(processes: list[int]) -> None:
    wait_until(lambda: not any(Path(f"/proc/{process}").exists() for process in processes))


def first_count(out: Path, process: Started) -> list[int]:
    """Wait until a count is kept and both workers are there; return these."""
    wait_until(lambda: any((out / "partial").glob("[!.]*.h5")), process)
    wait_until(lambda: len(workers_of(process.pid)) == 2, process)
    return workers_of(process.pid)


def test_two_processes_give_the_result_of_one(place: Place, tmp_path: Path) -> None:
    threads = ("--threads", "1", "--nonrobust", str(place.folder / "model.onnx"))
    one = place.finish(tmp_path / "one", *SHORT, *threads)
    two = place.finish(tmp_path / "two", *SHORT, *threads, "--workers", "2")
    assert_equal_runs(one, two)
    assert run_command_line(["verify", str(two)]) == 0
    for record in ResultStore(two).records():
        assert record.provenance.environment["workers"] == "2 processes"
        assert record.provenance.environment["threads"] == 1
    assert not workers_of(os.getpid())


def test_a_killed_worker_is_replaced_and_nothing_is_lost(
    place: Place, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with place.started(out, *LONG, "--workers", "2") as process:
        before = first_count(out, process)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: set(workers_of(process.pid)) - set(before), process)
        _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, stderr
    assert_equal_runs(out, whole)


def test_a_killed_driver_takes_its_workers_along_and_is_gone_on_with(
    place: Place, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with place.started(out, *LONG, "--workers", "2") as process:
        workers = first_count(out, process)
        process.kill()
    assert_gone(workers)
    assert any((out / "partial").glob("[!.]*.h5"))
    place.finish(out, *LONG, "--workers", "2")
    assert_equal_runs(out, whole)


def test_ctrl_c_reaches_the_driver_alone(place: Place, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for number in (signal.SIGINT, signal.SIGHUP):
        with place.started(out, *LONG, "--workers", "2") as process:
            workers = first_count(out, process)
            assert all(heeds_no(worker, STOPS) for worker in workers)
            os.killpg(process.pid, number)  # as a terminal does, and one that is closed
            stdout, stderr = process.communicate(timeout=LIMIT)
        assert process.returncode == 128 + number
        assert stdout == b""
        said = stderr.decode().splitlines()
        assert sum("interrupted; finished work is saved" in line for line in said) == 1
        assert "Traceback" not in stderr.decode()
        assert_gone(workers)
    place.finish(out, *LONG, "--threads", "1")
    assert_equal_runs(out, whole)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (("--workers", "2000"), "--workers must be from 0 "),
        (("--workers", "-1"), "--workers must be from 0 "),
        (("--workers", "2", "--device", "cuda:1"), "names a single one; use --device cuda"),
    ],
)
def test_what_makes_no_sense_is_refused(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], said: str
) -> None:
    assert run_command_line(place.arguments(tmp_path / "out", *SHORT, *extra)) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_ray_one_sentence_says_what_to_install(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run_command_line(place.arguments(tmp_path / "out", *SHORT, "--ray")) == 2
    said = capsys.readouterr().err
    assert said == "onnxcert: Ray is not installed; install onnxcert[ray], or use --workers.\n"
    assert not (tmp_path / "out").exists()


def test_the_limit_of_an_answer_starts_when_ray_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray.py").write_text(
        "import pathlib, time\ntime.sleep(0.3)\n"
        "pathlib.Path(__file__).with_name('imported').touch()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    wait = subprocess.Popen.communicate
    limits = []

    def communicate(
        self: subprocess.Popen[str], *more: Any, timeout: float | None = None
    ) -> tuple[str, str]:
        limits.append(timeout)
        assert (tmp_path / "imported").exists()
        return wait(self, *more)

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        _check_address(f"127.0.0.1:{server.getsockname()[1]}")
    assert limits == [10.0]


@pytest.mark.parametrize("listens", [False, True])
def test_an_address_where_nobody_listens_or_no_ray_is_refused_before_ray_is_asked(
    place: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    listens: bool,
) -> None:
    """Ray itself tries for minutes, and nothing interrupts it."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray itself was asked"))
    monkeypatch.setattr("onnxcert.run.workers.ray_cluster._ANSWER_TIMEOUT", 2.0)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound: nobody else gets the port
        if listens:
            unheard.listen()
        address = f"127.0.0.1:{unheard.getsockname()[1]}"
        arguments = place.arguments(tmp_path / "out", *SHORT, "--ray-address", address)
        assert run_command_line(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"onnxcert: no Ray cluster could be reached at {address} (")
    assert not listens or "gave no answer of Ray" in said
    assert said.count("\n") == 1
