"""The corrections decide on histograms what their definitions decide on sorted p-values."""

from __future__ import annotations

import gc

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from onnxcert.correction import CORRECTIONS, Bonferroni, Holm
from onnxcert.decision import p_values

Bools = npt.NDArray[np.bool_]


def bonferroni(p: list[float], alpha: float) -> list[bool]:
    """Dunn 1961: reject every p <= alpha / N."""
    return [value <= alpha / len(p) for value in p]


def holm(p: list[float], alpha: float) -> list[bool]:
    """Holm 1979: in increasing order, the i-th against alpha / (N - i + 1), until one fails."""
    rejected = [False] * len(p)
    for i, k in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[k] > alpha / (len(p) - i):
            break
        rejected[k] = True
    return rejected


def by_statsmodels(name: str, p: npt.NDArray[np.float64], alpha: float) -> Bools:
    """statsmodels collects garbage at every call of Holm, a tenth of a second each: not here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda: 0)
        return np.asarray(multipletests(p, alpha, method=name)[0])


DEFINITIONS = {"bonferroni": bonferroni, "holm": holm}


@st.composite
def families(draw: st.DrawFn) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], float]:
    """A table of p-values, hits of N components and a level, of every shape there is."""
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
        hits = [values[k % len(values)] for k in range(components)]
    else:
        low = 0 if kind == "any" else int(tau * n)
        hits = draw(st.lists(st.integers(low, n), min_size=components, max_size=components))
    if kind == "edge":  # a level that some step meets exactly
        alpha = float(table[hits[0]]) * draw(st.integers(1, components))
    else:
        alpha = draw(st.floats(1e-6, 0.9))
    return table, np.array(hits), min(max(alpha, 1e-12), 0.9)


def decided(
    name: str, table: npt.NDArray[np.float64], hits: npt.NDArray[np.int64], alpha: float
) -> Bools:
    histogram = np.bincount(hits, minlength=len(table))
    threshold = CORRECTIONS[name].threshold(table, histogram, alpha)
    assert isinstance(threshold, int)
    assert 0 <= threshold <= len(table)
    return np.asarray(hits >= threshold)


@given(case=families())
@settings(deadline=None, max_examples=1500)
@pytest.mark.parametrize("name", CORRECTIONS)
def test_the_same_components_as_by_definition_and_by_statsmodels(
    name: str, case: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], float]
) -> None:
    table, hits, alpha = case
    p = table[hits]
    ours = decided(name, table, hits, alpha)
    assert ours.tolist() == DEFINITIONS[name](p.tolist(), alpha)
    np.testing.assert_array_equal(ours, by_statsmodels(name, p, alpha))


@pytest.mark.parametrize("name", CORRECTIONS)
def test_the_same_on_thousands_of_components(name: str) -> None:
    rng = np.random.default_rng(0)
    for tau, n in ((0.5, 200), (0.75, 300), (0.9, 1000)):
        table = p_values(n, tau, "pooled")
        hits = rng.binomial(n, rng.beta(20, 4, 20_000))
        ours = decided(name, table, hits, 0.05)
        assert 0 < ours.sum() < ours.size
        np.testing.assert_array_equal(ours, by_statsmodels(name, table[hits], 0.05))


@given(case=families())
@settings(deadline=None, max_examples=500)
def test_holm_certifies_whatever_bonferroni_does(
    case: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], float],
) -> None:
    table, hits, alpha = case
    assert np.all(decided("holm", table, hits, alpha) >= decided("bonferroni", table, hits, alpha))


def test_holm_sometimes_certifies_more() -> None:
    table = np.array([1.0, 0.04, 0.01])
    hits = np.array([1, 2, 2, 2, 2])
    assert decided("holm", table, hits, 0.05).all()
    assert decided("bonferroni", table, hits, 0.05).sum() == 4


@given(case=families(), order=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=200)
def test_a_component_that_gets_more_votes_takes_no_certificate_away(
    case: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], float], order: object
) -> None:
    table, hits, alpha = case
    more = hits.copy()
    k = order.randrange(len(hits))  # type: ignore[attr-defined]
    more[k] = min(len(table) - 1, more[k] + 1)
    for name in CORRECTIONS:
        assert np.all(decided(name, table, more, alpha) >= decided(name, table, hits, alpha))


def test_the_registry_holds_procedures_valid_under_any_dependence_and_no_other() -> None:
    assert sorted(CORRECTIONS) == ["bonferroni", "holm"]
    assert isinstance(CORRECTIONS["bonferroni"], Bonferroni)
    assert isinstance(CORRECTIONS["holm"], Holm)
    assert not Bonferroni.stepwise
    assert Holm.stepwise
