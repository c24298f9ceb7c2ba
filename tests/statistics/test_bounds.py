"""Lower bounds of every tau at once: at 50 digits, and against every outcome of small tallies."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from exact import DIGITS, chances, tail, tally_of
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.optimize import brentq
from scipy.stats import beta, binom
from statsmodels.stats.proportion import proportion_confint

from onnxcert.sampling.tally import Selection
from onnxcert.statistics import OneSidedLevel, decide, p_values
from onnxcert.statistics.rule import Rule

FLOORS = (0.5, 0.6, 0.75)
SELECTIONS: tuple[Selection, ...] = ("split", "pooled")


# -- numerically -------------------------------------------------------------------------------


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("level", [0.3, 1e-3, 4.8e-10, 1e-15, 1e-30])
@pytest.mark.parametrize("n", [1, 7, 60, 300, 1000])
def test_no_bound_is_above_the_exact_one_and_hardly_below(
    n: int, level: float, floor: float, selection: Selection
) -> None:
    test = OneSidedLevel(n, level, selection, floor)
    bounds = test.lower_bounds()
    first = test.first
    assert np.all(bounds[:first] == 0.0)
    assert np.all(np.diff(bounds) >= 0.0)
    assert np.all(bounds < 1.0)
    with mpmath.workdps(DIGITS):
        left = mpmath.mpf(level)
        if selection == "pooled" and first <= n:
            other = tail(n, 1.0 - floor, first)
            assert other <= left / 100
            assert tail(n, floor, first) + other <= left
            left -= other
        for x in range(first, n + 1, max(1, (n - first) // 7)):
            bound = float(bounds[x])
            assert bound >= floor
            assert tail(n, bound, x) <= left
            # Not the floor for want of anything better: a little more would be too much.
            assert tail(n, min(1 - 1e-16, bound * (1 + 1e-6)), x) > left * (1 - mpmath.mpf("1e-9"))


@given(
    n=st.integers(1, 400),
    level=st.floats(1e-20, 0.5),
    floor=st.floats(0.5, 0.9),
    selection=st.sampled_from(SELECTIONS),
    tau=st.floats(0.5, 0.999),
)
@examples(300)
def test_the_threshold_of_a_tau_and_the_bounds_say_the_same(
    n: int, level: float, floor: float, selection: Selection, tau: float
) -> None:
    test = OneSidedLevel(n, level, selection, floor)
    tau = max(tau, floor)
    threshold, bounds = test.threshold(tau), test.lower_bounds()
    certified = np.flatnonzero(bounds >= tau)
    by_bound = int(certified[0]) if certified.size else n + 1
    if by_bound != threshold:  # only where the bound is rounded down past tau
        assert threshold < by_bound
        assert bounds[threshold] >= tau * (1 - 1e-8)
    assert test.threshold(floor) == test.first


@pytest.mark.parametrize("floor", FLOORS)
def test_what_pooling_costs(floor: float) -> None:
    """Nothing from a floor of .6 on; at 1/2 three votes of 100 and eleven of 1000."""
    for n in (100, 300, 1000):
        plain = int(np.argmax(p_values(n, floor, "split") <= 1e-9))
        costs = OneSidedLevel(n, 1e-9, "pooled", floor).first - plain
        assert costs == 0 if floor >= 0.6 else 0 < costs <= 11


# -- CERTIFY -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.1, 0.001, 1e-6])
@pytest.mark.parametrize("n", [1, 10, 100, 300])
def test_for_one_component_the_radius_map_is_cohens_certify(n: int, alpha: float) -> None:
    """Cohen, Rosenfeld, Kolter 2019: the lower end of the two-sided interval of 1 - 2 alpha."""
    rule = Rule(tau=0.5, alpha=alpha, correction="bonferroni", radius_map=True)
    for hits in range(0, n + 1, max(1, n // 50)):
        low = proportion_confint(hits, n, alpha=2 * alpha, method="beta")[0]
        certificate = decide(tally_of([hits], n, "split"), rule)
        if hits == 0 or low < 0.5:
            assert certificate.level.tolist() == [0]
            assert np.isnan(certificate.radii).all()
        else:
            tau = float(certificate.levels[certificate.level[0] - 1])
            assert low * (1 - 1e-9) <= tau <= low * (1 + 1e-14)
            exact = 0.25 * float(mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(float(low)) - 1))
            assert certificate.radii[0] <= exact * (1 + 1e-9)
            assert certificate.radii[0] == pytest.approx(exact, rel=1e-6, abs=1e-8)


# -- validity, whatever the law ------------------------------------------------------------------


def wrong_somewhere(law: tuple[float, ...], n: int, claimed: np.ndarray) -> float:
    """P(some class is claimed to exceed a tau that it does not), claims being pooled: whichever
    class has the votes; `claimed` is the tau claimed for each number of hits, 0 for none."""
    counts, chance = chances(law, n)
    claims = claimed[counts]
    wrong = ((claims > 0) & (np.array(law) <= claims)).any(axis=1)
    return float(chance[wrong].sum())


def worst(n: int, floor: float, claimed: np.ndarray) -> float:
    """Over laws of two and three classes; the worst are where a class is just at a bound."""
    edges = np.unique(np.concatenate([claimed[claimed > 0], [floor]]))
    tops = np.unique(np.concatenate([edges, edges + 1e-9, np.linspace(0.3, 0.99, 30)]))
    found = 0.0
    for p in tops[tops < 1].tolist():
        for law in ((p, 1 - p), (p, (1 - p) * 0.9, (1 - p) * 0.1), (p / 2, p / 2, 1 - p)):
            found = max(found, wrong_somewhere(law, n, claimed))
    return found


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize(("n", "level"), [(6, 0.3), (11, 0.1), (20, 0.05), (30, 1e-3), (40, 0.2)])
def test_no_law_makes_a_claim_of_any_tau_wrong_with_more_than_the_level(
    n: int, level: float, floor: float
) -> None:
    bounds = OneSidedLevel(n, level, "pooled", floor).lower_bounds()
    assert worst(n, floor, bounds) <= level
    split = OneSidedLevel(n, level, "split", floor).lower_bounds()
    for p in np.unique(np.concatenate([split[split > 0], np.linspace(0.3, 0.99, 50)])):
        claims = split[np.arange(n + 1)]
        wrong = (claims > 0) & (p <= claims)
        assert binom.pmf(np.arange(n + 1), n, p)[wrong].sum() <= level


@pytest.mark.slow
def test_inverting_the_pooled_p_value_itself_overshoots() -> None:
    """Why the bound leaves d alone. Take the level of x_0 hits at 1/2, and the p at which x_0 + 1
    hits have just that pooled p-value: under (p, 1 - p) the first class errs from x_0 + 1 hits on,
    the second one from x_0 on."""
    worst_of_inverted = 0.0
    for n in range(2, 60):
        for x in range(n // 2 + 1, n):
            level = float(p_values(n, 0.5, "pooled")[x])
            if not level < 0.5:
                continue

            def excess(p: float, n: int = n, x: int = x, level: float = level) -> float:
                return float(p_values(n, p, "pooled")[x + 1]) - level

            p = brentq(excess, 0.5, min((x - 1e-9) / (n - 1), 1 - 1e-9), xtol=1e-14) - 1e-12
            assert p_values(n, p, "pooled")[x + 1] <= level
            errs = float(binom.sf(x, n, p) + binom.sf(x - 1, n, 1 - p))
            worst_of_inverted = max(worst_of_inverted, errs / level)
            ours = OneSidedLevel(n, level, "pooled", 0.5).lower_bounds()
            claims = ours[np.arange(n + 1)], ours[::-1]
            wrong = ((claims[0] > 0) & (p <= claims[0])) | ((claims[1] > 0) & (1 - p <= claims[1]))
            assert binom.pmf(np.arange(n + 1), n, p)[wrong].sum() <= level
    assert 1.05 < worst_of_inverted < 1.08


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("radius_map", [True, False])
def test_the_same_through_decide_with_several_tau_or_a_map(
    floor: float, selection: Selection, radius_map: bool
) -> None:
    """Two components of one input: each at half of alpha."""
    n, alpha = 24, 0.3
    taus = (max(0.7, floor + 0.05), *((floor, 0.65, 0.9) if not radius_map else ()))
    rule = Rule(
        tau=taus[0],
        more_taus=tuple(t for t in taus[1:] if t >= floor),
        alpha=alpha,
        correction="bonferroni",
        radius_map=radius_map,
        floor=floor if radius_map else 0.5,
    )
    both = [decide(tally_of([x, 0], n, selection), rule) for x in range(n + 1)]
    claimed = np.array([c.levels[c.level[0] - 1] if c.level[0] else 0.0 for c in both])
    assert (claimed > 0).any()
    if selection == "pooled":
        assert worst(n, floor, claimed) <= alpha / 2
    else:
        for p in np.unique([*claimed[claimed > 0], *np.linspace(0.3, 0.99, 50)]).tolist():
            wrong = (claimed > 0) & (p <= claimed)
            assert binom.pmf(np.arange(n + 1), n, p)[wrong].sum() <= alpha / 2
    # Nothing is given away: the worst law is near the level.
    near = beta.ppf(alpha / 2, n, 1)
    assert claimed[n] >= (near * 0.98 if radius_map else max(t for t in rule.taus if t <= near))


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("n", [1, 20, 100])
def test_the_thresholds_of_a_map_are_the_hits_that_it_certifies_from_its_floor_on(
    n: int, floor: float, selection: Selection
) -> None:
    """Also where a p-value is just alpha, so that the bound of these hits is the floor itself."""
    for alpha in {0.3, *p_values(n, floor, selection)[-3:].tolist()} - {1.0}:
        rule = Rule(
            tau=floor,
            more_taus=(0.8,),
            alpha=alpha,
            correction="bonferroni",
            radius_map=True,
            floor=floor,
        )
        for hits in range(n + 1):
            certificate = decide(tally_of([hits], n, selection), rule)
            for tau, threshold in zip(rule.taus, certificate.thresholds, strict=True):
                assert (certificate.abstained == 0) == (hits >= certificate.threshold)
                assert (certificate.labels_at(tau) >= 0).all() == (hits >= threshold)
