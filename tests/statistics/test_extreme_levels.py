"""Nothing is certified at a level it does not reach, and the decision takes no time."""

from __future__ import annotations

import time
import timeit
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from exact import DIGITS, tail, tally_of

from onnxcert.statistics import decide, p_values
from onnxcert.statistics.rule import Budget, Rule


@pytest.mark.parametrize("correction", ["bonferroni", "holm"])
@pytest.mark.parametrize(("n", "x", "tau"), [(100, 90, 0.75), (60, 60, 0.5), (1000, 700, 0.6)])
@pytest.mark.parametrize("components", [1, 7, 1000])
def test_a_level_just_below_the_exact_p_value_does_not_certify(
    correction: str, n: int, x: int, tau: float, components: int
) -> None:
    """The level lies below the exact p-value by a rounding error of double precision, or at it."""
    with mpmath.workdps(DIGITS):
        exact = tail(n, tau, x) * components
        at = float(exact)
        below = at if mpmath.mpf(at) <= exact else float(np.nextafter(at, 0))
        hits = np.zeros(components, int)
        hits[0] = x
        for alpha in (below, float(np.nextafter(below, 0)), below * (1 - 1e-13)):
            assert mpmath.mpf(alpha) <= exact
            rule = Rule(tau=tau, alpha=alpha, correction=correction)
            # At the very edge both answers are right, if it is no further than the edge.
            if mpmath.mpf(alpha) < exact:
                assert decide(tally_of(hits, n, "split"), rule).abstained == components
        reached = Rule(
            tau=tau, alpha=float(exact * (1 + mpmath.mpf("1e-9"))), correction=correction
        )
        assert decide(tally_of(hits, n, "split"), reached).abstained == components - 1


@pytest.mark.parametrize("alpha", [1e-15, 1e-30, 1e-60])
def test_levels_far_in_the_tail_are_reached_exactly(alpha: float) -> None:
    n, tau = 1000, 0.75
    threshold = decide(
        tally_of(np.arange(n + 1), n, "split"), Rule(tau=tau, alpha=alpha, correction="bonferroni")
    ).threshold
    with mpmath.workdps(DIGITS):
        level = mpmath.mpf(alpha) / (n + 1)
        assert tail(n, tau, threshold) <= level < tail(n, tau, threshold - 1)


def test_p_values_are_no_less_than_the_rational_ones() -> None:
    """Without any floating point: tau = 3/4, twenty votes."""
    table = p_values(20, 0.75, "split")
    exact = Fraction(0)
    for x in range(20, -1, -1):
        ways = Fraction(1)
        for j in range(x):
            ways = ways * (20 - j) / (j + 1)
        exact += ways * Fraction(3, 4) ** x * Fraction(1, 4) ** (20 - x)
        assert exact <= Fraction(float(table[x])) <= exact * (1 + Fraction(1, 10**9)) or x == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        {"correction": "holm"},
        {"correction": "kfwer-stepdown", "budget": Budget("0.1%")},
        {"correction": "benjamini-yekutieli"},
        {"correction": "bonferroni", "radius_map": True},
    ],
    ids=lambda asked: asked["correction"],
)
def test_two_million_components_are_decided_sooner_than_sorted(asked: dict[str, Any]) -> None:
    """A tenth of the time of a sort, without which no correction on p-values does."""
    rng = np.random.default_rng(0)
    hits = rng.binomial(300, 0.9, 2**21).astype(np.uint16).reshape(1024, 2048)
    tally = tally_of(hits, 300)
    assert 0 < decide(tally, Rule(**asked)).abstained < 2**21
    deciding, sorting = (
        min(timeit.repeat(call, timer=time.process_time, repeat=3, number=1))
        for call in (lambda: decide(tally, Rule(**asked)), lambda: np.argsort(rng.random(2**21)))
    )
    assert deciding < sorting
