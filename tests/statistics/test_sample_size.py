"""The smallest n that can certify: the formula, the decision, and nothing in between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import SPENDING, Family, can_certify, decide, p_values, smallest_n
from onnxcert.statistics.boundaries import boundaries
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.rule import Rule, Schedule
from onnxcert.statistics.sample_size import can_certify_at_a_look, resolve_looks

DRAWS = Draws(Gaussian(0.25), 1, "00" * 32)
# An expected share lets a unanimous component in at a far larger level than alpha / N.
COUNTED = [name for name in CORRECTIONS if CORRECTIONS[name].controls != "FDR"]


def family(
    components: int,
    tau: float = 0.75,
    alpha: float = 1e-3,
    correction: str = "holm",
    selection: Selection = "pooled",
) -> Family:
    return Family(components, tau, alpha, CORRECTIONS[correction], selection)


def unanimous(n: int, family: Family) -> Tally:
    """One component with all n votes, the others without a single one."""
    hits = np.zeros(family.components, np.int64)
    hits[-1] = n
    zeros = np.zeros(family.components, np.uint8)
    return Tally(zeros, hits, zeros, n, 1, family.selection, 2, 0, DRAWS)


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("correction", COUNTED)
@pytest.mark.parametrize(("components", "n"), [(2048, 51), (10**6, 73), (2**21, 75)])
def test_the_numbers_of_the_design(
    components: int, n: int, correction: str, selection: Selection
) -> None:
    asked = family(components, correction=correction, selection=selection)
    assert smallest_n(asked) == n
    assert can_certify(asked, n)
    assert not can_certify(asked, n - 1)


@given(
    components=st.integers(1, 500),
    tau=st.floats(0.5, 0.97),
    alpha=st.floats(1e-6, 0.5),
    correction=st.sampled_from(COUNTED),
    selection=st.sampled_from(["pooled", "split"]),
)
@examples(80)
def test_a_unanimous_component_is_certified_at_that_n_and_not_below(
    components: int, tau: float, alpha: float, correction: str, selection: Selection
) -> None:
    asked = family(components, tau, alpha, correction, selection)
    n = smallest_n(asked)
    for draws in {max(1, n - 1), n, n + 1, n + 7}:
        tally = unanimous(draws, asked)
        labels = decide(tally, Rule(tau=tau, alpha=alpha, correction=correction)).labels
        assert (labels >= 0).any() == can_certify(asked, draws)
        assert (labels[:-1] == -1).all()
    assert can_certify(asked, n)
    assert n == 1 or not can_certify(asked, n - 1)


@given(components=st.integers(1, 10**7), alpha=st.floats(1e-9, 0.5))
def test_pooled_at_one_half_costs_what_twice_the_components_cost(
    components: int, alpha: float
) -> None:
    for correction in COUNTED:
        pooled = family(components, 0.5, alpha, correction, "pooled")
        split = family(2 * components, 0.5, alpha, correction, "split")
        assert smallest_n(pooled) == smallest_n(split)


def test_a_hopeless_tau_is_refused_with_the_number_of_draws() -> None:
    with pytest.raises(ParameterError, match="draws are needed"):
        smallest_n(family(10**6, tau=1 - 1e-9))


def test_what_n_draws_can_certify_n_plus_1_can() -> None:
    asked = family(41, tau=0.61, alpha=0.2)
    n = smallest_n(asked)
    assert n == 11
    assert all(can_certify(asked, m) for m in range(n, n + 20))


@given(components=st.integers(1, 300), tau=st.floats(0.5, 0.97), alpha=st.floats(1e-6, 0.5))
@examples(60)
def test_below_the_smallest_n_an_expected_share_certifies_nothing(
    components: int, tau: float, alpha: float
) -> None:
    """Where all components agree, which is when Benjamini-Yekutieli certifies first."""
    for selection in ("split", "pooled"):
        asked = family(components, tau, alpha, "benjamini-yekutieli", selection)  # type: ignore[arg-type]
        n = smallest_n(asked)
        rule = Rule(tau=tau, alpha=alpha, correction="benjamini-yekutieli")
        for draws in {max(1, n - 1), n, n + 1}:
            zeros = np.zeros(components, np.uint8)
            every = Tally(
                zeros, np.full(components, draws), zeros, draws, 1, asked.selection, 2, 0, DRAWS
            )
            certified = (decide(every, rule).labels >= 0).any()
            # Pooled, the reserve for direction may take a vote more.
            assert certified == can_certify(asked, draws) or (
                selection == "pooled" and not certified
            )


def test_a_budget_divides_the_components() -> None:
    """k-FWER: N / k in place of N."""
    for name in ("kfwer", "kfwer-stepdown"):
        with_budget = Family(10**6, 0.75, 1e-3, CORRECTIONS[name], "split", k=1000)
        assert smallest_n(with_budget) == smallest_n(family(1000, selection="split"))


@given(
    components=st.integers(1, 300),
    n=st.integers(1, 120),
    tau=st.sampled_from([0.5, 0.501, 0.51, 0.53, 0.6, 0.75]),
    alpha=st.sampled_from([0.9, 0.3, 0.05, 1e-3]),
    correction=st.sampled_from(sorted(CORRECTIONS)),
    selection=st.sampled_from(["pooled", "split"]),
)
@examples(400)
def test_n_draws_are_said_to_certify_just_where_a_wholly_unanimous_input_is_certified(
    components: int, n: int, tau: float, alpha: float, correction: str, selection: Selection
) -> None:
    """Under an expected share, too, whose errors of direction take their part of alpha."""
    asked = family(components, tau, alpha, correction, selection)
    histogram = np.zeros(n + 1, np.int64)
    histogram[n] = components
    # Where the levels differ by rounding alone there is nothing to say.
    assert can_certify(asked, n) == (asked.threshold(n, histogram) <= n)


@given(
    n0=st.integers(1, 300),
    n=st.integers(1, 400),
    components=st.integers(1, 10**6),
    spending=st.sampled_from(sorted(SPENDING)),
    selection=st.sampled_from(["pooled", "split"]),
)
@examples(60)
def test_automatic_looks_begin_with_a_candidate_and_where_a_unanimous_component_is_certified(
    n0: int, n: int, components: int, spending: str, selection: Selection
) -> None:
    n0 = min(n0, n)
    asked = family(components, selection=selection, correction="bonferroni")
    looks = resolve_looks(Schedule(n, None, spending), asked, n0)
    assert looks[-1] == n
    if selection == "pooled":
        assert looks[0] >= n0
    if len(looks) > 1:
        level = asked.single_level
        bounds = boundaries(looks, [asked.tau], level, selection, spending)[0]
        assert bounds[0] <= looks[0]


@pytest.mark.parametrize("selection", ["pooled", "split"])
def test_looks_are_refused_just_where_none_of_them_certifies(selection: Selection) -> None:
    asked = family(10**6, selection=selection, correction="bonferroni")
    assert can_certify_at_a_look(Rule(schedule=Schedule(100, (5, 100))), asked, 1)
    assert not can_certify_at_a_look(Rule(schedule=Schedule(60, (5, 60))), asked, 1)
    # All that the last look may spend is its own share: the one before has taken the rest.
    assert can_certify_at_a_look(Rule(schedule=Schedule(100, (99, 100))), asked, 1)


def test_pooled_votes_cannot_be_looked_at_before_there_is_a_candidate() -> None:
    pooled, split = (family(100, selection=selection) for selection in ("pooled", "split"))
    schedule = Schedule(100, (9, 100))
    with pytest.raises(ParameterError, match="must not be before the n0 10 draws"):
        resolve_looks(schedule, pooled, 10)
    assert resolve_looks(schedule, pooled, 9) == resolve_looks(schedule, split, 10) == (9, 100)


@pytest.mark.parametrize("selection", ["pooled", "split"])
def test_a_p_value_that_is_just_the_level_is_enough(selection: Selection) -> None:
    alpha = float(p_values(20, 0.75, selection)[20])
    assert can_certify(family(1, alpha=alpha, selection=selection), 20)
    assert not can_certify(family(1, alpha=np.nextafter(alpha, 0), selection=selection), 20)
