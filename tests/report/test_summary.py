"""The rows of a run are those of its inputs together, whatever their sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from records import record

from onnxcert.metrics.scores import scores
from onnxcert.report.tables.summary import summarise
from onnxcert.results import Record
from onnxcert.results.record import certified_row
from onnxcert.statistics.rule import Budget, Rule, Schedule

SHAPES = ((6, 7), (10, 12))


def records(rule: Rule, n: int = 100) -> list[Record]:
    return [
        record(f"x{i}", truth=True, shape=shape, rule=rule, n=n) for i, shape in enumerate(SHAPES)
    ]


def test_each_tau_has_the_share_of_all_components_that_abstain_at_it() -> None:
    rule = Rule(tau=0.75, more_taus=(0.9, 0.6), alpha=0.05, correction="bonferroni")
    found = records(rule)
    summary = summarise(found)
    total = 6 * 7 + 10 * 12
    shares = []
    for tau in rule.taus:
        row = "certified" if tau == 0.75 else certified_row(tau)
        # Pixels, not pictures, count alike.
        abstain = sum(np.count_nonzero(r.certificate().labels_at(tau) < 0) for r in found) / total
        assert summary.rows[row].abstain == abstain
        # The truth is the candidate, so that whoever does not abstain is right.
        assert summary.rows[row].scores.accuracy == pytest.approx(1 - abstain)  # type: ignore[union-attr]
        assert summary.rows[row].radius == found[0].tally.draws.perturbation.radius(tau)
        assert summary.rows[row].scores == scores(sum(np.asarray(r.confusions[row]) for r in found))
        shares.append(abstain)
    assert len(set(shares)) == 3  # so that no two rows could be taken for each other
    assert summary.curve is not None
    assert summary.curve.components == total
    np.testing.assert_array_equal(
        summary.curve.certified, [round((1 - shares[i]) * total) for i in (2, 0, 1)]
    )


@pytest.mark.parametrize(("text", "b"), [("10%", 12), ("3", 3)])
def test_the_budget_is_that_of_the_largest_input_wherever_it_stands(text: str, b: int) -> None:
    rule = Rule(alpha=0.05, correction="kfwer", budget=Budget(text))
    found = records(rule)
    for order in (found, found[::-1]):
        summary = summarise(order)
        assert (summary.components, summary.budget) == (120, b)
        assert "N 42 to 120 components" in summary.statement
        if text == "10%":
            assert "b = 4 to 12" in summary.statement


def test_draws_are_the_mean_of_what_was_drawn_and_n_the_most_there_may_be() -> None:
    rule = Rule(alpha=0.05, correction="bonferroni", schedule=Schedule(100, (50, 80, 100)))
    whole, other = records(rule)
    tally = other.tally
    assert tally.path is not None
    stopped = replace(
        tally, n=50, hits=tally.path[0], looks=(50,), path=tally.path[:1], joint=None, ended="until"
    )
    early = replace(other, tally=stopped)
    for order in ((whole, early), (early, whole)):
        summary = summarise(order)
        assert (summary.draws, summary.max_draws) == (75.0, 100)
        assert summary.ended == {"until": 1}
        assert summary.settings["n"] == 100
        assert "n at most 100 draws" in summary.statement
    assert summarise([early, early]).ended == {"until": 2}


def test_the_radius_of_inputs_that_have_their_own_is_the_smallest() -> None:
    rule = Rule(alpha=0.05, correction="bonferroni", procedure="indivclass")
    one = record(truth=True, shape=(6, 7), rule=rule, selection="split")
    far, near = (
        replace(one, decision=replace(one.decision, radius=(r,), own_radius=r)) for r in (0.5, 0.25)
    )
    for order in ((far, near), (near, far)):
        summary = summarise(order)
        assert summary.radius == summary.rows["certified"].radius == 0.25
        assert "R = 0.25" in summary.statement
