"""A leak between batch mates is a fact about the model: found once, nothing counted in batches
stays, whoever counts and whatever stops it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import graphs
import leaky
import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm
from unreliable_pool import UnreliablePool

from onnxcert import Gaussian, OnnxSegmenter, ResultStore, Rule, Schedule, certify
from onnxcert.data import Shard
from onnxcert.data.datasets import READERS
from onnxcert.errors import ParameterError, StoreError
from onnxcert.results import merge
from onnxcert.run.progress import ProgressListener
from onnxcert.run.run import Run
from onnxcert.run.workers.worker import WorkerSetup
from onnxcert.sampling import BatchLeak, sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics import min_leak_shares
from onnxcert.statistics.settings import Settings

Array = npt.NDArray[Any]
NOISE = Gaussian(0.25)
ONE = "one draw a pass"


# -- with what probability a leak is found -----------------------------------------------------


class Leaking:
    """Votes 0 with probability `share` alone, and never where it has batch mates.

    Only the input at level 1 shows it.
    """

    def __init__(self, share: float) -> None:
        self.below = float(norm.ppf(share) * NOISE.sigma)

    def __call__(self, batch: Array) -> Array:
        late = batch[:, 1] > 10
        alone = batch[:, 0] > self.below
        return (alone | (late & (len(batch) > 1)))[:, None].astype(np.uint8)


def found(share: float, runs: int, **more: Any) -> tuple[int, int]:
    """(draws checked, in how many of so many runs a leak into that share of votes is found)."""
    settings = Settings(perturbation=NOISE, n=100, **more)
    model, x = Leaking(share), np.array([0.0, 20.0], np.float32)
    seen = 0
    for seed in range(runs):
        draws = Draws(NOISE, seed, digest(x))
        count = settings.count(draws, 2, 1)
        count.check = settings.make_leak_check(draws, 1, rows=50, device=False)
        try:
            sample(model, x, count, batch_size=50)
        except BatchLeak:
            seen += 1
    assert count.check is not None
    return len(count.check.picked), seen


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.05, 0.13, 0.4])
def test_a_leak_on_a_late_input_is_found_with_the_stated_probability(share: float) -> None:
    runs = 1000 if share < 0.1 else 300  # where nearly all are found, few that are not stand out
    checked, seen = found(share, runs)
    assert checked == 50  # n 100, N 1: 89 hits certify, q = .88 - .75
    expected = 1 - (1 - share) ** checked
    spread = np.sqrt(runs * expected * (1 - expected))
    assert abs(seen - runs * expected) <= 4 * spread + 3
    if share >= 0.13:
        assert runs - seen <= 0.001 * runs + 4


@pytest.mark.slow
def test_fewer_draws_find_fewer_leaks_and_say_so() -> None:
    checked, seen = found(0.05, 200, leak_check=10)
    assert checked == 10
    assert 40 < seen < 125  # 80 of 200 are expected
    x = np.array([0.0, 0.0], np.float32)
    few = certify(Leaking(0.05), x, NOISE, classes=2, seed=1, batch_size=50, leak_check=10)
    assert "leak check 10 draws (which miss a leak with probability 0.25)]" in few.statement()
    none = certify(Leaking(0.05), x, NOISE, classes=2, seed=1, batch_size=50, leak_check=0)
    assert "leak check off]" in none.statement()
    enough = certify(Leaking(0.05), x, NOISE, classes=2, seed=1, batch_size=50)
    assert "leak check 50 draws]" in enough.statement()
    alone = certify(Leaking(0.05), x, NOISE, classes=2, seed=1, batch_size=1)
    assert f"{ONE}]" in alone.statement()
    with pytest.raises(ParameterError, match="leak check must be a number of draws, or off"):
        certify(Leaking(0.05), x, NOISE, classes=2, leak_check=-1)


def test_as_many_draws_are_checked_as_the_share_takes() -> None:
    settings = Settings(perturbation=NOISE, n=100)
    assert settings.leak_check_draws(40960) == 31
    ((tested, share),) = min_leak_shares(settings.rule, 40960, "pooled", 100, 10)
    assert (tested, share) == (100, pytest.approx(0.2))
    looks = Rule(correction="bonferroni", schedule=Schedule(400, (100, 200, 400)))
    settings = Settings(perturbation=NOISE, n=400, rule=looks)
    draws = Draws(NOISE, 3, "0" * 64)
    check = settings.make_leak_check(draws, 1000, rows=8, device=False)
    for tested, share in min_leak_shares(looks, 1000, "pooled", 400, 10):
        picked = len(check.among(range(tested)))
        assert (1 - share) ** picked <= 0.001
        assert check.describe(tested) == f"leak check {picked} draws"
    assert len(set(check.picked)) == len(check.picked)
    other = settings.make_leak_check(Draws(NOISE, 4, "0" * 64), 1000, rows=8, device=False)
    assert other.picked != check.picked  # by the seed
    capped = settings.make_leak_check(draws, 1000, rows=8, device=True)
    assert len(capped.picked) == 5  # a tenth of 50 passes
    assert "which miss a leak with probability" in capped.describe(400)


def test_split_selection_checks_the_draws_that_are_tested() -> None:
    settings = Settings(perturbation=NOISE, n=100, n0=20, selection="split")
    check = settings.make_leak_check(Draws(NOISE, 3, "0" * 64), 1000, rows=8, device=False)
    assert min(check.picked) >= 20
    assert 100 < max(check.picked) < 120


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
@pytest.mark.usefixtures("unseen")
def test_no_difference_of_labels_is_put_down_to_rounding(scale: float, tmp_path: Path) -> None:
    """Scores of any size: the best two may lie a millionth of them apart, and ties are broken."""
    model = graphs.model(
        """(float[b, 1, 2, 2] x) => (float[b, 2, 2, 2] y) {
            most = ReduceMax<axes = [0]>(x)
            above = Sub(most, edge)
            flag = Relu(above)
            raised = Mul(flag, step)
            zero = Sub(x, x)
            first = Add(zero, scale)
            second = Add(first, raised)
            y = Concat<axis = 1>(first, second)
        }""",
        scale=scale,
        step=2e-6 * scale,
        edge=0.2,
    )
    path = graphs.save(model, tmp_path / "m.onnx")
    x = np.zeros((3, 2, 2), np.float32)
    options: dict[str, Any] = {"value_range": (0.0, 1.0), "threads": 1, "channel_order": "GRAY"}
    options["output_layout"] = "NCHW"
    batched, alone = (
        certify(str(path), x, NOISE, n=100, seed=2, batch_size=size, **options) for size in (16, 1)
    )
    np.testing.assert_array_equal(batched.tally.hits, alone.tally.hits)
    assert batched.statement().endswith(f"{ONE}]")


@pytest.mark.usefixtures("unseen")
def test_certify_counts_the_same_draws_again_one_by_one() -> None:
    x = np.array([0.0, 20.0], np.float32)
    asked: dict[str, Any] = {"classes": 2, "seed": 1, "n": 200}
    batched = certify(Leaking(0.3), x, NOISE, batch_size=20, **asked)
    alone = certify(Leaking(0.3), x, NOISE, batch_size=1, **asked)
    blind = certify(Leaking(0.3), x, NOISE, batch_size=20, leak_check=0, **asked)
    assert int(batched.tally.hits[0]) == int(alone.tally.hits[0]) < 160
    assert int(blind.tally.hits[0]) == 200  # what would have been certified
    assert batched.statement().endswith(f"{ONE}]")
    assert any("one draw per pass" in note for note in batched.notes)


# -- runs --------------------------------------------------------------------------------------


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lint and the trials see nothing, so that the counted draws must show the leak."""
    monkeypatch.setattr("onnxcert.model.segmenter.lint", lambda *_: ())
    monkeypatch.setattr(
        "onnxcert.model.tuning.execution_plan.is_batch_dependent", lambda *_, **__: False
    )
    monkeypatch.setattr(
        "onnxcert.model.tuning.batch_invariance.is_batch_dependent", lambda *_, **__: False
    )
    monkeypatch.setattr(
        "onnxcert.model.tuning.batch_invariance.is_batch_invariant", lambda *_: True
    )


class Place:
    """A model that leaks for dark pictures, and bright pictures before and behind a dark one."""

    def __init__(self, folder: Path, kinds: str = "bbdb") -> None:
        self.folder = folder
        self.model = graphs.save(leaky.of_dark_pictures(), folder / "model.onnx")
        leaky.write_pictures(folder / "pictures", kinds)
        self.names = [f"p{i}" for i in range(len(kinds))]

    def run(self, out: str, **more: Any) -> Run:
        listing = READERS["folder"].list([str(self.folder / "pictures")], None)
        return Run(
            segmenter=OnnxSegmenter.open(self.model, threads=1),
            listing=listing,
            settings=more.pop("settings", Settings(perturbation=NOISE, n=100)),
            store=ResultStore(self.folder / out),
            seed=3,
            **{"batch_size": 5, "pictures": False, **more},
        )

    def done(self, out: str, **more: Any) -> ResultStore:
        run = self.run(out, **more)
        run.execute(0)
        return run.store


@pytest.fixture
def seen(tmp_path: Path) -> Place:
    """A place where they do."""
    return Place(tmp_path)


@pytest.fixture
def place(seen: Place, unseen: None) -> Place:
    del unseen
    return seen


def assert_alone(store: ResultStore, place: Place) -> None:
    """All inputs have the votes of draws that never had a batch mate, and say so."""
    alone = place.done("alone", batch_size=1)
    assert store.names() == alone.names() == place.names
    for name in place.names:
        mine, its = store.read(name), alone.read(name)
        assert mine.tally.leak_check == its.tally.leak_check == ONE
        np.testing.assert_array_equal(mine.tally.hits, its.tally.hits)
        np.testing.assert_array_equal(mine.labels, its.labels)
        assert mine.decision.statement == its.decision.statement
        assert mine.provenance.environment["batch_size"] == 1
        assert (store.folder / "labels").exists()
    assert store.leaky
    assert not list((store.folder / "partial").glob("*.h5"))


@pytest.mark.slow
def test_one_finding_makes_the_whole_run_one_draw_a_pass(place: Place) -> None:
    blind = place.done("blind", settings=Settings(perturbation=NOISE, n=100, leak_check=0))
    alone = place.done("alone", batch_size=1)
    wrong = [n for n in place.names if (blind.read(n).tally.hits != alone.read(n).tally.hits).any()]
    assert wrong == ["p2"]  # else this test could not fail
    assert {r.tally.leak_check for r in blind.records()} == {"leak check off"}
    assert_alone(place.done("out"), place)


@pytest.mark.usefixtures("unseen")
def test_without_a_finding_batches_stay(tmp_path: Path) -> None:
    place = Place(tmp_path, "bbb")
    store = place.done("out")
    assert not store.leaky
    assert {r.tally.leak_check for r in store.records()} == {"leak check 38 draws"}
    assert {r.provenance.environment["batch_size"] for r in store.records()} == {5}


@pytest.mark.slow
@pytest.mark.parametrize(("size", "deaths"), [(1, 0.0), (1, 1.0), (3, 0.0), (3, 1.0), (5, 0.2)])
def test_workers_find_it_for_all(place: Place, size: int, deaths: float) -> None:
    run = place.run("out")
    run.crew = UnreliablePool(
        WorkerSetup(run.segmenter.reopen, None, "cpu", 1), size, deaths=deaths, seed=size
    )
    run.execute(0)
    assert_alone(run.store, place)


class Watcher(ProgressListener):
    """Calls `react` with the name of the input and the draws done."""

    def __init__(self, react: Callable[[str, int], None]) -> None:
        self.react = react

    def advance(self, name: str, place: int, done: int) -> None:
        assert place >= 1
        self.react(name, done)


def interrupted_after(run: Run, inputs: int) -> None:
    """Run until so many inputs are finished."""

    def stop(_name: str, _done: int) -> None:
        run.stopping = sum(n in run.store for n in ("p0", "p1", "p2", "p3")) >= inputs

    run.watcher = Watcher(stop)
    with pytest.raises(KeyboardInterrupt):
        run.execute(0)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_what_was_counted_before_a_stop_is_counted_again(place: Place, workers: int) -> None:
    interrupted_after(place.run("out"), 2)
    store = ResultStore(place.folder / "out")
    assert [store.read(n).tally.leak_check for n in ("p0", "p1")] == ["leak check 38 draws"] * 2
    run = place.run("out")
    if workers:
        run.crew = UnreliablePool(WorkerSetup(run.segmenter.reopen, None, "cpu", 1), workers)
    run.execute(0)
    assert_alone(run.store, place)


@pytest.mark.slow
def test_a_finding_is_on_disk_before_anything_is_counted_again(place: Place) -> None:
    run = place.run("out")
    found = run.store.note_leak

    def note_leak() -> None:
        found()
        assert "p0" not in run.store  # gone, and with it what was made from it
        assert not list((run.store.folder / "labels").glob("p0*"))
        raise KeyboardInterrupt

    run.store.note_leak = note_leak  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run.execute(0)
    assert json.loads((run.store.folder / "run.json").read_text())["one_draw_per_pass"] is True
    (place.folder / "pictures" / "p2.png").unlink()  # nothing that could show it again
    leaky.write_pictures(place.folder / "bright", "bbbb")
    (place.folder / "bright" / "p2.png").rename(place.folder / "pictures" / "p2.png")
    assert_alone(place.done("out"), place)


@pytest.mark.slow
def test_a_run_killed_while_it_noted_the_leak_removes_the_rest(place: Place) -> None:
    interrupted_after(place.run("out"), 2)
    path = place.folder / "out" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "one_draw_per_pass": True}))
    assert_alone(place.done("out"), place)


@pytest.mark.slow
def test_a_kept_count_of_batches_starts_again_once_they_are_known_to_leak(place: Place) -> None:
    run = place.run("out", checkpoint_seconds=0.0)

    def stop_in_p1(name: str, done: int) -> None:
        run.stopping = run.stopping or (name == "p1" and done >= 50)

    run.watcher = Watcher(stop_in_p1)
    with pytest.raises(KeyboardInterrupt):
        run.execute(0)
    assert (run.store.folder / "partial" / "p1.h5").is_file()
    assert_alone(place.done("out"), place)


@pytest.mark.slow
@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(5, 5, "38 draws"), (5, 1, "38 draws"), (1, 5, "38 draws"), (1, 1, ONE)],
)
def test_a_count_goes_on_in_batches_or_one_by_one(
    tmp_path: Path, before: int, after: int, said: str
) -> None:
    """The statement is that of the batches, if there were any."""
    place = Place(tmp_path, "b")
    run = place.run("out", batch_size=before, checkpoint_seconds=0.0)

    def stop(_name: str, done: int) -> None:
        run.stopping = done >= 50

    run.watcher = Watcher(stop)
    with pytest.raises(KeyboardInterrupt):
        run.execute(0)
    counted: list[int] = []
    again = place.run("out", batch_size=after)

    def note(_name: str, done: int) -> None:
        counted.append(done)

    again.watcher = Watcher(note)
    again.execute(0)
    assert min(done for done in counted if done) > 50  # nothing was counted twice
    record, whole = again.store.read("p0"), place.done("whole", batch_size=1).read("p0")
    assert record.tally.leak_check.endswith(said)
    np.testing.assert_array_equal(record.tally.hits, whole.tally.hits)


@pytest.mark.slow
def test_a_merge_refuses_batched_records_of_the_other_shards_by_name(place: Place) -> None:
    parts = []
    for number in (1, 2):
        run = place.run(f"part{number}", shard=Shard(number, 2))
        run.execute(0)
        parts.append(run.store.folder)
    leaking = [part for part in parts if ResultStore(part).leaky]
    assert len(leaking) == 1
    other = next(part for part in parts if part not in leaking)
    names = ", ".join(ResultStore(other).names())
    with pytest.raises(StoreError, match=f"counted in batches: {names} in .*--batch-size 1"):
        merge(place.folder / "merged", parts)
    assert not (place.folder / "merged").exists()
    number = parts.index(other) + 1
    again = place.run("again", shard=Shard(number, 2), batch_size=1)
    again.execute(0)
    merged = merge(place.folder / "merged", [leaking[0], again.store.folder])
    assert merged.missing == ()
    assert_alone(ResultStore(place.folder / "merged"), place)


@pytest.mark.usefixtures("unseen")
def test_looks_that_stop_early_say_what_was_checked_by_then(tmp_path: Path) -> None:
    place = Place(tmp_path, "b")
    rule = Rule(correction="bonferroni", schedule=Schedule(400, (100, 200, 400)))
    settings = Settings(perturbation=NOISE, n=400, rule=rule)
    run = place.run("out", settings=settings)

    def stop(_name: str, done: int) -> None:
        run.stopping = done >= 250

    run.watcher = Watcher(stop)
    with pytest.raises(KeyboardInterrupt):
        run.execute(0)
    record = run.store.read("p0")
    check = settings.make_leak_check(record.tally.draws, 96, rows=5, device=False)
    assert record.tally.n == 200
    assert record.tally.leak_check == f"leak check {len(check.among(range(200)))} draws"
    assert record.certificate().statement() == record.decision.statement


# -- the trials before ---------------------------------------------------------------------------


def test_the_lint_and_the_trial_find_it_too(seen: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the three by itself."""
    lint = OnnxSegmenter.open(seen.model, threads=1)
    assert lint.mixes_draws
    monkeypatch.setattr("onnxcert.model.segmenter.lint", lambda *_: ())
    off = Settings(perturbation=NOISE, n=100, leak_check=0)
    assert seen.done("tried", settings=off).leaky


@pytest.mark.slow
def test_command_line(onnxcert: Any, seen: Place) -> None:
    command = ("certify", seen.model, seen.folder / "pictures", "--sigma", "0.25", "--seed", "3")
    more = ("--no-pictures", "--threads", "1", "--out")
    out = seen.folder / "out"
    done = onnxcert(*command, *more, out, "--workers", "2", "--batch-size", "5")
    assert done.status == 0
    assert_alone(ResultStore(out), seen)
    assert onnxcert("verify", out).status == 0
    assert f", {ONE}]" in onnxcert("report", out).out
    for given in ("0", "-3", "some", "1.5"):
        refused = onnxcert(*command, *more, seen.folder / "new", f"--leak-check={given}")
        assert refused.status == 2
    asked = onnxcert(*command, *more, out, "--leak-check", "5")
    assert "leak_check" in asked.refusal


@pytest.mark.usefixtures("unseen")
def test_old_records_open_and_say_what_they_said(tmp_path: Path) -> None:
    place = Place(tmp_path, "b")
    store = place.done("out")
    record = store.read("p0")
    plain = replace(record, tally=replace(record.tally, leak_check=""))
    assert plain.certificate().statement() == record.decision.statement.replace(
        ", leak check 38 draws]", "]"
    )
