"""The corrections decide on histograms what their definitions decide on sorted p-values."""

from __future__ import annotations

import gc
import random
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from definitions import harmonic as exact_harmonic
from definitions import rejected
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from statsmodels.stats.multitest import multipletests

from onnxcert.statistics import p_values
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.correction.benjamini_yekutieli import harmonic

Bools = npt.NDArray[np.bool_]
BY_STATSMODELS = {
    "bonferroni": "bonferroni",
    "holm": "holm",
    "benjamini-yekutieli": "fdr_by",
}
BUDGETED = [name for name in CORRECTIONS if CORRECTIONS[name].controls == "k-FWER"]
# A level computed in double precision may differ from the exact one by this share.
ROUNDING = Fraction(1, 10**12)


class Case(NamedTuple):
    table: npt.NDArray[np.float64]
    hits: npt.NDArray[np.int64]
    alpha: float
    k: int

    @property
    def p(self) -> npt.NDArray[np.float64]:
        return self.table[self.hits]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A table of p-values, hits of N components, a level and k from 1 to N; of every shape."""
    n = draw(st.integers(1, 120))
    tau = draw(st.sampled_from([0.5, 0.6, 0.75, 0.9]))
    table = p_values(n, tau, draw(st.sampled_from(["split", "pooled"])))
    components = draw(st.integers(1, 60))
    kind = draw(st.sampled_from(["zero", "all", "few", "high", "edge", "any"]))
    if kind == "zero":
        hits = [0] * components
    elif kind == "all":
        hits = [n] * components
    elif kind == "few":  # many ties
        values = draw(st.lists(st.integers(0, n), min_size=1, max_size=3))
        hits = [values[j % len(values)] for j in range(components)]
    else:
        low = 0 if kind == "any" else int(tau * n)
        hits = draw(st.lists(st.integers(low, n), min_size=components, max_size=components))
    if kind == "edge":  # a level that some step meets exactly, or misses by a tenth
        alpha = float(table[hits[0]]) * draw(st.integers(1, components))
        alpha *= draw(st.sampled_from([0.9, 1.0, 1.1]))
    else:
        alpha = draw(st.floats(1e-6, 0.9))
    k = draw(st.one_of(st.just(1), st.integers(1, components)))
    return Case(table, np.array(hits), min(max(alpha, 1e-12), 0.9), k)


def decided(name: str, case: Case, *, k: int | None = None, reserve: float = 0.0) -> Bools:
    histogram = np.bincount(case.hits, minlength=len(case.table))
    threshold = CORRECTIONS[name].threshold(
        case.table, histogram, case.alpha, k=case.k if k is None else k, reserve=reserve
    )
    assert isinstance(threshold, int)
    assert 0 <= threshold <= len(case.table)
    return np.asarray(case.hits >= threshold)


def by_statsmodels(name: str, p: npt.NDArray[np.float64], alpha: float) -> Bools:
    """statsmodels collects garbage at every call of Holm, a tenth of a second each: not here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda: 0)
        return np.asarray(multipletests(p, alpha, method=BY_STATSMODELS[name])[0])


@pytest.mark.parametrize("name", CORRECTIONS)
@given(case=cases())
@examples(150)
def test_the_same_components_as_by_definition(name: str, case: Case) -> None:
    """Exactly so, but where a p-value is within rounding of a level."""
    p = case.p.tolist()
    ours = decided(name, case).tolist()
    below, above = (rejected(name, p, case.alpha, case.k, s) for s in (-ROUNDING, ROUNDING))
    if below == above:
        assert ours == below
    else:
        assert all(a <= b <= c for a, b, c in zip(below, ours, above, strict=True))


@pytest.mark.parametrize("name", BY_STATSMODELS)
@given(case=cases())
@examples(150)
def test_the_same_components_as_by_statsmodels(name: str, case: Case) -> None:
    p = case.p
    ours = decided(name, case, k=1)
    if name == "benjamini-yekutieli":
        # Our sum of 1 / j is rounded up, so that a p-value just at the level may differ.
        levels = [by_statsmodels(name, p, case.alpha * (1 + s)) for s in (-1e-12, 1e-12)]
        if not np.array_equal(*levels):
            assert np.all(ours <= levels[1])
            return
    np.testing.assert_array_equal(ours, by_statsmodels(name, p, case.alpha))


@pytest.mark.parametrize("name", CORRECTIONS)
@pytest.mark.parametrize(("tau", "n"), [(0.5, 200), (0.75, 300), (0.9, 1000)])
def test_the_same_on_thousands_of_components(name: str, tau: float, n: int) -> None:
    rng = np.random.default_rng(0)
    table = p_values(n, tau, "pooled")
    hits = rng.binomial(n, rng.beta(20, 4, 5_000))
    for k in (1, 20, 2000) if name in BUDGETED else (1,):
        case = Case(table, hits, 0.05, k)
        ours = decided(name, case)
        assert 0 < ours.sum() < ours.size
        if name in BY_STATSMODELS:
            np.testing.assert_array_equal(ours, by_statsmodels(name, case.p, 0.05))
        else:
            assert ours.tolist() == rejected(name, case.p.tolist(), 0.05, k)


@given(case=cases())
@examples(150)
def test_without_a_budget_k_fwer_is_the_fwer(case: Case) -> None:
    for budgeted, plain in (("kfwer", "bonferroni"), ("kfwer-stepdown", "holm")):
        np.testing.assert_array_equal(decided(budgeted, case, k=1), decided(plain, case, k=1))


@given(case=cases())
@examples(250)
def test_steps_certify_whatever_one_level_does_and_a_larger_budget_no_less(case: Case) -> None:
    assert np.all(decided("holm", case) >= decided("bonferroni", case))
    assert np.all(decided("kfwer-stepdown", case) >= decided("kfwer", case))
    assert np.all(decided("benjamini-yekutieli", case) <= decided("kfwer", case, k=case.hits.size))
    for name in BUDGETED:
        assert np.all(decided(name, case, k=case.hits.size) >= decided(name, case))
        assert np.all(decided(name, case) >= decided(name, case, k=1))


def test_steps_sometimes_certify_more() -> None:
    """And with a budget: five of six at the first level, the last at k alpha / (N + k - i)."""
    case = Case(np.array([1.0, 0.04, 0.01]), np.array([1, 2, 2, 2, 2]), 0.05, 1)
    assert decided("holm", case).all()
    assert decided("bonferroni", case).sum() == 4
    case = Case(np.array([1.0, 0.03, 0.01]), np.array([1, 2, 2, 2, 2, 2]), 0.05, 2)
    assert decided("kfwer-stepdown", case).all()
    assert decided("kfwer", case).sum() == 5
    # p = .034 lies between 2 alpha / (N + 2 - i) = .0333 at i = 5 and .05 at i = 6.
    late = case._replace(table=np.array([1.0, 0.034, 0.01]), hits=np.array([1, 1, 2, 2, 2, 2]))
    assert decided("kfwer-stepdown", late).sum() == 4


@given(
    case=cases(),
    share=st.floats(0.0, 1.0),
    more=st.floats(0.0, 1.0),
    name=st.sampled_from(BUDGETED),
)
@examples(150)
def test_a_reserve_never_certifies_more_nor_less_than_one_level(
    case: Case, share: float, more: float, name: str
) -> None:
    small, large = sorted((share * case.alpha, more * case.alpha))
    least, less, most = (decided(name, case, reserve=r) for r in (large, small, 0.0))
    assert np.all(least <= less)
    assert np.all(less <= most)
    assert np.all(least >= decided("kfwer", case))
    # With all of alpha reserved no step is left.
    np.testing.assert_array_equal(decided(name, case, reserve=case.alpha), decided("kfwer", case))


@given(case=cases(), share=st.floats(0.0, 1.0))
@examples(200)
def test_a_reserve_under_fdr_is_alpha_without_it(case: Case, share: float) -> None:
    reserve = share * case.alpha
    with_reserve = decided("benjamini-yekutieli", case, reserve=reserve)
    if reserve >= case.alpha:
        np.testing.assert_array_equal(with_reserve, decided("bonferroni", case))
    else:
        less = case._replace(alpha=case.alpha - reserve)
        np.testing.assert_array_equal(with_reserve, decided("benjamini-yekutieli", less))


@given(case=cases(), order=st.randoms(use_true_random=False))
@examples(150)
def test_a_component_that_gets_more_votes_takes_no_certificate_away(
    case: Case, order: random.Random
) -> None:
    hits = case.hits.copy()
    j = order.randrange(len(hits))
    hits[j] = min(len(case.table) - 1, hits[j] + 1)
    for name in CORRECTIONS:
        assert np.all(decided(name, case._replace(hits=hits)) >= decided(name, case))


@given(case=cases())
@examples(200)
def test_nobody_is_certified_beyond_the_largest_level_and_all_are_at_the_entry(case: Case) -> None:
    components, histogram = len(case.hits), np.bincount(case.hits, minlength=len(case.table))
    for correction in CORRECTIONS.values():
        k = case.k if correction.controls == "k-FWER" else 1
        threshold = correction.threshold(case.table, histogram, case.alpha, k=k)
        largest = correction.largest_level(components, case.alpha, k)
        entry = correction.entry_level(components, case.alpha, k)
        certified = case.p[case.hits >= threshold]
        assert np.all(certified <= largest * (1 + 1e-12))
        assert entry <= largest * (1 + 1e-12)
        same = np.full(components, case.hits[0])
        for p in (entry * (1 - 1e-12), entry * (1 + 1e-9)):
            table = np.where(np.arange(len(case.table)) == case.hits[0], p, 1.0)
            table[case.hits[0] + 1 :] = p
            x = correction.threshold(
                table, np.bincount(same, minlength=len(table)), case.alpha, k=k
            )
            assert (x <= case.hits[0]) == (p < entry)


@pytest.mark.parametrize("components", [*range(1, 200), 10_000])
def test_the_harmonic_sum_is_rounded_up(components: int) -> None:
    exact = exact_harmonic(components)
    assert exact <= Fraction(harmonic(components)) <= exact * (1 + ROUNDING)
