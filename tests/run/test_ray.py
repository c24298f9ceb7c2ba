"""A real Ray of this machine with two workers."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import graphs
import pytest
from drawing import write_pictures
from equal_runs import assert_equal_runs
from waiting import LIMIT, wait_until

from onnxcert import ResultStore
from onnxcert.cli import run_command_line

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="Ray is not installed: pip install onnxcert[ray]",
    ),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here"),
    # One Ray for all of them, however many processes run tests.
    pytest.mark.xdist_group("ray"),
]

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join((str(ROOT), *sys.path)),
    "RAY_AUTH_MODE": "token",  # a Ray of our own, which nobody else can join
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
SETTINGS = ("--sigma", "0.2", "--seed", "7", "--no-pictures", "--batch-size", "2")
LOOKS = ("--n", "90", "--looks", "50,90", "--correction", "bonferroni")
LONG = ("--n", "1500", "--checkpoint", "0.05")

# Ray in a process of its own, which ends it when its standard input is closed.
HEAD = """
import logging, sys, ray
options = dict(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
print(ray.init(address="local", num_cpus=2, **options).address_info["address"], flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Place:
    """A model, its inputs, and a Ray of two cores that other processes can join."""

    folder: Path
    head: int
    address: str

    def arguments(self, out: Path, *extra: str) -> list[str]:
        command = ("certify", self.folder / "model.onnx", self.folder / "pictures", *SETTINGS)
        return list(map(str, (*command, "--threads", "1", "--out", out, *extra)))

    @contextlib.contextmanager
    def started(self, out: Path, *extra: str) -> Iterator[subprocess.Popen[bytes]]:
        """The command on Ray, in a process of its own."""
        arguments = self.arguments(out, *extra, "--ray-address", self.address)
        process = subprocess.Popen(
            [sys.executable, "-m", "onnxcert", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def finish(self, out: Path, *extra: str) -> Path:
        with self.started(out, *extra) as process:
            _, stderr = process.communicate(timeout=LIMIT)
        assert process.returncode == 0, stderr
        assert b"Traceback" not in stderr
        return out

    def alone(self, out: Path, *extra: str) -> Path:
        assert run_command_line(self.arguments(out, *extra)) == 0
        return out

    def workers(self) -> list[int]:
        """The processes in which models run."""
        parents, named = {}, []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                stat = (path / "stat").read_text()
                parents[int(path.name)] = int(stat.rpartition(")")[2].split()[1])
                if b"ray::Worker" in (path / "cmdline").read_bytes():
                    named.append(int(path.name))
        return [process for process in named if parents.get(parents[process]) == self.head]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("ray")
    graphs.save(graphs.threshold(), folder / "model.onnx")
    write_pictures(folder / "pictures", 3, height=48, width=64)
    with subprocess.Popen(
        [sys.executable, "-c", HEAD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    ) as head:
        assert head.stdout is not None
        yield Place(folder, head.pid, head.stdout.readline().decode().strip())


@pytest.fixture(scope="module")
def whole(place: Place) -> Path:
    """What one process makes of the long run."""
    return place.alone(place.folder / "whole", *LONG)


def kept(out: Path) -> list[int]:
    """When each count under way was kept."""
    with contextlib.suppress(FileNotFoundError):  # its input was finished meanwhile
        return [path.stat().st_mtime_ns for path in (out / "partial").glob("[!.]*.h5")]
    return []


def test_two_ray_workers_give_the_result_of_one_process(place: Place, tmp_path: Path) -> None:
    one = place.alone(tmp_path / "one", *LOOKS)
    two = place.finish(tmp_path / "two", *LOOKS, "--ray")
    assert_equal_runs(one, two)
    for record in ResultStore(two).records():
        assert record.provenance.environment["workers"] == "2 Ray workers"


def test_a_killed_ray_worker_is_replaced_and_nothing_is_lost(
    place: Place, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with place.started(out, *LONG) as process:
        wait_until(lambda: kept(out), process)
        # On a busy machine the second worker may come late; one that is killed is enough.
        workers = place.workers()
        assert workers
        os.kill(workers[0], signal.SIGKILL)
        _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, stderr
    assert b"Traceback" not in stderr
    assert_equal_runs(out, whole)


def test_a_killed_driver_on_ray_is_gone_on_with(place: Place, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with place.started(out, *LONG) as process:
        wait_until(lambda: kept(out), process)
        process.send_signal(signal.SIGTERM)  # which Ray would end it at once by
        _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + signal.SIGTERM, stderr
    assert b"interrupted; finished work is saved" in stderr
    before = kept(out)
    with place.started(out, *LONG) as process:
        wait_until(lambda: kept(out) not in ([], before), process)
        process.kill()
    assert kept(out)
    place.finish(out, *LONG, "--workers", "2")
    assert_equal_runs(out, whole)


def test_more_workers_than_there_is_room_for_are_refused(place: Place, tmp_path: Path) -> None:
    with place.started(tmp_path / "out", "--workers", "5") as process:
        _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 2
    assert b"2 cores, enough for 2 workers" in stderr
    assert stderr.count(b"\n") == 1
    assert not (tmp_path / "out").exists()
