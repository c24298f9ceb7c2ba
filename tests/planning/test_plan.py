"""A plan says what the decision does: votes, smallest n, looks, and the share to expect."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.planning import Plan, PlanRequest, VoteRates, votes_needed
from onnxcert.planning.scheme import smallest_useful_n
from onnxcert.report.objects.plan import plan_object
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import Family, decide, find_boundaries
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.rule import Budget, Rule, Schedule

DRAWS = Draws(Gaussian(0.25), 1, "00" * 32)

RULES = {
    **{name: Rule(correction=name, alpha=0.01) for name in CORRECTIONS},
    "budget": Rule(correction="kfwer", budget=Budget("3"), alpha=0.01),
    "budget, stepwise": Rule(correction="kfwer-stepdown", budget=Budget("10%"), alpha=0.01),
    "several": Rule(tau=0.8, more_taus=(0.6, 0.9), correction="bonferroni", alpha=0.01),
    "several, stepwise": Rule(tau=0.8, more_taus=(0.6, 0.9), alpha=0.01),
    "several, FDR": Rule(
        tau=0.8, more_taus=(0.6, 0.9), correction="benjamini-yekutieli", alpha=0.01
    ),
    "several from 0.5, FDR": Rule(
        tau=0.5, more_taus=(0.7,), correction="benjamini-yekutieli", alpha=0.01
    ),
    "map": Rule(tau=0.8, correction="bonferroni", radius_map=True, alpha=0.01),
}


def tally(hits: npt.NDArray[Any], n: int, selection: Selection, **more: Any) -> Tally:
    zeros = np.zeros(hits.shape, np.uint8)
    return Tally(zeros, hits, zeros, n, 1, selection, 2, 0, DRAWS, **more)


def certified(rule: Rule, hits: list[int], n: int, selection: Selection, tau: float) -> bool:
    """Whether the first of the components is certified at tau."""
    certificate = decide(tally(np.array(hits), n, selection), rule)
    return bool(certificate.labels_at(tau)[0] >= 0)


@given(
    rule=st.sampled_from(sorted(RULES)),
    selection=st.sampled_from(["pooled", "split"]),
    components=st.integers(8, 60),
    n=st.integers(5, 160),
    others=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
)
@examples(250)
def test_a_component_is_certified_from_just_these_votes_on(
    rule: str, selection: Selection, components: int, n: int, others: float
) -> None:
    asked = RULES[rule]
    full = int(others * (components - 1))
    rest = [n] * full + [0] * (components - 1 - full)
    needed = votes_needed(asked, components, selection, n, others=others)
    for tau, votes in zip(asked.taus, needed, strict=True):
        assert 0 < votes <= n + 1
        if votes <= n:
            assert certified(asked, [votes, *rest], n, selection, tau)
        assert not certified(asked, [votes - 1, *rest], n, selection, tau)


@given(
    rule=st.sampled_from(sorted(RULES)),
    hits=st.lists(st.integers(0, 120), min_size=7, max_size=40),
    selection=st.sampled_from(["pooled", "split"]),
)
@examples(80)
def test_no_component_of_any_tally_is_refused_that_has_the_votes(
    rule: str, hits: list[int], selection: Selection
) -> None:
    asked = RULES[rule]
    needed = votes_needed(asked, 1 + len(hits), selection, 120)
    for tau, votes in zip(asked.taus, needed, strict=True):
        assert votes > 120 or certified(asked, [votes, *hits], 120, selection, tau)


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("correction", ["bonferroni", "kfwer"])
def test_the_votes_at_looks_are_those_that_certify_there(
    correction: str, selection: Selection
) -> None:
    budget = Budget("2" if correction == "kfwer" else "0")
    rule = Rule(
        tau=0.8, more_taus=(0.6,), alpha=0.01, correction=correction, budget=budget,
        schedule=Schedule(300, (40, 100, 300), "pocock"),
    )  # fmt: skip
    looks, bounds = find_boundaries(rule, Family.of(rule, 30, selection), 10)
    rows = bounds.tolist()
    tried = 0
    for tau, row in zip(rule.taus, rows, strict=True):
        for taken, (look, votes) in enumerate(zip(looks, row, strict=True), start=1):
            for hits, expected in ((votes, True), (votes - 1, False)):
                if hits > look:
                    continue
                path = np.zeros((taken, 30), np.int64)
                path[-1, 0] = hits
                earlier = looks[taken - 2] if taken > 1 else 0
                if hits > look - earlier:  # the rest must have come before, below the boundary
                    path[:-1, 0] = hits - (look - earlier)
                    if any(path[k, 0] >= row[k] for k in range(taken - 1)):
                        continue
                    if taken == 3:
                        path[0, 0] = max(0, path[1, 0] - (looks[1] - looks[0]))
                more = {"looks": looks[:taken], "path": path}
                found = decide(tally(path[-1], look, selection, **more), rule)
                assert bool(found.labels_at(tau)[0] >= 0) is expected
                tried += 1
    assert tried >= 9


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("rule", sorted(RULES))
def test_below_the_smallest_n_a_unanimous_input_abstains(rule: str, selection: Selection) -> None:
    asked = RULES[rule]
    for tau in asked.taus:
        n = smallest_useful_n(asked, 500, selection, tau)
        for draws, expected in ((n, True), (n - 1, False)):
            assert certified(asked, [draws] * 500, draws, selection, tau) is expected


def test_the_numbers_of_the_design() -> None:
    """DESIGN: N = 10^6, tau .75, alpha .001, equal spending."""
    looks = (80, 100, 130, 170, 230, 300, 400, 550, 750, 1000)
    schedule = Schedule(1000, looks)
    rule = Rule(correction="bonferroni", schedule=schedule)
    asked = PlanRequest(components=10**6, rule=rule, selection="split")
    early, fixed = asked.schemes()[:2]
    assert asked.planned == looks
    assert early.votes[0] == (81, 98, 125, 160, 211, 269, 351, 474, 634, 834)
    assert fixed.votes[0] == (80, 98, 124, 159, 209, 267, 350, 471, 631, 830)
    assert (early.smallest_n(0), fixed.smallest_n(0)) == (100, 73)


def test_a_budget_asks_for_fewer_draws_and_votes() -> None:
    asked, _, *budgets = PlanRequest(components=10**6, rule=Rule()).schemes()
    assert [each.rule.budget.text for each in budgets] == ["0.1%", "1%"]
    for fewer, more in ((budgets[0], asked), (budgets[1], budgets[0])):
        assert (fewer.smallest_n(0) or 0) < (more.smallest_n(0) or 0)
        for a, b in zip(fewer.votes[0], more.votes[0], strict=True):
            assert a < b


def test_a_plan_is_about_passes_not_about_draws() -> None:
    asked = PlanRequest(components=100, rule=Rule(), selection="split", n0=10, draws=(90,))
    plan = Plan(request=asked, draws_per_second=50.0, inputs=3)
    (row,) = plan_object(plan)["schemes"][0]["taus"][0]["draws"]
    assert row["seconds"] == pytest.approx({"per_input": 2.0, "all_inputs": 6.0})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"components": 0}, "number of components"),
        ({"components": 10, "n0": 50, "draws": (40,)}, "n0"),
        ({"components": 10, "draws": tuple(range(10, 90))}, "50"),
        ({"components": 3, "rule": Rule(correction="kfwer", budget=Budget("3"))}, "budget"),
        ({"components": 9, "rule": Rule(correction="hommel")}, "hommel"),
        ({"components": 9, "rule": Rule(procedure="predict")}, "segcertify"),
    ],
)
def test_what_cannot_be_planned_is_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        PlanRequest(**{"rule": Rule(), **said})


# -- a pilot ---------------------------------------------------------------------------------------


def rates_of(kind: str, components: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """P(vote = candidate) of each component."""
    if kind == "sure or torn":  # as pictures have them: most are certain, borders are not
        sure = rng.beta(60, 0.6, components)
        torn = rng.beta(3, 2, components)
        return np.where(rng.random(components) < 0.7, sure, torn)
    if kind == "flat":
        return rng.uniform(0.4, 1.0, components)
    return np.full(components, 0.86)  # all alike


@pytest.mark.parametrize("kind", ["sure or torn", "flat", "alike"])
@pytest.mark.parametrize("correction", ["holm", "bonferroni"])
def test_a_pilot_of_100_draws_predicts_the_share_at_any_n(kind: str, correction: str) -> None:
    rng, components = np.random.default_rng(3), 40_000
    pilot = rng.binomial(100, rates_of(kind, components, rng))
    spread = VoteRates.of(np.bincount(pilot, minlength=101))
    rule = Rule(correction=correction)
    scheme = PlanRequest(
        components=components, rule=rule, draws=(70, 100, 200, 400, 1000)
    ).schemes()
    (predicted,) = scheme[0].certified([spread], 0)
    truth = []
    for n in scheme[0].draws:
        hits = rng.binomial(n, rates_of(kind, components, rng))
        truth.append(1.0 - decide(tally(hits, n, "pooled"), rule).abstain_share)
    # A pilot cannot tell rates from each other that differ by less than its own noise.
    within = 0.02 if kind != "alike" else 0.1
    assert predicted == pytest.approx(truth, abs=within)


def test_a_pilot_predicts_what_looks_have_certified_by_then() -> None:
    rng, components = np.random.default_rng(4), 20_000
    rates = rates_of("sure or torn", components, rng)
    spread = VoteRates.of(np.bincount(rng.binomial(100, rates), minlength=101))
    looks = (90, 150, 300, 600)
    rule = Rule(correction="bonferroni", schedule=Schedule(600, looks))
    scheme = PlanRequest(components=components, rule=rule).schemes()[0]
    (predicted,) = scheme.certified([spread], 0)
    path = np.cumsum([rng.binomial(m, rates) for m in np.diff(looks, prepend=0)], axis=0)
    for k, look in enumerate(looks, start=1):
        so_far = tally(path[k - 1], look, "pooled", looks=looks[:k], path=path[:k])
        share = 1.0 - decide(so_far, rule).abstain_share
        assert predicted[k - 1] == pytest.approx(share, abs=0.02)


def test_more_steps_take_the_pilots_own_noise_out() -> None:
    """The mean of the posteriors alone spreads components that are all alike twice too far."""
    rng = np.random.default_rng(5)
    histogram = np.bincount(rng.binomial(100, 0.86, 50_000), minlength=101)

    def spread(steps: int) -> float:
        hits = VoteRates.of(histogram, steps=steps).hits(1000)
        at = np.arange(1001)
        return float(np.sqrt(hits @ at**2 - (hits @ at) ** 2))

    alike = np.sqrt(1000 * 0.86 * 0.14)
    assert spread(50) < 0.6 * spread(1)
    assert spread(50) > alike


def test_rates_are_a_distribution_whatever_the_pilot_saw() -> None:
    for n, hits in ((1, 0), (1, 1), (100, 100), (20_000, 15_000)):
        histogram = np.zeros(n + 1, np.int64)
        histogram[hits] = 7
        found = VoteRates.of(histogram)
        assert found.shares.sum() == pytest.approx(1.0)
        assert found.hits(50).sum() == pytest.approx(1.0)
