"""A run over clouds, killed or interrupted at any moment, ends as if nobody had been there."""

from __future__ import annotations

import random
import signal
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from equal_runs import whatever_the_batches
from forked import Started, signal_at
from graphs import save
from pointgraphs import of_category, write_shape

from onnxcert import ResultStore
from onnxcert.cli import run_command_line
from onnxcert.results import Record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here"),
]

SHAPES = 4
SETTINGS = (
    *("--sigma", "0.2", "--n", "300", "--n0", "20", "--threads", "1", "--batch-size", "1"),
    *("--checkpoint", "0.02", "--passes", "2", "--points", "1024", "--json"),
)
ARRAYS = ("tally.candidate", "tally.hits", "labels", "tally.single", "clean")


class Workplace:
    """A model that asks for the category, shapes, and the command that certifies them."""

    def __init__(self, folder: Path, shapes: int = SHAPES) -> None:
        self.folder = folder
        self.model = save(of_category(), folder / "model.onnx")
        self.shapes = folder / "shapes"
        for i in range(shapes):
            category = ("chair", "lamp", "rocket")[i % 3]
            write_shape(self.shapes / f"s{i}.npz", many=1500, seed=i, category=category)

    def arguments(self, out: Path, *extra: object) -> list[str]:
        command = ("certify", self.model, self.shapes, *SETTINGS, "--out", out, *extra)
        return list(map(str, command))

    def stopped(self, out: Path, wanted: str, number: int = signal.SIGKILL, step: int = 1) -> Any:
        """The command in a process that gets a signal so many steps of writing after a file fits
        the pattern `wanted`: its exit status, and what it wrote."""
        prepare = partial(signal_at, step, number, wanted=(out, wanted))
        process = Started(self.arguments(out, "--seed", "7"), prepare)
        written = process.communicate()
        return process.returncode, *written


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return Workplace(tmp_path_factory.mktemp("clouds"))


@pytest.fixture(scope="module")
def undisturbed(workplace: Workplace) -> Path:
    """The result of a run that nobody disturbed."""
    out = workplace.folder / "undisturbed"
    assert run_command_line(workplace.arguments(out, "--seed", "7")) == 0
    return out


def assert_whole(out: Path) -> set[str]:
    """Every file under a final name is complete; returns the shapes that are finished."""
    for path in out.rglob("[!.]*"):
        match path.suffix:
            case ".h5":
                with h5py.File(path, "r") as file:
                    file.visititems(lambda _, item: item[...] if hasattr(item, "shape") else None)
            case ".npy":
                assert np.load(path).shape == (1024,)
            case ".ply":
                assert path.read_bytes().startswith(b"ply")
    names = ResultStore(out).names() if (out / "run.json").exists() else []
    for name in names:
        assert (out / "labels" / f"{name}.npy").exists()
    return set(names)


def assert_same(a: Path, b: Path, shapes: int = SHAPES) -> None:
    assert ResultStore(a).names() == ResultStore(b).names() == [f"s{i}" for i in range(shapes)]
    for one, other in zip(ResultStore(a).records(), ResultStore(b).records(), strict=True):
        assert_same_record(one, other)
    for folder in ("labels", "pictures"):
        for path in (a / folder).iterdir():
            assert path.read_bytes() == (b / folder / path.name).read_bytes(), path.name
    assert not list((a / "partial").iterdir())


def assert_same_record(one: Record, other: Record) -> None:
    for name in ARRAYS:
        assert np.array_equal(attrgetter(name)(one)[...], attrgetter(name)(other)[...]), name
    assert whatever_the_batches(one.decision) == whatever_the_batches(other.decision)
    assert (one.tally.nonfinite, one.tally.draws) == (other.tally.nonfinite, other.tally.draws)
    assert one.provenance.input == other.provenance.input


def test_killed_again_and_again_a_run_ends_bit_for_bit_as_undisturbed(
    workplace: Workplace, undisturbed: Path, tmp_path: Path
) -> None:
    out, chance = tmp_path / "out", random.Random(20261122)
    kept = between = 0
    finished: set[str] = set()
    # In the middle of an input: once a count is kept. Of the run: once an input is finished.
    for wanted in ("partial/[!.]*.h5", "inputs/[!.]*.h5", "labels/s2.npy"):
        status = workplace.stopped(out, wanted, step=chance.randint(1, 8))[0]
        assert status == -signal.SIGKILL
        now = assert_whole(out)
        assert finished <= now
        finished = now
        kept += any(out.glob("partial/[!.]*.h5"))
        between += 0 < len(now) < SHAPES
    assert kept
    assert between
    assert run_command_line(workplace.arguments(out, "--seed", "7")) == 0
    assert_same(out, undisturbed)


def test_interrupted_a_run_tells_how_to_go_on_and_goes_on(
    workplace: Workplace, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    status, stdout, stderr = workplace.stopped(out, "partial/[!.]*.h5", signal.SIGINT)
    assert status == 130, stderr
    assert stdout == b""
    assert b"Traceback" not in stderr
    assert b"resumes the run" in stderr
    assert list(out.glob("partial/[!.]*.h5"))
    assert assert_whole(out) < {f"s{i}" for i in range(SHAPES)}
    # Without --seed: the stored one is taken. With other batches the statement, which the pictures
    # show, would be another.
    assert run_command_line(workplace.arguments(out)) == 0
    assert_same(out, undisturbed)


@pytest.mark.parametrize("change", ["points", "category", "labels"])
def test_what_was_begun_for_another_cloud_is_not_gone_on_with(
    change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Workplace(tmp_path, 2)
    out = tmp_path / "out"
    place.stopped(out, "inputs/[!.]*.h5")
    first = sorted(assert_whole(out))[0]
    with np.load(place.shapes / f"{first}.npz") as file:
        arrays = dict(file)
    arrays["points"][3, 1] += 1e-3 * (change == "points")
    arrays["labels"] = arrays["labels"] * (change != "labels")
    if change == "category":
        arrays["category"] = np.array("rocket")
    np.savez(place.shapes / f"{first}.npz", **arrays)
    capsys.readouterr()
    assert run_command_line(place.arguments(out, "--seed", "7")) == 2
    said = capsys.readouterr().err
    assert f"{first}.npz" in said
    assert "--out" in said
    assert said.count("\n") == 1


def test_votes_for_another_cloud_are_not_gone_on_with(tmp_path: Path) -> None:
    place = Workplace(tmp_path, 1)
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    place.stopped(out, "partial/s0.h5")
    assert not assert_whole(out)
    write_shape(place.shapes / "s0.npz", many=1500, seed=99, category="lamp")
    status = run_command_line(place.arguments(out, "--seed", "7"))
    assert run_command_line(place.arguments(fresh, "--seed", "7")) == 0
    # Refused, or counted anew: never the votes of the one for the other.
    assert status in (0, 2)
    if status == 0:
        assert_same(out, fresh, 1)
