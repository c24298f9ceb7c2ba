"""A run that is killed at any moment loses nothing that was finished, shows nothing half-written,
and ends, when it is started again, in exactly the result of a run that nobody disturbed.

A file's final name is the mark of its being finished. That is what is tested: real processes are
killed at random moments, with and without workers and looks, by SIGKILL and SIGTERM, alone and with
all that they started; and at each step of writing.
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
from contextlib import redirect_stdout
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest
from drawing import write_pictures
from equal_runs import assert_equal_runs, whatever_the_batches
from forked import Prepare, Started, interrupt_while_opening, signal_at, without_locks
from json_schema import check_object
from PIL import Image
from waiting import LIMIT, wait_until

from onnxcert import ResultStore
from onnxcert.cli import run_command_line
from onnxcert.results import Record
from onnxcert.results.fingerprint import fingerprint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here"),
]

ROOT = Path(__file__).parents[2]
INPUTS = 6
# ONNXCERT_KILLS=200 is the long form, a quarter of an hour.
LONG = "ONNXCERT_KILLS" in os.environ
KILLS = int(os.environ.get("ONNXCERT_KILLS", "8"))
KILLS_A_RUN = 2  # at most, so that every kind of run gets its share
LOOKS = ("--looks", "100,200,300", "--correction", "bonferroni")
WORKERS = ("--workers", "2")
KINDS = ((), (*LOOKS, *WORKERS), LOOKS, WORKERS)
SETTINGS = (
    *("--sigma", "0.2", "--n", "300", "--n0", "20", "--threads", "1", "--batch-size", "1"),
    *("--checkpoint", "0.05", "--json"),
)
SEED = ("--seed", "7")
ARRAYS = ("tally.candidate", "tally.hits", "labels", "tally.single", "clean")


def heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Workplace:
    """A model, its inputs, and the command that certifies them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = graphs.save(graphs.threshold(), folder / "model.onnx")
        self.pictures = write_pictures(folder / "pictures", INPUTS, height=48, width=64)

    def arguments(self, out: Path, *extra: object) -> list[str]:
        return list(
            map(str, ("certify", self.model, self.pictures, *SETTINGS, "--out", out, *extra))
        )

    def start(
        self, out: Path, *extra: object, prepare: Prepare | None = None
    ) -> Started | subprocess.Popen[bytes]:
        """The command in a session of its own; in the long form as a user starts it."""
        arguments = self.arguments(out, *extra)
        if prepare is not None or not LONG:
            return Started(arguments, prepare)
        return subprocess.Popen(
            [sys.executable, "-m", "onnxcert", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *sys.path))},
            # A shell starts what runs in the background with Ctrl-C ignored.
            preexec_fn=heed_interrupts,
            start_new_session=True,
        )

    def finish(self, out: Path, *extra: object) -> dict[str, Any]:
        """The command undisturbed, in this process, as it starts sooner; returns its JSON."""
        if "--seed" not in extra and not (out / "run.json").exists():
            extra = (*extra, *SEED)  # it was killed before the seed was stored
        stdout = io.StringIO()
        with redirect_stdout(stdout):
            assert run_command_line(self.arguments(out, *extra)) == 0
        result = json.loads(stdout.getvalue())
        check_object(result)
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
        assert np.array_equal(attrgetter(name)(one)[...], attrgetter(name)(other)[...]), name
    assert whatever_the_batches(one.decision) == whatever_the_batches(other.decision)
    assert (one.tally.nonfinite, one.tally.draws) == (other.tally.nonfinite, other.tally.draws)


def holds_the_folder(process: Started | subprocess.Popen[bytes]) -> bool:
    """Whether the process has come as far as its result folder (told by Linux alone)."""
    try:
        return any(
            link.readlink().name == ".lock" for link in Path(f"/proc/{process.pid}/fd").iterdir()
        )
    except OSError:
        return False


def kill_after(
    process: Started | subprocess.Popen[bytes],
    seconds: float,
    *,
    in_the_run: bool,
    number: signal.Signals,
    group: bool,
) -> bool:
    """Send the signal so many seconds after the start of the process, or after it began to work in
    its folder, with `group` to all that it started as well; returns whether that ended it."""
    if in_the_run and Path("/proc").exists():
        wait_until(lambda: process.poll() is not None or holds_the_folder(process))
    time.sleep(seconds)
    if process.poll() is None:
        try:
            (os.killpg if group else os.kill)(process.pid, number)
        except ProcessLookupError:  # it has no group of its own yet
            process.send_signal(number)
    _, stderr = process.communicate(timeout=LIMIT)
    assert b"Traceback" not in stderr
    assert process.returncode in (0, 128 + number, -number)
    return process.returncode != 0


def seconds_to_the_first(workplace: Workplace) -> float:
    """How long a run needs in its folder, as fast as all goes now, to finish its first input."""
    out = workplace.folder / "paced"
    process = workplace.start(out, *SEED)
    if Path("/proc").exists():
        wait_until(lambda: holds_the_folder(process), process)
    began = time.monotonic()
    wait_until(lambda: process.poll() is not None or (out / "inputs" / "p0.h5").exists())
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
    with_looks = workplace.folder / "undisturbed-looks"
    workplace.finish(with_looks, *SEED, *LOOKS)
    # Half of the kills in the run come before a first input is finished, half of them after it.
    latest = 2 * seconds_to_the_first(workplace)
    kills = rounds = progress = 0
    partial = False
    # On until kills fell where there was something to lose.
    while kills < KILLS or (kills < 10 * KILLS and not (progress >= 2 and partial)):
        out, flags = workplace.folder / f"disturbed-{rounds}", KINDS[rounds % len(KINDS)]
        rounds += 1
        finished: set[str] = set()
        for _ in range(KILLS_A_RUN):
            seed = () if (out / "run.json").exists() else SEED
            process = workplace.start(out, *flags, *seed)
            at_start = chance.random() < 1 / 6
            ended = kill_after(
                process,
                chance.uniform(0, 0.8) if at_start else chance.uniform(0, latest),
                in_the_run=not at_start,
                number=chance.choice((signal.SIGKILL, signal.SIGTERM)),
                group=chance.random() < 0.5,
            )
            if not ended:
                break
            kills += 1
            now = assert_nothing_half_written(out) if out.exists() else set()
            assert finished <= now
            progress += len(now - finished)
            finished = now
            partial = partial or any((out / "partial").glob("[!.]*.h5"))
        looks = LOOKS if LOOKS[0] in flags else ()
        # Without --seed: the stored one is taken.
        assert workplace.finish(out, *looks)["draws"]["seed"] == 7
        assert_same_to_the_byte(out, with_looks if looks else undisturbed)
    print(f"{kills} kills in {rounds} runs, {progress} inputs finished between them")
    assert progress >= 2
    assert partial


def assert_same_to_the_byte(out: Path, other: Path) -> None:
    """The same files, and in the records all but when and where each was made."""
    assert_equal_runs(out, other)
    made = frozenset({"date", "environment"})
    for name in ResultStore(out).names():
        with ResultStore(out).group(name) as one, ResultStore(other).group(name) as another:
            assert fingerprint(one, without=made) == fingerprint(another, without=made)


@pytest.mark.parametrize("locks", [True, False])
def test_several_commands_on_one_folder_end_in_the_result_of_one(
    workplace: Workplace, undisturbed: Path, tmp_path: Path, locks: bool
) -> None:
    out = tmp_path / "out"
    prepare = None if locks else without_locks
    several = range(4 if LONG else 2)
    statuses = set()
    for process in [workplace.start(out, *SEED, prepare=prepare) for _ in several]:
        _, stderr = process.communicate(timeout=LIMIT)
        assert process.returncode == 0 or b"is writing to" in stderr, stderr
        statuses.add(process.returncode)
    assert {0} <= statuses <= {0, 2}  # all may have come after each other
    assert workplace.finish(out)["inputs"]["finished"] == INPUTS
    assert_same_to_the_byte(out, undisturbed)


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
    process = workplace.start(out, *SEED, "--limit", "2", prepare=partial(signal_at, step))
    process.communicate(timeout=LIMIT)
    assert process.returncode == -signal.SIGKILL
    assert assert_nothing_half_written(out) <= {"p0", "p1"}
    assert workplace.finish(out, "--limit", "2")["inputs"]["finished"] == 2
    for name in ("p0", "p1"):
        assert_same_record(ResultStore(out).read(name), ResultStore(undisturbed).read(name))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_goes_on(
    workplace: Workplace, undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    interrupt = partial(signal_at, 1, number, wanted=(out, "inputs/p1.h5"))
    process = workplace.start(out, *SEED, "--checkpoint", "1000", prepare=interrupt)
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + number
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
    assert workplace.finish(out)["draws"]["seed"] == 7
    assert_same_results(out, undisturbed)


def test_an_interrupted_count_is_kept_and_goes_on_from_there(
    workplace: Workplace, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    interrupt = partial(signal_at, 1, signal.SIGINT, wanted=(out, "partial/[!.]*.h5"))
    process = workplace.start(out, *SEED, "--limit", "1", "--n", "1500", prepare=interrupt)
    process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    with h5py.File(out / "partial" / "p0.h5", "r") as file:
        done = int(file.attrs["done"])
    assert 0 < done < 1500
    before = workplace.finish(tmp_path / "whole", *SEED, "--limit", "1", "--n", "1500")
    after = workplace.finish(out, "--limit", "1", "--n", "1500")
    assert after["draws"]["seed"] == before["draws"]["seed"]
    assert_same_record(ResultStore(out).read("p0"), ResultStore(tmp_path / "whole").read("p0"))


def test_a_run_interrupted_before_it_began_leaves_nothing(
    workplace: Workplace, tmp_path: Path
) -> None:
    # Interrupted while the model is being opened, before there is a folder.
    process = workplace.start(tmp_path / "out", prepare=interrupt_while_opening)
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert stdout == b""
    assert b"Traceback" not in stderr
    assert not (tmp_path / "out").exists()
