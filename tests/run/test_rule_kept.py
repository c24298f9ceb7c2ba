"""What a hostile reading found in early stopping and in deciding again, kept from coming back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest

from onnxcert import Gaussian, OnnxSegmenter, ResultStore, Rule, Schedule
from onnxcert.data.datasets import READERS
from onnxcert.results import ResultStore as Store
from onnxcert.run.progress import ProgressListener
from onnxcert.run.run import Run
from onnxcert.statistics.settings import Settings

BASE = ("--sigma", "0.2", "--threads", "1", "--no-pictures")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


class Killed(Exception):
    """Stands for the end of the process."""


class KillsAtLook(ProgressListener):
    """Ends the process once somebody could have seen how the votes fall."""

    def report_status(self, text: str) -> None:
        raise Killed(text)


class KillsAt(ProgressListener):
    """Ends the process after so many passes."""

    def __init__(self, at: int) -> None:
        self.at = at

    def advance(self, name: str, place: int, done: int) -> None:
        assert name.startswith("p")
        if place >= 1 and done >= self.at:
            raise Killed


def run(model: Path, pictures: Path, out: Path, watcher: Any, **changed: Any) -> Run:
    return Run(
        segmenter=OnnxSegmenter.open(model, threads=1),
        listing=READERS["folder"].list([str(pictures)], None),
        settings=Settings(
            perturbation=Gaussian(0.2),
            n=100,
            rule=Rule(correction="bonferroni", schedule=Schedule(100, (50, 100))).but(**changed),
        ),
        store=ResultStore(out),
        pictures=False,
        batch_size=5,  # chosen by itself it depends on the clock, and with it the last words
        watcher=watcher,
    )


def test_votes_that_were_seen_are_not_met_by_another_rule(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    """Killed just after the first look, long before a checkpoint is due."""
    out = tmp_path / "out"
    with pytest.raises(Killed):
        run(model, pictures, out, KillsAtLook()).execute(7)
    outcome = onnxcert("certify", model, pictures, *BASE, "--out", out, "--tau", "0.6")
    assert "holds a run with" in outcome.refusal


def test_where_no_votes_are_kept_another_rule_draws_anew(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def seed(fresh: int, **changed: Any) -> int:
        with pytest.raises(Killed):
            run(model, pictures, out, KillsAt(20), **changed).execute(fresh)
        return int(json.loads((out / "run.json").read_text())["seed"])

    assert seed(1) == 1
    assert seed(2) == 1  # the same again goes on with the same draws
    assert seed(3, tau=0.6) == 3
    assert seed(4, tau=0.6, alpha=0.1) == 4


@pytest.mark.slow
def test_an_interrupted_input_is_gone_on_with_even_if_its_count_was_lost(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"

    class Stops(ProgressListener):
        run: Run

        def advance(self, name: str, place: int, done: int) -> None:
            assert name
            if (place, done) >= (2, 60):
                self.run.stopping = True

    stops = Stops()
    stops.run = run(model, pictures, out, stops)
    with pytest.raises(KeyboardInterrupt):
        stops.run.execute(7)
    (kept,) = (out / "partial").glob("*.h5")
    kept.unlink()
    assert ResultStore(out).read("p1").tally.ended == "interrupted"
    run(model, pictures, out, ProgressListener()).execute(1)
    run(model, pictures, whole, ProgressListener()).execute(7)
    for one, other in zip(ResultStore(out).records(), ResultStore(whole).records(), strict=True):
        assert one.tally.ended == ""
        assert np.array_equal(one.tally.path[...], other.tally.path[...])
        assert one.decision == other.decision


@pytest.mark.slow
def test_a_kept_count_that_was_edited_is_not_gone_on_with(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    with pytest.raises(Killed):
        run(model, pictures, out, KillsAtLook()).execute(7)
    (kept,) = (out / "partial").glob("*.h5")
    with h5py.File(kept, "r+") as file:
        file["hits"][...] = 50
    run(model, pictures, out, ProgressListener()).execute(1)
    run(model, pictures, whole, ProgressListener()).execute(7)
    for one, other in zip(Store(out).records(), Store(whole).records(), strict=True):
        assert np.array_equal(one.tally.hits[...], other.tally.hits[...])


def test_alpha_is_shared_by_the_inputs_listed_and_not_by_those_that_happen_to_be_done(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    out = tmp_path / "out"
    assert onnxcert("certify", model, pictures, *BASE, "--out", out).status == 0
    (out / "inputs" / "p2.h5").unlink()
    decided = onnxcert("decide", out, "--alpha-scope", "dataset", "--fixed-beforehand", "--json")
    assert decided.status == 0
    assert "of all 3 inputs" in decided.json["decided"]["guarantee"]["statement"]


@pytest.mark.parametrize(
    "options",
    [
        ("--n", "10000000", "--looks", "auto"),
        ("--n", "300000", "--looks", "100,300000"),
        ("--tau", ",".join(f"0.{500 + i}" for i in range(200))),
    ],
)
def test_what_would_take_hours_or_lines_is_refused_in_a_sentence(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any, options: Any
) -> None:
    outcome = onnxcert("certify", model, pictures, *BASE, "--out", tmp_path / "out", *options)
    assert outcome.status == 2
    assert len(outcome.err) < 400


@pytest.mark.slow
def test_automatic_looks_stay_those_that_were_taken_when_deciding_again(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    out = tmp_path / "out"
    taus = ("--tau", "0.6,0.75")
    asked = ("--looks", "auto", "--n", "300", "--until", "0.5", *taus)
    assert onnxcert("certify", model, pictures, *BASE, "--out", out, *asked).status == 0
    free = onnxcert("decide", out, "--tau", "0.75", "--json")
    assert free.status == 0
    assert free.json["decided"]["rule"]["post_hoc"] == []
    late = onnxcert("decide", out, "--alpha", "0.01", "--out", tmp_path / "late", "--json")
    assert late.status == 0
    assert late.json["decided"]["rule"]["post_hoc"]
    assert onnxcert("verify", tmp_path / "late").status == 0
    assert "decided post hoc" in onnxcert("report", tmp_path / "late").out


def test_a_run_without_a_finished_input_is_nothing_to_verify(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    out = tmp_path / "out"
    stops = KillsAt(20)
    with pytest.raises(Killed):
        run(model, pictures, out, stops).execute(7)
    for command in ("verify", "report", "decide"):
        outcome = onnxcert(command, out)
        assert outcome.status == 2, command
    assert "none of 3 inputs is finished yet" in onnxcert("report", out).err


def test_a_budget_that_guarantees_nothing_says_so(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    asked = ("--budget", "99%", "--limit", "1")
    outcome = onnxcert("certify", model, pictures, *BASE, "--out", tmp_path / "out", *asked)
    assert "nothing is guaranteed: the budget of 190 wrong components" in outcome.out
