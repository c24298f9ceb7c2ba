"""Several tau under step-down corrections: closed testing, and records that shared alpha."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
from exact import tally_of
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from statsmodels.stats.multitest import multipletests
from worst_law import Decider, worst_rate

from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import Family, decide, p_values
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.rule import STEP_DOWN, Budget, Rule

TAUS = (0.75, 0.5, 0.6)


def votes(n: int) -> np.ndarray:
    return np.random.default_rng(n).binomial(n, np.linspace(0.5, 1.0, 41))


# -- what is certified -----------------------------------------------------------------------------


@given(
    hits=st.lists(st.integers(0, 90), min_size=1, max_size=30),
    taus=st.lists(st.sampled_from([0.5, 0.51, 0.55, 0.6, 0.75, 0.9]), min_size=2, unique=True),
    alpha=st.floats(1e-4, 0.5),
    correction=st.sampled_from(STEP_DOWN),
    selection=st.sampled_from(["pooled", "split"]),
    law_error=st.sampled_from([0.0, 1e-7, 0.01]),
)
@examples(300)
def test_steps_certify_at_each_of_several_tau_what_the_single_step_does(
    hits: list[int],
    taus: list[float],
    alpha: float,
    correction: str,
    selection: Selection,
    law_error: float,
) -> None:
    budget = Budget("40%" if correction.startswith("kfwer") else "0")
    rule = Rule(
        tau=taus[0], more_taus=tuple(taus[1:]), alpha=alpha, correction=correction, budget=budget
    )
    single = rule.but(correction="kfwer" if budget else "bonferroni")
    tally = replace(tally_of(hits, 90, selection), law_error=law_error)
    assert np.all(decide(tally, rule).level >= decide(tally, single).level)


@given(
    hits=st.lists(st.integers(40, 90), min_size=2, max_size=30),
    taus=st.lists(st.sampled_from([0.5, 0.55, 0.6, 0.75, 0.9]), min_size=2, unique=True),
    alpha=st.floats(1e-3, 0.5),
    b=st.integers(0, 4),
)
@examples(300)
def test_split_votes_are_stepped_at_the_largest_tau_and_then_tested_with_those_left(
    hits: list[int], taus: list[float], alpha: float, b: int
) -> None:
    """By sorting, and for Holm by statsmodels at the largest tau."""
    n, size = 90, len(hits)
    k = min(b, size - 1) + 1
    rule = Rule(
        tau=taus[0],
        more_taus=tuple(taus[1:]),
        alpha=alpha,
        correction="holm" if k == 1 else "kfwer-stepdown",
        budget=Budget(str(k - 1)),
    )
    certificate = decide(tally_of(hits, n, "split"), rule)
    top = np.sort(p_values(n, max(taus), "split")[hits])
    levels = [k * alpha / (size if i <= k else size + k - i) for i in range(1, size + 1)]
    rejected = int(np.logical_and.accumulate(top <= levels).sum())
    if k == 1:
        with pytest.MonkeyPatch.context() as patch:  # it collects garbage at every call
            patch.setattr(gc, "collect", lambda: 0)
            assert rejected == multipletests(top, alpha, "holm")[0].sum()
    assert np.count_nonzero(certificate.labels_at(max(taus)) >= 0) == rejected
    left = min(size, size + k - 1 - rejected)
    for tau in taus:
        expected = p_values(n, tau, "split")[hits] * left <= k * alpha
        np.testing.assert_array_equal(
            certificate.labels_at(tau) >= 0, expected | (rejected == size)
        )


def test_pooled_votes_leave_the_reserve_of_the_smallest_tau() -> None:
    """At tau .55 of 100 draws the reserve is a good part of alpha; at .9 alone it is nothing."""
    n, hits, alpha = 100, np.array([100] * 30 + [78] + [70] * 5), 0.05
    rule = Rule(tau=0.55, more_taus=(0.9,), alpha=alpha)
    reserve = Family.of(rule, 36, "pooled").reserve(n)
    assert 0.02 * alpha < reserve < 0.98 * alpha
    left = 6  # Holm certifies thirty at .9
    for tau, threshold in zip(rule.taus, decide(tally_of(hits, n), rule).thresholds, strict=True):
        passed = p_values(n, tau, "pooled") <= (alpha - reserve) / left
        assert threshold == int(np.argmax(passed))


# -- how often it errs -----------------------------------------------------------------------------

# Correction, b, tau, draws, P(first class) of each component, selection, alpha that votes can spend
# to the full, and how near to it the worst joint law comes.
FAMILIES: list[
    tuple[str, int, tuple[float, ...], int, tuple[float, ...], Selection, float, float]
] = [
    ("holm", 0, (0.5, 0.75), 13, (0.5, 1.0), "split", 0.500000000505, 0.99),
    ("holm", 0, (0.5, 0.75), 14, (0.75, 1.0), "split", 0.2811276244976344, 0.99),
    ("holm", 0, (0.5, 0.6, 0.7), 11, (0.7, 0.5), "split", 0.22656250022882815, 0.99),
    ("holm", 0, (0.6, 0.8, 0.9), 13, (0.9, 0.8), "split", 0.5083731661792571, 0.95),
    ("kfwer-stepdown", 1, (0.5, 0.9), 12, (0.5, 0.5), "split", 0.19384765644578614, 0.99),
    ("kfwer-stepdown", 1, (0.6, 0.65), 5, (0.625, 0.65, 0.65), "split", 0.6825600006893856, 0.9),
    ("holm", 0, (0.65, 0.7, 0.75), 9, (0.65, 0.65), "pooled", 0.04158145699512229, 0.99),
    ("holm", 0, (0.65, 0.75), 10, (0.65, 0.65), "pooled", 0.1729886509790155, 0.99),
    ("holm", 0, (0.65, 0.7, 0.9), 13, (0.65, 0.7), "pooled", 0.6213449808975586, 0.7),
    ("kfwer-stepdown", 1, (0.7, 0.8, 0.9), 13, (0.7, 0.8), "pooled", 0.24457932781649588, 0.8),
]


@pytest.mark.parametrize(
    ("correction", "b", "taus", "n", "chances", "selection", "alpha", "near"), FAMILIES
)
def test_no_joint_law_makes_it_err_more_often_than_alpha(
    correction: str,
    b: int,
    taus: tuple[float, ...],
    n: int,
    chances: tuple[float, ...],
    selection: Selection,
    alpha: float,
    near: float,
) -> None:
    rule = Rule(
        tau=taus[0],
        more_taus=taus[1:],
        alpha=alpha,
        correction=correction,
        budget=Budget(str(b)),
    )
    worst = worst_rate(rule, n, chances, selection, b + 1) / alpha
    assert near < worst <= 1.0 + 1e-7


@pytest.mark.parametrize("selection", ["split", "pooled"])
def test_no_joint_law_does_so_in_families_of_any_kind(selection: Selection) -> None:
    """Drawn at random, also with classes that just exceed a tau, and three components."""
    rng = np.random.default_rng(8)
    for _ in range(25):
        size = int(rng.integers(2, 4))
        n = int(rng.integers(6, 13 if size == 2 else 8))
        taus = np.sort(rng.choice([0.5, 0.55, 0.6, 0.7, 0.8, 0.9], 2, replace=False)).tolist()
        b = int(rng.integers(0, 2))
        rule = Rule(
            tau=taus[0],
            more_taus=tuple(taus[1:]),
            alpha=float(rng.uniform(0.03, 0.5)),
            correction="kfwer-stepdown" if b else "holm",
            budget=Budget(str(b)),
        )
        chances = rng.choice([*taus, taus[0] + 0.001, taus[1] + 0.001, 1.0], size).tolist()
        assert worst_rate(rule, n, chances, selection, b + 1) <= rule.alpha * (1.0 + 1e-7)


def whole_alpha_at_each(tally: Tally, rule: Rule) -> Certificate:
    """Holm with all of alpha at each tau by itself."""
    sound = decide(tally, rule)
    alone = [decide(tally, rule.but(tau=t, more_taus=())).level > 0 for t in sorted(rule.taus)]
    level = np.max([np.where(passed, j, 0) for j, passed in enumerate(alone, start=1)], axis=0)
    return replace(sound, level=level)


def steps_of_the_smallest(tally: Tally, rule: Rule) -> Certificate:
    """alpha / (N - R) with the R certified at the smallest tau in the place of the largest."""
    low = decide(tally, rule.but(tau=min(rule.taus), more_taus=()))
    left = max(1, tally.components - int(np.count_nonzero(low.level)))
    tables = [p_values(tally.n, tau, tally.selection)[tally.hits] for tau in sorted(rule.taus)]
    passed = [table <= rule.alpha / left for table in tables]
    return replace(low, levels=np.array(sorted(rule.taus)), level=np.sum(passed, axis=0))


@pytest.mark.parametrize(
    ("decider", "taus", "chances", "alpha", "rate"),
    [
        (whole_alpha_at_each, (0.55, 0.7), (0.7, 0.55), 0.5105966605157024, 1.4),
        (steps_of_the_smallest, (0.6, 0.7), (0.7, 0.7), 0.2552983302578512, 1.9),
    ],
)
def test_forms_that_do_not_hold_are_seen(
    decider: Decider,
    taus: tuple[float, ...],
    chances: tuple[float, ...],
    alpha: float,
    rate: float,
) -> None:
    rule = Rule(tau=taus[0], more_taus=taus[1:], alpha=alpha)
    assert worst_rate(rule, 8, chances, "split", decider=decider) > rate * alpha
    assert worst_rate(rule, 8, chances, "split") <= alpha


# -- records of before -----------------------------------------------------------------------------

# Thresholds at tau .75, .5 and .6 of `votes`, alpha .01, as they were decided with alpha / 3 each.
SHARED = {
    (60, "pooled", "holm"): (57, 46, 51),
    (60, "pooled", "kfwer-stepdown"): (56, 45, 51),
    (60, "split", "holm"): (57, 45, 51),
    (60, "split", "kfwer-stepdown"): (56, 44, 51),
    (300, "pooled", "holm"): (254, 185, 216),
    (300, "pooled", "kfwer-stepdown"): (251, 183, 209),
    (300, "split", "holm"): (254, 183, 216),
    (300, "split", "kfwer-stepdown"): (251, 179, 209),
}


@pytest.mark.parametrize(("n", "selection", "correction"), SHARED)
def test_a_record_that_does_not_name_closed_testing_is_decided_as_it_was(
    n: int, selection: Selection, correction: str
) -> None:
    asked = Rule(
        tau=TAUS[0],
        more_taus=TAUS[1:],
        alpha=0.01,
        correction=correction,
        budget=Budget("5%" if correction != "holm" else "0"),
    )
    written = asked.as_dict()
    assert written.pop("closed_testing") is True
    old = Rule.from_dict(written)
    assert (asked.closed_testing, old.closed_testing) == (True, False)
    assert old.as_dict() == written
    tally = tally_of(votes(n), n, selection)
    assert decide(tally, old).thresholds == SHARED[n, selection, correction]
    assert Family.of(old, 41, selection).alpha == 0.01 / 3
    assert decide(tally, asked).thresholds != SHARED[n, selection, correction]


def test_where_it_plays_no_part_nothing_is_written_and_all_rules_are_one() -> None:
    for rule in (Rule(), Rule(more_taus=(0.9,), correction="bonferroni")):
        assert "closed_testing" not in rule.as_dict()
        assert rule.but(closed_testing=False) == rule == Rule.from_dict(rule.as_dict())


def test_the_corrections_tested_so_are_the_step_down_ones() -> None:
    stepped = {n for n, one in CORRECTIONS.items() if one.stepwise and one.controls != "FDR"}
    assert stepped == set(STEP_DOWN)


@pytest.mark.parametrize("correction", STEP_DOWN)
def test_shared_steps_that_go_further_at_a_larger_tau_are_cut_at_the_smaller_ones(
    correction: str,
) -> None:
    """At 1/2 the reserve takes all of alpha and the first step is all there is; at .55 Holm's steps
    go down to fewer votes. A component certified at .55 must be certified at 1/2."""
    hits, n = np.array([73] * 49 + [50]), 73
    rule = Rule(tau=0.5, more_taus=(0.55,), alpha=0.2, correction=correction, closed_testing=False)
    family = Family.of(rule, 50, "pooled")
    histogram = np.bincount(hits, minlength=n + 1)
    low, high = (replace(family, tau=tau).threshold(n, histogram) for tau in rule.taus)
    assert high <= 50 < low
    certificate = decide(tally_of(hits, n), rule)
    assert certificate.thresholds == (low, low)
    for tau in rule.taus:
        np.testing.assert_array_equal(certificate.labels_at(tau) >= 0, hits >= low)
