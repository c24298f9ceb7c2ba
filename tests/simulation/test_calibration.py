"""The short form of `onnxcert study --calibrate`: how often is what alpha bounds exceeded?

The designs are chosen so that the exact level is 90 % of the nominal one and more (with few draws,
discreteness hides a factor of two), and so that deciding at 1.25 alpha raises it as much. Every
design is held to alpha, to its exact level, and has to expose the rule at 1.25 alpha.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from onnxcert.simulation import catalogue
from onnxcert.simulation import invalid_rules as exposed
from onnxcert.simulation.calibration import SUSPICION, InvalidRule, p_value, row
from onnxcert.simulation.calibration import build_row as held_to
from onnxcert.simulation.components import tail, votes
from onnxcert.simulation.dependence import DependenceStructure, Event, draw
from onnxcert.simulation.designs import Design
from onnxcert.simulation.invalid_rules import misprinted_kfwer
from onnxcert.simulation.simulation import dependence_structures, simulate, simulate_from
from onnxcert.statistics import SPENDING, Family, decide, family, p_values
from onnxcert.statistics.correction import CORRECTIONS

REPETITIONS = 7_000

ONE, SEVERAL, MAPS, LOOKS, ERRORS = (
    part()
    for part in (
        catalogue.one_tau,
        catalogue.several_tau,
        catalogue.radius_maps,
        catalogue.looks,
        catalogue.law_errors,
    )
)
EVERYTHING = catalogue.all_designs()
SHARP = [
    design
    for design in EVERYTHING
    if design not in (*catalogue.misled(), *catalogue.floors())
    and not (design.controls == "FDR" and design.certain)
]
# One of each kind: correction, selection, several tau, radius map, looks. At several tau and under
# looks k > 1 stands for k = 1, too, as the steps are the same; `study --calibrate` takes all.
CHOSEN = [
    ONE[0], ONE[3], ONE[4], ONE[5], ONE[6], ONE[9], ONE[11], ONE[12], ONE[14], ONE[15],
    *(d for d in SEVERAL if d.selection == "pooled" and d.controls == "k-FWER"),
    *MAPS,
    *ERRORS,
    *(d for d in LOOKS if d.rule.schedule is not None and d.rule.schedule.spending == "equal"
      and not d.rule.more_taus and (d.controls == "k-FWER" or d.selection == "split")),
]  # fmt: skip


def name(design: Design) -> str:
    return design.name.replace("; ", ",").replace(" ", "")


# -- the levels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("design", SHARP, ids=name)
def test_the_designs_have_power(design: Design) -> None:
    """Computed, not simulated: the exact rates at alpha and at 1.25 alpha, in the worst case."""
    alpha, worst = design.rule.alpha, design.dependences[-1]
    level, raised = design.rate(worst), design.at(1.25 * alpha).rate(worst)
    assert level is not None
    assert raised is not None
    split = len(design.rule.taus) > 1
    assert (0.88 if split or design.controls == "FDR" else 0.94) * alpha < level <= alpha
    assert 1.12 * alpha < raised <= 1.25 * alpha


def test_every_permitted_combination_is_there() -> None:
    """Five corrections and two selections; several tau, radius map, looks where they may be."""
    seen = {
        (
            d.rule.correction,
            d.selection,
            len(d.rule.taus) > 1,
            d.rule.radius_map,
            d.rule.schedule.spending if d.rule.schedule else "",
        )
        for d in EVERYTHING
    }
    for selection in ("split", "pooled"):
        assert ("bonferroni", selection, False, True, "") in seen
        for correction in CORRECTIONS:
            for several in (False, True):
                assert (correction, selection, several, False, "") in seen
        for correction in ("bonferroni", "kfwer"):
            assert (correction, selection, True, False, "equal") in seen
            for spending in SPENDING:
                assert (correction, selection, False, False, spending) in seen


@pytest.mark.slow
@pytest.mark.parametrize("design", CHOSEN, ids=name)
def test_a_rule_keeps_its_level_in_the_worst_case_and_five_quarters_of_it_are_exposed(
    design: Design,
) -> None:
    # At several tau the worst case is less sharp, and told less easily.
    repetitions = REPETITIONS if len(design.rule.taus) == 1 else 10_000
    found = row(design, design.dependences[-1], repetitions, seed=20)
    assert found.must_detect
    assert found.detected, found
    assert found.as_expected, found


@pytest.mark.slow
@pytest.mark.parametrize("design", ONE[:5], ids=name)
@pytest.mark.parametrize("law", ["independent", "blocks"])
def test_a_rule_keeps_its_level_under_other_laws(design: Design, law: str) -> None:
    assert row(design, law, 3_000, seed=21).p_value > SUSPICION  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("design", catalogue.misled(), ids=name)
def test_a_misleading_selection_costs_nothing(design: Design) -> None:
    """Few draws choose the candidate, or a class just exceeds tau and another one wins."""
    worst = design.dependences[-1]
    votes = simulate(design, worst, 3_000, seed=22)
    failures = votes.failures()
    assert p_value(failures, design.rule.alpha, 22) > SUSPICION
    assert np.mean(votes.chance < 0.5) > 0.0 or max(design.two) == 0.5
    rate = design.rate(worst)
    if rate is not None:
        # Half of the p-value is spent on them: they happen, and are paid for.
        assert rate > 0.45 * design.rule.alpha
        assert p_value(failures, rate, 22, "two-sided") > SUSPICION


def test_identical_components_err_together_and_so_far_less_often() -> None:
    """Why the mutually exclusive law is needed: here even a rule at 3 alpha looks sound."""
    design = ONE[0]
    s = np.repeat(np.random.default_rng(3).random((3_000, 1)), 4, axis=1)
    votes = simulate_from(design, s, np.random.default_rng(4))
    assert votes.failures().mean() <= design.rule.alpha / 2
    raised = votes.failures(lambda tally: decide(tally, design.rule.but(alpha=0.3)))
    assert p_value(raised, design.rule.alpha, 3) > SUSPICION


def test_a_certain_component_is_always_certified_for_its_class() -> None:
    design = ONE[5]
    votes = simulate(design, "exclusive", 200, seed=6)
    for k in range(len(votes)):
        labels = decide(votes.tally(k), design.rule).labels
        sure = votes.candidate[k] == 2
        assert sure.sum() == design.certain
        assert (labels[sure] == 2).all()


# -- what does not hold is seen ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("case", exposed.all_invalid_rules(), ids=lambda case: case.name[14:])
def test_a_rule_that_does_not_hold_is_exposed_by_votes_that_ours_stands(case: InvalidRule) -> None:
    """k-FWER with N + 1 - i, Holm's levels as bounds, and others; ours decides the same votes."""
    votes = case.votes(case.design, REPETITIONS, 7)
    ours = held_to(case.design, case.dependence, votes.failures(), None, 7)
    failures = votes.failures(case.rule(case.design.rule))
    theirs = held_to(case.design, case.dependence, failures, None, 7)
    assert not ours.rejected
    assert theirs.rejected
    assert theirs.observed > 1.4 * case.design.rule.alpha


def test_kfwer_as_it_is_sometimes_written_certifies_what_has_no_votes() -> None:
    """With k alpha >= 1 its last level is 1: nobody's votes matter any more."""
    design = catalogue.design(
        "kfwer-stepdown", "split", 200, 61, (0.75,), taus=(0.75,), certain=30, b=10
    )
    votes = simulate(design, "independent", 1, seed=1)
    tally = votes.tally(0)
    without = replace(tally, hits=np.where(tally.candidate == 2, tally.n, 0))
    assert misprinted_kfwer(design.rule)(without).level.all()
    assert decide(without, design.rule).level.sum() == 30


@contextmanager
def _raised_tables(factor: float) -> Iterator[None]:
    """p-values that are too small by a factor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "p_values", lambda *a: p_values(*a) / factor)
        yield


def test_p_values_that_are_too_small_by_a_quarter_fail_the_calibration() -> None:
    design = ONE[4]
    votes = simulate(design.at(1.25 * design.rule.alpha), "exclusive", REPETITIONS, seed=20)
    with _raised_tables(1.25):
        failures = votes.failures(lambda tally: decide(tally, design.rule))
    assert held_to(design, "exclusive", failures, None, 20).rejected


# -- the simulation itself -----------------------------------------------------------------------


@pytest.mark.parametrize("design", [ONE[0], ONE[3], ONE[8], ONE[11], ONE[14], SEVERAL[3]], ids=name)
def test_every_component_by_itself_has_the_law_it_claims(design: Design) -> None:
    """Joint laws differ; each component's s is uniform, and its votes are Bin(n, p)."""
    rng = np.random.default_rng(9)
    for law in design.dependences:
        s = draw(dependence_structures(design, law), 20_000, rng)
        for i in range(len(design.two)):
            for level in (0.01, 0.02, 0.05, 0.3, 0.9):
                count = int((s[:, i] <= level).sum())
                assert binomtest(count, len(s), level).pvalue > 1e-6
    p, n = design.two[0], design.n
    candidate, hits = votes(
        rng.random(20_000), p, n, design.n0, design.selection, np.random.default_rng(10)
    )
    if design.selection == "pooled":
        zero = np.where(candidate == 0, hits, n - hits)
    else:
        zero = hits[candidate == 0]
    for x in binom.ppf([0.01, 0.25, 0.9, 0.99], n, p):
        expected = float(binom.sf(x - 1, n, p))
        assert binomtest(int((zero >= x).sum()), len(zero), expected).pvalue > 1e-5


@pytest.mark.parametrize("design", LOOKS[3:5], ids=name)
def test_votes_under_looks_have_the_law_they_claim(design: Design) -> None:
    """Drawn given whether they err, together they are binomial at every look again."""
    votes = simulate(design, "exclusive", 20_000, seed=11)
    assert votes.path is not None
    p = design.two[0]
    for k, look in enumerate(design.looks):
        for i in range(design.components):
            hits = votes.path[:, k, i]
            zero = np.where(votes.candidate[:, i] == 0, hits, look - hits)
            for x in binom.ppf([0.02, 0.3, 0.9, 0.99], look, p):
                expected = float(binom.sf(x - 1, look, p))
                assert binomtest(int((zero >= x).sum()), len(zero), expected).pvalue > 1e-6


def test_exclusive_errors_never_meet_and_groups_err_together() -> None:
    exclusive = simulate(ONE[0], "exclusive", 4_000, seed=12)
    x = ONE[0].bar(0.75)
    wrong = (exclusive.hits >= x) & (exclusive.candidate == 0)
    assert wrong.sum(axis=1).max() == 1
    together = simulate(ONE[9], "together", 4_000, seed=12)
    wrong = together.hits >= ONE[9].bar(0.75)
    assert set(wrong.sum(axis=1).tolist()) == {0, 3}


def test_a_law_that_would_bend_a_component_is_refused() -> None:
    with pytest.raises(ValueError, match="uniform"):
        DependenceStructure(2, (Event(0.1, {0: (0.0, 0.1), 1: (0.0, 0.2)}),))
    with pytest.raises(ValueError, match="add up to at most 1"):
        DependenceStructure(2, (Event(0.6, {0: (0.0, 0.6)}), Event(0.6, {1: (0.0, 0.6)})))


def test_the_tail_of_the_pooled_winner_is_that_of_either_class() -> None:
    n, p = 31, 0.6
    top = np.maximum(draws := np.random.default_rng(1).binomial(n, p, 50_000), n - draws)
    for x in (18, 20, 24):
        assert binomtest(int((top >= x).sum()), 50_000, tail(n, p, "pooled")[x]).pvalue > 1e-5


def test_the_family_of_a_design_is_that_of_its_rule() -> None:
    design = ONE[11]
    assert design.family == Family.of(design.rule, 12, "split")
    assert design.family.k == 3
