"""Shards of a run, merged, are the run; whatever is no part of it is refused before anything is
written."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import graphs
import h5py
import pytest
import records
from drawing import write_picture
from equal_runs import assert_equal_runs
from forked import Started, signal_at
from graphs import save
from hypothesis import given
from hypothesis import strategies as st
from pointgraphs import of_category, write_shape

from onnxcert import ResultStore
from onnxcert.cli import run_command_line
from onnxcert.data import Item, Listing, Shard
from onnxcert.errors import ParameterError
from onnxcert.results import merge

INPUTS = 5
# With a batch size, as the one chosen, and so what the statement says of it, depends on the clock.
SETTINGS = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--batch-size", "4")
NAMES = [f"p{i}" for i in range(INPUTS)]


def run(folder: Path, out: Path, *extra: object, seed: int = 7, status: int = 0) -> Path:
    arguments = ["certify", folder / "model.onnx", folder / "pictures", *SETTINGS]
    words = [*arguments, "--seed", seed, "--out", out, *extra]
    assert run_command_line(list(map(str, words))) == status
    return out


def sharded(folder: Path, out: Path, count: int, *extra: object) -> list[Path]:
    return [
        run(folder, out / f"{number}", "--shard", f"{number}/{count}", *extra)
        for number in range(1, count + 1)
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, pictures, and their run in one process and in three shards."""
    folder = tmp_path_factory.mktemp("shards")
    graphs.save(graphs.threshold(), folder / "model.onnx")
    (folder / "pictures").mkdir()
    for i, name in enumerate(NAMES):
        write_picture(folder / "pictures" / f"{name}.png", seed=i)
    run(folder, folder / "whole")
    sharded(folder, folder / "three", 3)
    return folder


@pytest.fixture
def parts(place: Path, tmp_path: Path) -> list[Path]:
    """Copies of the three shards that may be tampered with."""
    return [shutil.copytree(place / "three" / f"{i}", tmp_path / f"{i}") for i in (1, 2, 3)]


# -- who takes what ----------------------------------------------------------------------------


@given(
    st.sets(st.text(min_size=1, max_size=4), max_size=30),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_every_input_is_in_one_shard_whatever_the_order(
    names: set[str], count: int, chance: Any
) -> None:
    order = sorted(names)
    chance.shuffle(order)
    shares = [Shard(number, count).names(order) for number in range(1, count + 1)]
    assert sorted(itertools.chain(*shares)) == sorted(names)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert shares == [Shard(number, count).names(sorted(names)) for number in range(1, count + 1)]


def test_a_shard_keeps_the_order_of_the_listing() -> None:
    listing = Listing(tuple(Item(name, Path(name), None) for name in "dbca"))
    assert [item.name for item in Shard(2, 2).of(listing).items] == ["d", "b"]
    with pytest.raises(ParameterError, match="shard 5/5 holds none of 4 inputs; use at most 4"):
        Shard(5, 5).of(listing)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/3", "1.5/3", ""])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match=r"--shard must be I/K"):
        Shard.parse(text)


def test_shards_draw_from_one_seed(onnxcert: Any, place: Path, tmp_path: Path) -> None:
    command = ("certify", place / "model.onnx", place / "pictures", *SETTINGS, "--shard", "1/3")
    outcome = onnxcert(*command, "--out", tmp_path / "out")
    assert "--shard needs --seed" in outcome.refusal
    assert not (tmp_path / "out").exists()


def test_shards_never_share_a_folder_unasked(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["certify", place / "model.onnx", place / "pictures", *SETTINGS, "--seed", "7"]
    for number in (1, 2):
        assert run_command_line(list(map(str, [*command, "--shard", f"{number}/2"]))) == 0
    assert len(list((tmp_path / "onnxcert-results").iterdir())) == 2


# -- merged, they are the run ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "extra"),
    [
        (2, ("--looks", "45,60", "--correction", "bonferroni")),
        (5, ("--alpha-scope", "dataset", "--selection", "split")),
        (3, ("--radius-map", "--correction", "bonferroni")),
    ],
    ids=["looks", "data set", "radius map"],
)
def test_merged_shards_are_the_run_of_one_process(
    place: Path, tmp_path: Path, count: int, extra: tuple[str, ...]
) -> None:
    whole = run(place, tmp_path / "whole", *extra)
    parts = sharded(place, tmp_path, count, *extra)
    out = tmp_path / "out"
    assert run_command_line(["merge", str(out), *map(str, parts)]) == 0
    assert_equal_runs(out, whole)
    assert run_command_line(["verify", str(out)]) == 0
    # And the run goes on in it as if it had been its own: there is nothing left to do.
    before = {name: records.fingerprints(ResultStore(out), name) for name in NAMES}
    run(place, out, *extra)
    assert {name: records.fingerprints(ResultStore(out), name) for name in NAMES} == before


@pytest.mark.slow
def test_merged_shards_of_point_clouds_are_the_run(tmp_path: Path) -> None:
    model = save(of_category(), tmp_path / "model.onnx")
    for i, category in enumerate(("chair", "lamp", "rocket")):
        write_shape(tmp_path / "shapes" / f"s{i}.npz", seed=i, category=category)
    command = ["certify", model, tmp_path / "shapes", "--sigma", "0.1", "--n", "60", "--seed", "1"]
    for out, extra in (("whole", ()), ("1", ("--shard", "1/2")), ("2", ("--shard", "2/2"))):
        words = [*command, "--threads", "1", *extra, "--out", tmp_path / out]
        assert run_command_line(list(map(str, words))) == 0
    merge(tmp_path / "out", [tmp_path / "1", tmp_path / "2"])
    assert_equal_runs(tmp_path / "out", tmp_path / "whole")
    assert any((tmp_path / "out" / "pictures").glob("*.ply"))


def test_a_missing_shard_is_said_and_added_later(
    onnxcert: Any, place: Path, parts: list[Path], tmp_path: Path
) -> None:
    outcome = onnxcert("merge", tmp_path / "out", parts[0], parts[2])
    assert outcome.status == 3
    assert "2 of 5 inputs are missing; shard 2/3 lacks 2" in outcome.err
    assert "2 not done yet" in outcome.out
    assert onnxcert("verify", tmp_path / "out").status == 0
    outcome = onnxcert("merge", tmp_path / "out", parts[1])
    assert (outcome.status, outcome.err) == (0, "")
    assert_equal_runs(tmp_path / "out", place / "whole")


def test_a_merged_folder_with_gaps_is_finished_by_the_run_itself(
    place: Path, parts: list[Path], tmp_path: Path
) -> None:
    assert merge(tmp_path / "out", parts[:1]).missing == ("p1", "p2", "p4")
    run(place, tmp_path / "out")
    assert_equal_runs(tmp_path / "out", place / "whole")


def test_a_shard_may_be_merged_into_another(place: Path, parts: list[Path]) -> None:
    assert merge(parts[1], parts).missing == ()
    one, other = ResultStore(parts[1]), ResultStore(place / "whole")
    assert one.names() == other.names()
    assert one.summary() == other.summary()


@pytest.mark.slow
def test_the_same_votes_twice_are_fine(place: Path, parts: list[Path], tmp_path: Path) -> None:
    """Shards cut in another way overlap; their dates differ and their votes do not."""
    merged = merge(tmp_path / "out", [*parts, *sharded(place, tmp_path / "two", 2)])
    assert merged.missing == ()
    assert_equal_runs(tmp_path / "out", place / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1])
def test_the_same_votes_counted_in_batches_and_one_by_one_are_fine(
    place: Path, parts: list[Path], tmp_path: Path, first: int
) -> None:
    """They differ in nothing but what rules out a leak; the stronger is kept."""
    alone = sharded(place, tmp_path / "alone", 3, "--batch-size", "1")
    folders = [*parts, *alone] if first == 0 else [*alone, *parts]
    assert merge(tmp_path / "out", folders).missing == ()
    merged, whole = ResultStore(tmp_path / "out"), ResultStore(place / "whole")
    for name in NAMES:
        mine = merged.read(name)
        assert mine.tally.leak_check == "one draw a pass"
        assert whole.read(name).tally.leak_check == "leak check 29 draws"
        assert (mine.tally.hits == whole.read(name).tally.hits).all()


@pytest.mark.slow
def test_skipped_inputs_stay_skipped(onnxcert: Any, place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "place"
    shutil.copytree(place / "pictures", folder / "pictures")
    shutil.copy(place / "model.onnx", folder)
    (folder / "pictures" / "p5.png").write_bytes(b"no picture")
    out = [
        run(folder, tmp_path / f"{i}", "--shard", f"{i}/2", status=3 if i == 2 else 0)
        for i in (1, 2)
    ]
    outcome = onnxcert("merge", tmp_path / "out", *out)
    assert outcome.status == 3
    assert outcome.err.startswith("onnxcert: skipped p5: ")
    assert outcome.err.count("\n") == 1
    # Once it is there, another part may have it.
    write_picture(folder / "pictures" / "p5.png", seed=9)
    again = run(folder, tmp_path / "again", "--shard", "2/2")
    assert merge(tmp_path / "out", [again]).skipped == {}


class Stopped:
    """Stop a run after so many draws of an input, as Ctrl-C does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, at: int) -> None:
        from onnxcert.run.progress import Progress

        advance = Progress.advance

        def report(this: Progress, who: str, done: int) -> None:
            advance(this, who, done)
            if who == name and done >= at:
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Progress, "advance", report)


def test_a_count_under_way_comes_along_and_is_gone_on_from(
    place: Path, parts: list[Path], tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Stopped(patch, "p4", 40)
        stopped = run(place, tmp_path / "s", "--shard", "2/3", status=130)
    assert (stopped / "partial" / "p4.h5").exists()
    merged = merge(tmp_path / "out", [parts[0], stopped, parts[2]])
    assert merged.missing == ("p4",)
    kept = (tmp_path / "out" / "partial" / "p4.h5").read_bytes()
    assert kept == (stopped / "partial" / "p4.h5").read_bytes()
    run(place, tmp_path / "out")
    assert_equal_runs(tmp_path / "out", place / "whole")


@pytest.mark.slow
def test_what_was_interrupted_at_a_look_gives_way_to_what_went_on(
    place: Path, tmp_path: Path
) -> None:
    looks = ("--looks", "40,50,60", "--correction", "bonferroni")
    with pytest.MonkeyPatch.context() as patch:
        Stopped(patch, "p1", 45)
        early = run(place, tmp_path / "early", *looks, status=130)
    assert ResultStore(early).read("p1").tally.ended == "interrupted"
    whole = run(place, tmp_path / "whole", *looks)
    for order in ([early, whole], [whole, early]):
        out = tmp_path / f"out-{order[0].name}"
        assert merge(out, order).missing == ()
        assert_equal_runs(out, whole)


# -- what is refused ---------------------------------------------------------------------------


def edited(parts: list[Path], name: str = "p1") -> None:
    with h5py.File(parts[1] / "inputs" / f"{name}.h5", "r+") as file:
        file["tally/hits"][0, 0] -= 1


@pytest.mark.parametrize(
    ("others", "tamper", "said"),
    [
        (("--n", "61"), None, r"was made with n 60, .*other with 61; leave out"),
        (("--sigma", "0.21"), None, r"sigma 0.2, .* with 0.21"),
        (("--seed", "8"), None, r"seed 7, .* with 8"),
        ((), edited, "p1 in .* has changed since it was written"),
        ((), lambda parts: (parts[1] / "run.json").unlink(), r"there are no results in .*2; give"),
        ((), lambda parts: shutil.rmtree(parts[1]), r"there are no results in .*2; give"),
        ((), lambda parts: (parts[1] / "run.json").write_text("{}"), "not written by onnxcert"),
    ],
    ids=["n", "sigma", "seed", "edited", "no run.json", "no folder", "foreign run.json"],
)
def test_what_is_no_part_of_the_run_is_refused_and_nothing_is_written(
    onnxcert: Any,
    place: Path,
    parts: list[Path],
    tmp_path: Path,
    others: tuple[str, ...],
    tamper: Callable[[list[Path]], object] | None,
    said: str,
) -> None:
    folders = list(parts)
    if others:
        command = ("certify", place / "model.onnx", place / "pictures", *SETTINGS, "--seed", "7")
        assert onnxcert(*command, *others, "--out", tmp_path / "other").status == 0
        folders.append(tmp_path / "other")
    if tamper is not None:
        tamper(parts)
    outcome = onnxcert("merge", tmp_path / "out", *folders)
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert re.search(said, outcome.err)
    assert not (tmp_path / "out").exists()


def test_a_record_of_another_run_among_them_is_refused(
    onnxcert: Any, place: Path, parts: list[Path], tmp_path: Path
) -> None:
    other = run(place, tmp_path / "other", seed=8)
    shutil.copy(other / "inputs" / "p1.h5", parts[1] / "inputs" / "p1.h5")
    outcome = onnxcert("merge", tmp_path / "out", *parts)
    assert "the record p1" in outcome.refusal
    assert "was not made by the run" in outcome.refusal


def test_an_input_with_two_results_is_refused(
    onnxcert: Any, place: Path, parts: list[Path], tmp_path: Path
) -> None:
    """Two pictures of one name in different folders."""
    folder = tmp_path / "place"
    (folder / "pictures").mkdir(parents=True)
    shutil.copy(place / "model.onnx", folder)
    write_picture(folder / "pictures" / "p0.png", seed=99)
    other = run(folder, tmp_path / "other")
    outcome = onnxcert("merge", tmp_path / "out", *parts, other)
    assert "p0 has different results in" in outcome.refusal
    assert not (tmp_path / "out").exists()


def test_shards_of_different_lists_are_refused(
    onnxcert: Any, place: Path, parts: list[Path], tmp_path: Path
) -> None:
    """Else an input might be in neither: positions mean different things."""
    other = run(place, tmp_path / "fewer", "--shard", "2/3", "--limit", "4")
    outcome = onnxcert("merge", tmp_path / "out", parts[0], other)
    assert "shards of different lists of inputs, such as p4" in outcome.refusal


def test_a_folder_of_other_files_is_not_written_to(
    onnxcert: Any, parts: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.tex").write_text("mine")
    outcome = onnxcert("merge", out, *parts)
    assert "holds files that are not results" in outcome.refusal
    assert [path.name for path in out.iterdir()] == ["chapter.tex"]


def test_a_run_that_is_being_written_to_is_not_merged_into(
    onnxcert: Any, parts: list[Path], tmp_path: Path
) -> None:
    with ResultStore(tmp_path / "out").exclusive():
        outcome = onnxcert("merge", tmp_path / "out", *parts)
    assert "another run is writing to" in outcome.refusal


# -- stopped in the middle -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL here")
@pytest.mark.parametrize("step", [1, 3, 5, 6, 12])
def test_a_merge_killed_at_any_step_is_given_again(
    place: Path, parts: list[Path], tmp_path: Path, step: int
) -> None:
    out = tmp_path / "out"
    words = ["merge", out, *parts]
    process = Started(list(map(str, words)), partial(signal_at, step, steps=("replace", "rename")))
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    store = ResultStore(out)
    for name in store.names():
        stored, found = records.fingerprints(store, name)
        assert stored == found
        assert (out / "labels" / f"{name}.npy").exists()
    assert run_command_line(["merge", str(out), *map(str, parts)]) == 0
    assert_equal_runs(out, place / "whole")
