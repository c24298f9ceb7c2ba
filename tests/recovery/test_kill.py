"""A run that is killed at any moment loses nothing that was finished, shows nothing half-written,
and ends, when it is started again, in exactly the result of a run that nobody disturbed.

A file's final name is the mark of its being finished. That is what is tested: real processes are
killed with SIGKILL, at random moments and at each step of writing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest
from drawing import write_picture
from equal_runs import whatever_the_batches
from PIL import Image

from onnxcert import ResultStore
from onnxcert.cli import run_command_line
from onnxcert.store import Record

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")

ROOT = Path(__file__).parents[2]
INPUTS = 6
KILLS = 20
SETTINGS = (
    *("--sigma", "0.2", "--n", "300", "--n0", "20", "--threads", "1", "--batch-size", "1"),
    *("--checkpoint", "0.05", "--json"),
)
SEED = ("--seed", "7")
ARRAYS = ("candidate", "hits", "labels", "single", "clean")


def heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Workplace:
    """A model, its inputs, and the command that certifies them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = graphs.save(graphs.threshold(), folder / "model.onnx")
        self.pictures = folder / "pictures"
        self.pictures.mkdir()
        for i in range(INPUTS):
            write_picture(self.pictures / f"p{i}.png", seed=i, height=48, width=64)

    def arguments(self, out: Path, *extra: object) -> list[str]:
        return list(
            map(str, ("certify", self.model, self.pictures, *SETTINGS, "--out", out, *extra))
        )

    def start(
        self, out: Path, *extra: object, program: Sequence[str] = ("-m", "onnxcert")
    ) -> subprocess.Popen[bytes]:
        """The command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, *program, *self.arguments(out, *extra)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *sys.path))},
            # A shell starts what runs in the background with Ctrl-C ignored.
            preexec_fn=heed_interrupts,
        )

    def finish(self, out: Path, *extra: object) -> dict[str, Any]:
        """The command undisturbed, in this process, as it starts sooner; returns its JSON."""
        if "--seed" not in extra and not (out / "run.json").exists():
            extra = (*extra, *SEED)  # it was killed before the seed was stored
        stdout = io.StringIO()
        with redirect_stdout(stdout):
            assert run_command_line(self.arguments(out, *extra)) == 0
        result = json.loads(stdout.getvalue())
        assert isinstance(result, dict)
        return result


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return Workplace(tmp_path_factory.mktemp("recovery"))


@pytest.fixture(scope="module")
def undisturbed(workplace: Workplace) -> Path:
    """The result of a run that nobody disturbed."""
    out = workplace.folder / "undisturbed"
    workplace.finish(out, *SEED)
    return out


def assert_nothing_half_written(out: Path) -> set[str]:
    """Every file under a final name is complete; returns the inputs that are finished."""
    for path in out.rglob("*"):
        if not path.is_file() or path.name.startswith("."):
            continue
        match path.suffix:
            case ".h5":
                with h5py.File(path, "r") as file:
                    file.visititems(lambda _, item: item[...] if hasattr(item, "shape") else None)
            case ".json":
                assert json.loads(path.read_text())["encoding-type"] == "onnxcert-run"
            case ".jsonl":  # only the end of the last line may be lacking
                for line in path.read_bytes().split(b"\n")[:-1]:
                    digest, told = line.split(b"\t", 1)
                    assert hashlib.sha256(told + b"\n").hexdigest().encode() == digest
            case ".npy":
                assert np.load(path).shape == (48, 64)
            case ".png":
                with Image.open(path) as picture:
                    picture.load()
            case _:
                raise AssertionError(f"{path} is no file of a run")
    store = ResultStore(out)
    for name in store.names():
        record = store.read(name)
        certificate = record.certificate()
        assert np.array_equal(certificate.labels, record.labels[...])
        # The files for people were there before the record was.
        assert (out / "labels" / f"{name}.npy").exists()
        assert (out / "labels" / f"{name}.png").exists()
    return set(store.names())


def assert_same_results(a: Path, b: Path) -> None:
    assert ResultStore(a).names() == ResultStore(b).names() == [f"p{i}" for i in range(INPUTS)]
    for one, other in zip(ResultStore(a).records(), ResultStore(b).records(), strict=True):
        assert_same_record(one, other)
    for path in (a / "labels").iterdir():
        assert path.read_bytes() == (b / "labels" / path.name).read_bytes()
    assert not list((a / "partial").iterdir())
    assert not [path for path in a.rglob(".*") if path.name != ".lock"]


def assert_same_record(one: Record, other: Record) -> None:
    for name in ARRAYS:
        assert np.array_equal(getattr(one, name)[...], getattr(other, name)[...]), name
    assert whatever_the_batches(one.decision) == whatever_the_batches(other.decision)
    assert (one.nonfinite, one.draws) == (other.nonfinite, other.draws)


def holds_the_folder(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has come as far as its result folder (told by Linux alone)."""
    try:
        return any(
            link.readlink().name == ".lock" for link in Path(f"/proc/{process.pid}/fd").iterdir()
        )
    except OSError:
        return False


def kill_after(process: subprocess.Popen[bytes], seconds: float, *, in_the_run: bool) -> bool:
    """Kill the process so many seconds after its start, or after it began to work in its folder;
    returns whether it was still alive."""
    deadline = time.monotonic() + 20
    while in_the_run and process.poll() is None and not holds_the_folder(process):
        time.sleep(0.002)
        if not Path("/proc").exists() or time.monotonic() > deadline:
            break
    time.sleep(seconds)
    alive = process.poll() is None
    process.kill()
    process.communicate()
    return alive


def seconds_to_the_first(workplace: Workplace) -> float:
    """How long a run needs in its folder, as fast as all goes now, to finish its first input."""
    out = workplace.folder / "paced"
    process = workplace.start(out, *SEED)
    while process.poll() is None and not holds_the_folder(process) and Path("/proc").exists():
        time.sleep(0.002)
    began = time.monotonic()
    while process.poll() is None and not (out / "inputs" / "p0.h5").exists():
        time.sleep(0.002)
    seconds = time.monotonic() - began
    process.kill()
    process.communicate()
    assert (out / "inputs" / "p0.h5").exists()
    return seconds


# Only those kills show it that fall before the first draw is kept, so not every time.
def test_killed_at_random_moments_a_run_ends_as_if_nobody_had_disturbed_it(
    workplace: Workplace, undisturbed: Path
) -> None:
    chance = random.Random(20210718)
    # Half of the kills in the run come before a first input is finished, half of them after it.
    latest = 2 * seconds_to_the_first(workplace)
    kills = rounds = progress = 0
    partial = False
    while kills < KILLS:
        out = workplace.folder / f"disturbed-{rounds}"
        rounds += 1
        finished: set[str] = set()
        while kills < KILLS:
            process = workplace.start(out, *(() if (out / "run.json").exists() else SEED))
            at_start = kills % 6 == 5
            moment = chance.uniform(0, 0.8) if at_start else chance.uniform(0, latest)
            if not kill_after(process, moment, in_the_run=not at_start):
                break
            kills += 1
            now = assert_nothing_half_written(out) if out.exists() else set()
            assert finished <= now
            progress += len(now - finished)
            finished = now
            partial = partial or any((out / "partial").glob("[!.]*.h5"))
        # Without --seed: the stored one is taken.
        assert workplace.finish(out)["seed"] == 7
        assert_same_results(out, undisturbed)
    # The kills fell where there was something to lose.
    assert progress >= 2
    assert partial


STEPS = """
import os, signal, sys
left = int(sys.argv.pop(1))
def counted(step):
    def wrapper(*a, **k):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*a, **k)
    return wrapper
os.fsync, os.replace, os.rename, os.unlink = map(
    counted, (os.fsync, os.replace, os.rename, os.unlink)
)
from onnxcert.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "step",
    [
        *(1, 2, 7, 8, 10, 11, 15, 21),
        *(pytest.param(step) for step in (3, 4, 5)),
    ],
)
def test_killed_at_any_step_of_writing_a_run_ends_as_if_nobody_had_disturbed_it(
    workplace: Workplace, undisturbed: Path, tmp_path: Path, step: int
) -> None:
    out = tmp_path / "out"
    process = workplace.start(out, *SEED, "--limit", "2", program=("-c", STEPS, str(step)))
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert assert_nothing_half_written(out) <= {"p0", "p1"}
    assert workplace.finish(out, "--limit", "2")["inputs"] == 2
    for name in ("p0", "p1"):
        assert_same_record(ResultStore(out).read(name), ResultStore(undisturbed).read(name))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_goes_on(
    workplace: Workplace, undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    process = workplace.start(out, *SEED, "--checkpoint", "1000")
    while process.poll() is None and not (out / "inputs" / "p1.h5").exists():
        time.sleep(0.005)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == b""
    assert stderr.startswith(b"onnxcert: interrupted")
    assert str(out).encode() in stderr
    assert stderr.count(b"\n") == 1
    done = assert_nothing_half_written(out)
    assert {"p0", "p1"} <= done
    assert len(done) < INPUTS
    # Also what is finished of an interrupted run is linked and can be reported.
    with h5py.File(out / "results.h5", "r") as file:
        assert set(file["inputs"]) == done
    assert workplace.finish(out)["seed"] == 7
    assert_same_results(out, undisturbed)


def test_an_interrupted_count_is_kept_and_goes_on_from_there(
    workplace: Workplace, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = workplace.start(out, *SEED, "--limit", "1", "--n", "9000")
    while process.poll() is None and not any((out / "partial").glob("[!.]*.h5")):
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    with h5py.File(out / "partial" / "p0.h5", "r") as file:
        done = int(file.attrs["done"])
    assert 0 < done < 9000
    before = workplace.finish(tmp_path / "whole", *SEED, "--limit", "1", "--n", "9000")
    after = workplace.finish(out, "--limit", "1", "--n", "9000")
    assert after["seed"] == before["seed"]
    assert_same_record(ResultStore(out).read("p0"), ResultStore(tmp_path / "whole").read("p0"))


def test_a_run_interrupted_before_it_began_leaves_nothing(
    workplace: Workplace, tmp_path: Path
) -> None:
    # Interrupted while the model is being opened, before there is a folder.
    code = """
import signal
import onnxcert.model.running.network as network
# To this very thread: one sent to the process may reach it any time later.
network.open_session = lambda *_, **__: signal.raise_signal(signal.SIGINT)
from onnxcert.__main__ import main
main()
"""
    process = workplace.start(tmp_path / "out", program=("-c", code))
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == b""
    assert b"Traceback" not in stderr
    assert not (tmp_path / "out").exists()
