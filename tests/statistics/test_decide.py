"""The decision: labels, threshold, level, notes and statement of a certificate."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.stats import binom

from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import Family, decide, p_values, smallest_n
from onnxcert.statistics.certificate import ABSTAIN
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.guarantee import round_down
from onnxcert.statistics.rule import Rule

DRAWS = Draws(Gaussian(0.25), 1, "00" * 32)


def tally(
    hits: Any,
    n: int = 100,
    *,
    candidate: Any = None,
    n0: int = 10,
    selection: Selection = "pooled",
    classes: int = 3,
    nonfinite: int = 0,
    unit: str = "grey levels",
) -> Tally:
    hits = np.asarray(hits)
    candidate = np.zeros(hits.shape, np.uint8) if candidate is None else np.asarray(candidate)
    return Tally(candidate, hits, candidate, n, n0, selection, classes, nonfinite, DRAWS, unit)


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    n = draw(st.integers(1, 300))
    components = draw(st.integers(1, 30))
    classes = draw(st.sampled_from([1, 2, 19, 255, 256, 1000]))
    small = np.min_scalar_type(classes - 1)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return tally(
        rng.integers(draw(st.integers(0, n)), n + 1, components).astype(np.min_scalar_type(n)),
        n,
        candidate=rng.integers(0, classes, components).astype(small),
        n0=1,
        selection=draw(st.sampled_from(["pooled", "split"])),
        classes=classes,
    )


# -- what is certified -------------------------------------------------------------------------


@given(
    given_tally=tallies(),
    tau=st.floats(0.5, 0.95),
    alpha=st.floats(1e-4, 0.9),
    correction=st.sampled_from(sorted(CORRECTIONS)),
)
@examples(300)
def test_a_label_is_the_candidate_from_the_threshold_on_and_abstain_below(
    given_tally: Tally, tau: float, alpha: float, correction: str
) -> None:
    certificate = decide(given_tally, Rule(tau=tau, alpha=alpha, correction=correction))
    assert certificate.labels.dtype == np.int32
    assert certificate.labels.shape == given_tally.hits.shape
    assert 1 <= certificate.threshold <= given_tally.n + 1
    certified = 0
    for label, candidate, hits in zip(
        certificate.labels.tolist(),
        given_tally.candidate.tolist(),
        given_tally.hits.tolist(),
        strict=True,
    ):
        assert label == (candidate if hits >= certificate.threshold else ABSTAIN)
        certified += label != ABSTAIN
    assert certificate.abstained == len(certificate.labels) - certified


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int64])
def test_abstain_is_minus_one_whatever_type_the_candidates_have(dtype: Any) -> None:
    """In uint8, -1 is 255: a class that some data sets have."""
    candidate = np.array([[0, 255], [254, 255]]).astype(dtype)
    hits = np.array([[100, 100], [0, 0]], np.uint8)
    certificate = decide(tally(hits, candidate=candidate, classes=256))
    assert ABSTAIN == -1
    assert certificate.labels.tolist() == [[0, 255], [-1, -1]]
    assert certificate.abstained == 2
    assert certificate.abstain_share == 0.5


@given(given_tally=tallies(), correction=st.sampled_from(sorted(CORRECTIONS)))
@examples(50)
def test_deciding_changes_nothing_and_always_decides_the_same(
    given_tally: Tally, correction: str
) -> None:
    before = (given_tally.hits.copy(), given_tally.candidate.copy(), given_tally.single.copy())
    first = decide(given_tally, Rule(tau=0.6, alpha=0.05, correction=correction))
    decide(given_tally, Rule(tau=0.9, alpha=0.5, correction=correction))
    again = decide(given_tally, Rule(tau=0.6, alpha=0.05, correction=correction))
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.threshold, first.notes) == (again.threshold, again.notes)
    assert first.statement() == again.statement()
    for old, new in zip(
        before, (given_tally.hits, given_tally.candidate, given_tally.single), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(FrozenInstanceError):
        first.rule = Rule()  # type: ignore[misc]


def test_the_decision_depends_on_hits_and_not_on_the_order_of_components() -> None:
    rng = np.random.default_rng(0)
    hits = rng.integers(60, 101, 200)
    order = rng.permutation(200)
    one = decide(tally(hits), Rule(alpha=0.05))
    other = decide(tally(hits[order]), Rule(alpha=0.05))
    assert 0 < one.abstained < 200
    np.testing.assert_array_equal(one.labels[order], other.labels)
    np.testing.assert_array_equal(
        decide(tally(hits.reshape(10, 20)), Rule(alpha=0.05)).labels.ravel(), one.labels
    )


# -- the level ---------------------------------------------------------------------------------


@given(
    components=st.integers(1, 10_000),
    tau=st.floats(0.5, 0.95),
    alpha=st.floats(1e-4, 0.5),
    n=st.integers(1, 400),
)
@examples(300)
def test_holm_pooled_reserves_what_directional_errors_cost(
    components: int, tau: float, alpha: float, n: int
) -> None:
    """N components, each certified for a class other than its own with probability at most
    F_{1 - tau} of the smallest count that any step can reject, are paid for beforehand."""
    reserve = Family(components, tau, alpha, CORRECTIONS["holm"], "pooled").reserve(n)
    table = p_values(n, tau, "pooled")
    assert 0 <= reserve <= alpha
    reachable = [x for x in range(n + 1) if table[x] <= alpha]
    if reachable:
        paid = components * binom.sf(reachable[0] - 1, n, 1 - tau)
        assert reserve >= min(alpha, paid)


@pytest.mark.parametrize("k", [1, 2, 5, 20])
def test_of_errors_of_direction_too_k_must_come_together_so_a_budget_pays_a_kth(k: int) -> None:
    """Markov's inequality: k such errors at once are k times rarer than their number."""
    components, n, tau, alpha = 40, 60, 0.6, 0.05
    correction = CORRECTIONS["kfwer-stepdown"]
    reserve = Family(components, tau, alpha, correction, "pooled", k).reserve(n)
    x_min = int(np.argmax(p_values(n, tau, "pooled") <= alpha))
    paid = components * float(binom.sf(x_min - 1, n, 1 - tau)) / k
    assert 0 < paid < alpha
    assert reserve == pytest.approx(paid, rel=1e-9)


@given(
    nulls=st.integers(0, 200),
    others=st.integers(0, 200),
    tau=st.floats(0.5, 0.95),
    alpha=st.floats(1e-3, 0.5),
    n=st.integers(1, 300),
)
@examples(300)
def test_false_rejections_and_directional_errors_together_cost_at_most_alpha(
    nulls: int, others: int, tau: float, alpha: float, n: int
) -> None:
    """The union bound of the proof, with the levels that Holm really takes: the first null to be
    rejected meets at least `nulls` hypotheses left, and no level is above that of the last one."""
    if nulls + others == 0:
        return
    components = nulls + others
    asked = Family(components, tau, alpha, CORRECTIONS["holm"], "pooled")
    table = p_values(n, tau, "pooled")

    def rejected_from(left: int) -> int:
        histogram = np.zeros(n + 1, dtype=int)
        for x in range(n + 1):
            histogram[:] = 0
            histogram[n] += components - left
            histogram[x] += left
            if CORRECTIONS["holm"].threshold(
                table, histogram, alpha, reserve=asked.reserve(n)
            ) <= x and (x < n or left == components):
                return x
        return n + 1

    false = nulls * (table[rejected_from(nulls)] if nulls and rejected_from(nulls) <= n else 0.0)
    last = rejected_from(1)
    direction = others * float(binom.sf(last - 1, n, 1 - tau)) if last <= n else 0.0
    assert false + direction <= alpha * (1 + 1e-9)


@pytest.mark.parametrize("tau", [0.5, 0.51, 0.75])
def test_split_selection_and_single_steps_reserve_nothing(tau: float) -> None:
    for correction, selection in (("holm", "split"), ("bonferroni", "split")):
        family = Family(50, tau, 0.05, CORRECTIONS[correction], selection)  # type: ignore[arg-type]
        assert family.reserve(200) == 0
    assert Family(50, tau, 0.05, CORRECTIONS["bonferroni"], "pooled").reserve(200) == 0


def test_where_direction_would_cost_all_of_alpha_holm_is_bonferroni() -> None:
    for hits in ([100, 100, 60], [100, 70, 69], [72, 71, 70, 69]):
        drawn = tally(hits)
        steps = decide(drawn, Rule(tau=0.5, alpha=0.05, correction="holm"))
        single = decide(drawn, Rule(tau=0.5, alpha=0.05, correction="bonferroni"))
        np.testing.assert_array_equal(steps.labels, single.labels)


@given(given_tally=tallies(), inputs=st.integers(1, 500), alpha=st.floats(1e-3, 0.5))
@examples(100)
def test_a_data_set_shares_alpha_equally(given_tally: Tally, inputs: int, alpha: float) -> None:
    shared = decide(given_tally, Rule(alpha=alpha, alpha_scope="dataset", inputs=inputs))
    own = decide(given_tally, Rule(alpha=alpha / inputs))
    np.testing.assert_array_equal(shared.labels, own.labels)
    assert shared.threshold == own.threshold
    assert shared.rule.alpha == alpha
    # For each input by itself the number of inputs means nothing.
    alone = decide(given_tally, Rule(alpha=alpha, alpha_scope="input", inputs=inputs))
    np.testing.assert_array_equal(alone.labels, decide(given_tally, Rule(alpha=alpha)).labels)


# -- what is said ------------------------------------------------------------------------------


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_the_statement_holds_every_number_it_depends_on(
    selection: Selection, correction: str
) -> None:
    drawn = replace(
        tally(np.full((4, 3), 90), 120, n0=17, selection=selection),
        draws=Draws(Gaussian(0.125), 1, "00" * 32),
    )
    certificate = decide(drawn, Rule(tau=0.8, alpha=0.004, correction=correction))
    text = certificate.statement()
    for part in (
        "share" if correction == "benjamini-yekutieli" else "probability at least 1 - 0.004",
        "sigma 0.125",
        "tau 0.8",
        "alpha 0.004 for each input",
        "n 120 draws",
        "n0 17",
        "N 12 components",
        f"correction {correction}",
        f"selection {selection}",
        "grey levels",
        "L2 norm",
        "majority class",
    ):
        assert part in text, part
    assert round_down(certificate.radius) in text
    assert certificate.radius == Gaussian(0.125).radius(0.8)


def test_the_statement_says_that_a_data_set_shares_alpha() -> None:
    text = decide(tally([90]), Rule(alpha=0.01, alpha_scope="dataset", inputs=20)).statement()
    assert "all 20 inputs" in text
    assert "alpha 0.01 over the whole data set" in text
    assert "0.0005 for each of 20 inputs" in text
    assert "probability at least 1 - 0.01 " in text


# -- all abstain: a value, with the reason -----------------------------------------------------


def test_too_few_draws_are_a_reason_that_names_enough() -> None:
    certificate = decide(tally([10, 10, 10], n=10, n0=3))
    enough = smallest_n(Family(3, 0.75, 0.001, CORRECTIONS["holm"], "pooled"))
    assert certificate.abstain_share == 1.0
    assert certificate.threshold == 11
    (note,) = certificate.notes
    assert re.search(rf"10 draws cannot certify any of 3 components, {enough} or more", note)


def test_withheld_votes_are_a_reason() -> None:
    (note,) = decide(tally([0, 0], nonfinite=200)).notes
    assert "200 votes were withheld" in note


def test_a_model_that_changes_its_answer_is_a_reason() -> None:
    (note,) = decide(tally([70, 40])).notes
    assert "best component got 70 of 100 votes" in note


def test_where_something_is_certified_nothing_is_excused() -> None:
    assert decide(tally([100, 0], nonfinite=3)).notes == ()


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("hits", [[101], [-1], [100, 255]])
def test_more_hits_than_draws_tested_are_refused(hits: list[int]) -> None:
    """Counting over n0 + n draws and testing with n is an old mistake."""
    with pytest.raises(ParameterError, match="hits must lie between 0 and the 100 draws"):
        tally(hits, n=100)


def test_a_tally_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ParameterError, match="candidates"):
        tally([5], candidate=[3], classes=3)
    with pytest.raises(ParameterError, match="candidates"):
        tally([5], candidate=[ABSTAIN], classes=3)
    with pytest.raises(ParameterError, match="one shape"):
        tally([5, 5], candidate=[0])
    with pytest.raises(ParameterError, match="at least one component"):
        tally(np.zeros((0, 4), int))
    with pytest.raises(ParameterError, match="n0 must be at most n"):
        tally([5], n=9, n0=10)
    assert tally([5], n=9, n0=10, selection="split").n == 9


@pytest.mark.parametrize(
    "wrong",
    [
        {"tau": 0.49},
        {"tau": 1.0},
        {"tau": float("nan")},
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"alpha": -0.1},
        {"alpha": float("nan")},
        {"alpha_scope": "pixel"},
        {"alpha_scope": "dataset", "inputs": 0},
        {"correction": "Holm"},
        {"correction": ""},
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        decide(tally([100]), Rule(**wrong))


# -- what once went wrong ----------------------------------------------------------------------


def test_all_abstain_is_a_value_at_a_hopeless_tau_too() -> None:
    assert decide(tally([100]), Rule(tau=1 - 1e-8)).abstain_share == 1.0


def test_holm_never_certifies_less_than_bonferroni() -> None:
    drawn = tally([18, 0], n=20)
    single = decide(drawn, Rule(tau=0.51, alpha=0.001, correction="bonferroni"))
    steps = decide(drawn, Rule(tau=0.51, alpha=0.001, correction="holm"))
    assert single.abstained == 1
    assert steps.abstained <= single.abstained
