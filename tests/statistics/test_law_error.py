"""The law error of the draws: every decision is about a law that the votes have only nearly."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from exact import tally_of
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from worst_law import worst_rate

from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.planning import PlanRequest, votes_needed
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import Family, OneSidedLevel, boundaries, decide, p_values, smallest_n
from onnxcert.statistics import tested_tau as raised_tau
from onnxcert.statistics.baselines import alpha_for_predictions
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.rule import Budget, Rule, Schedule
from onnxcert.statistics.sample_size import (
    can_certify,
    can_certify_at_a_look,
    find_boundaries,
    resolve_looks,
)
from onnxcert.statistics.settings import Settings

DELTA = 0.02
NAMES = sorted(CORRECTIONS)


def votes(n: int) -> np.ndarray:
    return np.random.default_rng(n).binomial(n, np.linspace(0.5, 1.0, 41))


def off(tally: Tally, law_error: float = DELTA) -> Tally:
    return replace(tally, law_error=law_error)


def rule_of(correction: str, *taus: float, alpha: float = 0.01, **further: object) -> Rule:
    budget = Budget("5%" if correction.startswith("kfwer") else "0")
    return Rule(
        tau=taus[0],
        more_taus=taus[1:],
        alpha=alpha,
        correction=correction,
        budget=budget,
        **further,  # type: ignore[arg-type]
    )


# -- without an error nothing changes --------------------------------------------------------------

# Thresholds of `votes` at tau .5, at .75, and at .75, .5 and .6 together, decided before there was
# a law error (the two step-down corrections at several tau: test_closed_testing.py).
BEFORE = {
    (60, "pooled", "bonferroni"): ((45,), (56,), (56, 48, 50)),
    (60, "pooled", "holm"): ((45,), (56,), None),
    (60, "pooled", "kfwer"): ((44,), (56,), (56, 47, 49)),
    (60, "pooled", "kfwer-stepdown"): ((44,), (56,), None),
    (60, "pooled", "benjamini-yekutieli"): ((45,), (56,), (56, 48, 50)),
    (300, "split", "bonferroni"): ((181,), (251,), (251, 181, 210)),
    (300, "split", "holm"): ((179,), (251,), None),
    (300, "split", "kfwer"): ((178,), (249,), (249, 178, 208)),
    (300, "split", "kfwer-stepdown"): ((176,), (249,), None),
    (300, "split", "benjamini-yekutieli"): ((176,), (249,), (249, 176, 206)),
}


@pytest.mark.parametrize(("n", "selection", "correction"), BEFORE)
def test_votes_of_an_exact_law_are_decided_as_ever(
    n: int, selection: Selection, correction: str
) -> None:
    tally = tally_of(votes(n), n, selection)
    for taus, before in zip(
        ((0.5,), (0.75,), (0.75, 0.5, 0.6)), BEFORE[n, selection, correction], strict=True
    ):
        if before is not None:
            assert decide(tally, rule_of(correction, *taus)).thresholds == before


@pytest.mark.parametrize(("n", "selection", "first"), [(60, "pooled", 58), (300, "split", 255)])
def test_so_are_radius_maps_and_looks(n: int, selection: Selection, first: int) -> None:
    tally = tally_of(votes(n), n, selection)
    mapped = decide(
        tally, rule_of("bonferroni", 0.75, 0.9, alpha=0.001, radius_map=True, floor=0.6)
    )
    bounds = OneSidedLevel(n, 0.001 / 41, selection, 0.6).lower_bounds()
    assert mapped.threshold == first
    np.testing.assert_array_equal(
        np.concatenate([[0.0], mapped.levels])[mapped.level], bounds[tally.hits]
    )
    rows = {60: [[25, 44], [30, 56]], 300: [[96, 179], [130, 249]]}
    found = boundaries((n // 2, n), [0.5, 0.75], 0.001, selection, "equal")
    assert found.tolist() == rows[n]
    assert raised_tau(0.1 + 0.65, 0.0) == 0.1 + 0.65


# -- with one, tests are at tau + delta ------------------------------------------------------------


@given(
    correction=st.sampled_from(NAMES),
    selection=st.sampled_from(["pooled", "split"]),
    taus=st.lists(
        st.sampled_from([0.5, 0.55, 0.6, 0.75, 0.9]), min_size=1, max_size=3, unique=True
    ),
    law_error=st.sampled_from([1e-7, 1e-3, 0.03]),
    alpha=st.floats(1e-3, 0.3),
)
@examples(200)
def test_certified_is_who_would_be_at_the_raised_tau(
    correction: str, selection: Selection, taus: list[float], law_error: float, alpha: float
) -> None:
    """Labels are those of tau + delta, the tau and the radius those asked for."""
    rule = rule_of(correction, *taus, alpha=alpha)
    raised = rule.but(
        tau=raised_tau(taus[0], law_error),
        more_taus=tuple(raised_tau(tau, law_error) for tau in taus[1:]),
    )
    tally = tally_of(votes(90), 90, selection)
    found, expected = decide(off(tally, law_error), rule), decide(tally, raised)
    assert found.thresholds == expected.thresholds
    np.testing.assert_array_equal(found.level, expected.level)
    assert found.levels.tolist() == sorted(taus)
    assert found.radius == Gaussian(0.25).radius(taus[0])
    family = Family.of(rule, 41, selection, law_error)
    same = Family.of(raised, 41, selection)
    assert (family.reserve(90), family.entry_level_at(90)) == (
        same.reserve(90),
        same.entry_level_at(90),
    )
    assert smallest_n(family) == smallest_n(same)
    assert can_certify(family, 30) == can_certify(same, 30)
    if len(taus) == 1:
        assert votes_needed(rule, 41, selection, 90, law_error=law_error) == votes_needed(
            raised, 41, selection, 90
        )


@pytest.mark.parametrize("selection", ["split", "pooled"])
def test_looks_are_at_the_raised_tau(selection: Selection) -> None:
    schedule = Schedule(100, (50, 100))
    rule = rule_of("bonferroni", 0.6, 0.75, schedule=schedule)
    raised = rule.but(tau=raised_tau(0.6, DELTA), more_taus=(raised_tau(0.75, DELTA),))
    hits = np.random.default_rng(1).binomial(50, np.linspace(0.5, 1, 41), (2, 41)).cumsum(axis=0)
    tally = replace(tally_of(hits[1], 100, selection), looks=(50, 100), path=hits)
    found, expected = decide(off(tally), rule), decide(tally, raised)
    assert found.thresholds == expected.thresholds != decide(tally, rule).thresholds
    np.testing.assert_array_equal(found.level, expected.level)
    auto = Schedule(300)
    family, same = Family.of(rule, 41, selection, DELTA), Family.of(raised, 41, selection)
    bounds, higher = find_boundaries(rule, family, 10)[1], find_boundaries(raised, same, 10)[1]
    np.testing.assert_array_equal(bounds, higher)
    assert resolve_looks(auto, family, 10) == resolve_looks(auto, same, 10)
    assert resolve_looks(auto, family, 10) != resolve_looks(
        auto, Family.of(rule, 41, selection), 10
    )
    for n in range(10, 60):
        one = {"schedule": Schedule(n, (n,))}
        assert can_certify_at_a_look(rule.but(**one), family, 10) == can_certify_at_a_look(
            raised.but(**one), same, 10
        )


@pytest.mark.parametrize("selection", ["split", "pooled"])
@pytest.mark.parametrize("law_error", [1e-7, DELTA])
def test_a_radius_map_has_bounds_less_the_error_from_the_floor_on(
    selection: Selection, law_error: float
) -> None:
    n, floor = 200, 0.6
    tally = tally_of(np.arange(n + 1), n, selection)
    rule = rule_of("bonferroni", 0.75, radius_map=True, floor=floor)
    found = decide(off(tally, law_error), rule)
    level = 0.01 / (n + 1)
    bounds = OneSidedLevel(n, level, selection, raised_tau(floor, law_error)).lower_bounds()
    claimed = np.concatenate([[0.0], found.levels])[found.level]
    np.testing.assert_array_equal(claimed > 0.0, bounds > 0.0)
    assert claimed[claimed > 0.0].min() >= floor
    above = bounds - law_error > floor
    assert np.all(claimed[above] < bounds[above] - law_error)
    np.testing.assert_allclose(claimed[above], bounds[above] - law_error, rtol=1e-12)
    assert found.threshold == int(np.argmax(claimed >= 0.75))


def test_a_component_certified_at_the_floor_has_the_floor() -> None:
    """Its bound is the tested floor; less the error it could fall below the floor by rounding."""
    for floor, law_error in ((0.6, 0.02), (0.7, 1e-7), (0.55, 3e-3)):
        tested = raised_tau(floor, law_error)
        alpha = float(p_values(50, tested, "split")[45])
        rule = Rule(tau=floor, alpha=alpha, correction="bonferroni", radius_map=True, floor=floor)
        found = decide(off(tally_of([45], 50, "split"), law_error), rule)
        assert found.levels[0] == floor
        assert found.level.tolist() == [1]
        assert found.threshold == 45


def test_indivclass_and_jointclass() -> None:
    rule = Rule(tau=0.6, alpha=0.01, correction="bonferroni", procedure="indivclass")
    tally = tally_of([190, 200], 200, "split")
    plain, less = decide(tally, rule), decide(off(tally), rule)
    bound = OneSidedLevel(200, 0.005, "split", raised_tau(0.5, DELTA)).lower_bounds()[190]
    assert less.radius == Gaussian(0.25).radius(float(np.nextafter(bound - DELTA, 0.0)))
    assert 0.0 < less.radius < plain.radius
    joint = replace(tally, joint=150)
    rule = rule.but(procedure="jointclass")
    assert decide(off(joint), rule).threshold == decide(joint, rule.but(tau=0.62)).threshold
    assert decide(off(joint), rule).threshold > decide(joint, rule).threshold


def test_predictions_pay_for_the_coupling_of_all_draws() -> None:
    """n delta is taken from alpha once, for all components together, and then the rest shared."""
    n, rule = 100, Rule(alpha=0.01, correction="bonferroni", procedure="predict")
    first = np.arange(50, 101)
    tally = replace(tally_of(first, n, n0=n), runner_up=n - first)
    left = 0.01 - n * 9e-5
    for law_error, alpha in ((0.0, 0.01), (9e-5, left)):
        found = decide(off(tally, law_error), rule)
        np.testing.assert_array_equal(found.level, decide(tally, rule.but(alpha=alpha)).level)
    assert decide(off(tally, 9e-5), rule).level.sum() < decide(tally, rule).level.sum()
    nothing = decide(off(tally, 1e-4), rule)
    assert not nothing.level.any()
    assert "take all of alpha 0.01" in nothing.notes[0]
    assert alpha_for_predictions(0.01, n, 1e-4) == 0.0
    assert not decide(off(tally, 0.4), rule).level.any()


def test_predictions_that_underflow_are_not_made_where_alpha_is_used_up() -> None:
    n = 5000  # 2 P(Bin(5000, 1/2) >= 5000) is 0 in floating point
    tally = replace(tally_of([n], n, n0=n), runner_up=np.array([0]))
    rule = Rule(alpha=0.01, correction="bonferroni", procedure="predict")
    assert decide(tally, rule).level.all()
    assert not decide(off(tally, 0.01 / n), rule).level.any()


# -- how often it errs -----------------------------------------------------------------------------


def ignored(tally: Tally, rule: Rule) -> Certificate:
    return decide(replace(tally, law_error=0.0), rule)


@pytest.mark.parametrize("correction", ["bonferroni", "holm"])
@pytest.mark.parametrize("selection", ["split", "pooled"])
@pytest.mark.parametrize("taus", [(0.7,), (0.6, 0.7)])
def test_votes_off_by_delta_keep_the_level_and_who_ignores_it_is_seen(
    correction: str, selection: Selection, taus: tuple[float, ...]
) -> None:
    """The worst joint law, where each null component votes with tau + delta."""
    n, chances, delta = 12, (taus[-1], taus[-1]), 0.08
    rule = rule_of(correction, *taus, alpha=0.25)
    assert worst_rate(rule, n, chances, selection, law_error=delta) <= rule.alpha
    found = worst_rate(rule, n, chances, selection, law_error=delta, decider=ignored)
    assert found > 1.25 * rule.alpha


# -- what is refused -------------------------------------------------------------------------------


def test_a_tau_that_reaches_one_is_refused_in_one_sentence() -> None:
    for refuse in (
        lambda: Family.of(Rule(tau=0.99), 5, "split", DELTA),
        lambda: Family.of(Rule(tau=0.6, more_taus=(0.99,)), 5, "split", DELTA),
        lambda: decide(off(tally_of([60], 60)), Rule(tau=0.99)),
        lambda: Settings(perturbation=Gaussian(0.25), rule=Rule(tau=0.99)).can_certify(5, DELTA),
        lambda: Settings(perturbation=Gaussian(0.25), rule=Rule(tau=0.99)).check_feasible(5, DELTA),
        lambda: PlanRequest(components=5, rule=Rule(tau=0.99), law_error=DELTA),
    ):
        with pytest.raises(
            ParameterError, match=r"law error 0.02 of .* must be below 1, .*; lower tau\.$"
        ):
            refuse()


@pytest.mark.parametrize("law_error", [-1e-9, 0.5, math.nan, math.inf])
def test_what_is_no_law_error_is_refused(law_error: float) -> None:
    with pytest.raises(ParameterError, match=r"at least 0 and below 0\.5"):
        off(tally_of([60], 60), law_error)
    with pytest.raises(ParameterError, match=r"at least 0 and below 0\.5"):
        raised_tau(0.75, law_error)


def test_settings_hand_it_to_counts_and_refuse_by_it() -> None:
    settings_ = Settings(perturbation=Gaussian(0.25), n=75, rule=Rule(alpha=0.001))
    assert settings_.can_certify(10**6)
    assert not settings_.can_certify(10**6, DELTA)
    with pytest.raises(ParameterError, match="use --n"):
        settings_.check_feasible(10**6, DELTA)
    enough = smallest_n(settings_.family(10**6, DELTA))
    assert enough > 75
    draws = tally_of([60], 60).draws
    assert settings_.count(draws, 2, 5, law_error=1e-7).law_error == 1e-7
    many = Settings(
        perturbation=Gaussian(0.25),
        n=100,
        n0=100,
        rule=Rule(correction="bonferroni", procedure="predict"),
    )
    assert many.can_certify(9, 9e-6)
    with pytest.raises(ParameterError, match="n 100 is too large: the law error"):
        many.check_feasible(9, 1e-5)


def test_the_statement_says_it_rounded_up_and_is_as_ever_without() -> None:
    tally = tally_of([190, 200], 200)
    plain = decide(tally, Rule()).statement()
    assert "law error" not in plain
    assert decide(off(tally, 1.2001e-7), Rule()).statement() == (
        plain.removesuffix("]") + ", law error 1.21e-07]"
    )
