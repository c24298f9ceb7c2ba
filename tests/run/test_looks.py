"""A run under looks may be stopped at any moment and leaves a valid certificate."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from equal_runs import whatever_the_batches

from onnxcert import Gaussian, OnnxSegmenter, ResultStore, Rule, Schedule, Stopping, decide
from onnxcert.audit import verify
from onnxcert.data.datasets import READERS
from onnxcert.run.progress import ProgressListener
from onnxcert.run.run import Run
from onnxcert.statistics.settings import Settings
from onnxcert.statistics.stopping import InterimAnalysis

LOOKS = (45, 60, 100, 150)


class Stopper(ProgressListener):
    """Asks the run to stop once an input has so many passes."""

    def __init__(self, place: int, at: int) -> None:
        self.place, self.at = place, at
        self.run: Run | None = None

    def advance(self, name: str, place: int, done: int) -> None:
        assert name
        if self.run is not None and (place, done) >= (self.place, self.at):
            self.run.stopping = True


@pytest.fixture
def prepared(tmp_path: Path, pictures: Path) -> Any:
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    segmenter = OnnxSegmenter.open(model, threads=1)

    def prepare(out: str, *, stopper: Stopper | None = None, **options: Any) -> Run:
        batch_size = options.pop("batch_size", 4)
        selection = options.pop("selection", "pooled")
        stopping = Stopping(**options)
        run = Run(
            segmenter=segmenter,
            listing=READERS["folder"].list([str(pictures)], None),
            settings=Settings(
                perturbation=Gaussian(0.2),
                n=150,
                selection=selection,
                rule=Rule(correction="bonferroni", schedule=Schedule(150, LOOKS)),
                stopping=stopping,
            ),
            store=ResultStore(tmp_path / out),
            seed=3,
            batch_size=batch_size,
            pictures=False,
            watcher=stopper or ProgressListener(),
        )
        if stopper is not None:
            stopper.run = run
        return run

    return prepare


def same(a: ResultStore, b: ResultStore) -> None:
    assert a.names() == b.names()
    for one, other in zip(a.records(), b.records(), strict=True):
        assert one.tally.ended == other.tally.ended
        assert one.tally.looks == other.tally.looks
        for name in ("candidate", "hits", "path", "single"):
            a_votes, b_votes = getattr(one.tally, name), getattr(other.tally, name)
            assert np.array_equal(a_votes[...], b_votes[...]), name
        for name in ("labels", "level"):
            assert np.array_equal(getattr(one, name)[...], getattr(other, name)[...]), name
        assert whatever_the_batches(one.decision) == whatever_the_batches(other.decision)
        assert one.tally.nonfinite == other.tally.nonfinite


@pytest.mark.slow
@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("at", [46, 80, 145])
@pytest.mark.parametrize("place", [1, 3])
def test_stopped_in_the_middle_it_leaves_the_last_look_and_goes_on_from_there(
    prepared: Any, place: int, at: int, selection: Any
) -> None:
    at += 10 if selection == "split" else 0
    whole = prepared("whole", selection=selection)
    whole.execute(0)
    run = prepared("out", stopper=Stopper(place, at), selection=selection)
    with pytest.raises(KeyboardInterrupt):
        run.execute(0)
    store = run.store
    assert len(store.names()) == place
    record = store.read(f"p{place - 1}")
    assert record.tally.ended == "interrupted"
    assert (
        store.folder / "partial" / f"{record.name}.h5"
    ).is_file()  # what was counted since is not drawn again
    assert record.tally.looks == tuple(look for look in LOOKS if look <= record.tally.n)
    # Everything is valid as it is: the votes at the last look decide, and nothing later.
    assert verify(store).fits
    whole_tally = whole.store.read(record.name).tally
    assert np.array_equal(record.tally.hits, whole_tally.path[len(record.tally.looks) - 1])
    assert record.decision.rule == whole.settings.rule
    prepared("out", selection=selection).execute(0)
    same(store, whole.store)
    assert not list((store.folder / "partial").iterdir())


def test_an_interrupted_input_whose_count_is_gone_is_counted_anew(prepared: Any) -> None:
    whole = prepared("whole")
    whole.execute(0)
    with pytest.raises(KeyboardInterrupt):
        prepared("out", stopper=Stopper(1, 80)).execute(0)
    run = prepared("out")
    for count in (run.store.folder / "partial").iterdir():
        count.unlink()
    run.execute(0)
    same(run.store, whole.store)


def test_stopped_before_the_first_look_nothing_is_claimed(prepared: Any) -> None:
    run = prepared("out", stopper=Stopper(2, 20))
    with pytest.raises(KeyboardInterrupt):
        run.execute(0)
    assert run.store.names() == ["p0"]
    assert (run.store.folder / "partial" / "p1.h5").is_file()
    prepared("out").execute(0)
    whole = prepared("whole")
    whole.execute(0)
    same(run.store, whole.store)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_looks_fall_where_they_were_asked_for_whatever_the_batch(
    prepared: Any, batch_size: int
) -> None:
    one, other = prepared("one"), prepared("other", batch_size=batch_size)
    one.execute(0)
    other.execute(0)
    same(one.store, other.store)
    assert one.store.read("p0").tally.looks == LOOKS


def test_it_stops_once_the_share_asked_for_is_certified(prepared: Any) -> None:
    run = prepared("out", until=0.5)
    summary = run.execute(0)
    assert summary is not None
    assert summary.ended == {"until": 3}
    assert summary.draws < 150
    for record in run.store.records():
        decided = record.certificate()
        assert 1.0 - decided.abstain_share >= 0.5
        # And not a look later than it could.
        tally = record.tally.to_memory()
        for k in range(len(tally.looks) - 1):
            early = decide(at_look(tally, k), decided.rule)
            assert 1.0 - early.abstain_share < 0.5


def at_look(tally: Any, k: int) -> Any:
    looks = tally.looks[: k + 1]
    return replace(tally, hits=tally.path[k], n=looks[-1], looks=looks, path=tally.path[: k + 1])


@pytest.mark.slow
def test_it_stops_once_little_more_can_be_expected(prepared: Any) -> None:
    summary = prepared("out", futility=0.02).execute(0)
    whole = prepared("whole").execute(0)
    assert set(summary.ended) == {"futility"}
    assert summary.draws < whole.draws == 150
    gained = summary.rows["certified"].abstain - whole.rows["certified"].abstain
    assert 0.0 <= gained < 0.04


def test_it_stops_at_the_last_look_that_fits_into_the_time(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    interim_analysis = InterimAnalysis(
        Rule(correction="bonferroni", schedule=Schedule(150, LOOKS)),
        Stopping(seconds=1.5),
        started=0.0,
    )
    whole = prepared("whole")
    whole.execute(0)
    tally = whole.store.read("p0").tally
    now = iter(range(1, 10))
    monkeypatch.setattr("onnxcert.statistics.stopping.time.monotonic", lambda: float(next(now)))
    # One second for 45 draws: the next look, at 60, would come after 1.33 s and is taken; the one
    # at 100 would come after 3.3 s, as by then two seconds have passed.
    assert interim_analysis.analyse(at_look(tally, 0)) == ""
    assert interim_analysis.analyse(at_look(tally, 1)) == "time"


def test_more_looks_never_take_a_certificate_away(prepared: Any) -> None:
    run = prepared("out")
    run.execute(0)
    rule = run.settings.rule
    for record in run.store.records():
        tally = record.tally.to_memory()
        certified = [decide(at_look(tally, k), rule).labels >= 0 for k in range(len(LOOKS))]
        for earlier, later in pairwise(certified):
            assert (later >= earlier).all()
