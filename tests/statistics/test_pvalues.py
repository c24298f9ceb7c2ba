"""p-values: never below the exact ones, and valid against every law of the votes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cache

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Selection
from onnxcert.statistics import p_values

TAUS = (0.5, 0.51, 0.6, 0.75, 0.9, 0.99)
DIGITS = 50
# Below this SciPy's tail may be 0 or out of order; no level comes near it.
TINY = mpmath.mpf(10) ** -230


@cache
def exact_tail(n: int, p: float) -> tuple[mpmath.mpf, ...]:
    """P(Bin(n, p) >= x), x = 0 .. n, summed from the top at 50 digits."""
    with mpmath.workdps(DIGITS):
        p = mpmath.mpf(p)
        term = p**n
        tail, total = [], mpmath.mpf(0)
        for x in range(n, -1, -1):
            total += term
            tail.append(total)
            term *= (1 - p) / p * x / (n - x + 1)
        return tuple(reversed(tail))


def exact(n: int, tau: float, selection: Selection) -> list[mpmath.mpf]:
    with mpmath.workdps(DIGITS):
        tail = exact_tail(n, tau)
        if selection == "split":
            return list(tail)
        # 1 - tau is exact in binary for tau in [1/2, 1].
        other = exact_tail(n, 1.0 - tau)
        return [
            min(mpmath.mpf(1), tail[x] + other[x])
            # In double precision as in the package: at equality the sign of tau's last bit
            # decides, which moves the bound by 1e-16 and the p-value by less than its margin.
            if x - 1 >= tau * (n - 1) and 2 * x > n
            else mpmath.mpf(1)
            for x in range(n + 1)
        ]


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("n", [1, 2, 3, 10, 31, 100, 257, 1000])
def test_never_below_the_exact_value_and_hardly_above(n: int, tau: float) -> None:
    compare(n, tau)


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.5, 0.75, 0.99])
def test_ten_thousand_draws(tau: float) -> None:
    compare(10_000, tau)


def compare(n: int, tau: float) -> None:
    selections: tuple[Selection, ...] = ("split", "pooled")
    for selection in selections:
        table = p_values(n, tau, selection)
        assert table.shape == (n + 1,)
        assert table.dtype == np.float64
        assert table.min() >= 0.0
        assert table.max() <= 1.0
        with mpmath.workdps(DIGITS):
            for ours, truth in zip(table.tolist(), exact(n, tau, selection), strict=True):
                if truth < TINY:
                    assert ours < 10 * TINY
                    continue
                # 1 is never below a probability, however that was rounded.
                assert ours == 1.0 or ours >= truth
                assert ours <= truth * (1 + mpmath.mpf("1e-9"))


@given(
    n=st.integers(1, 3000),
    tau=st.floats(0.5, 1.0, exclude_max=True),
    selection=st.sampled_from(["split", "pooled"]),
)
@examples(100)
def test_more_hits_never_mean_a_larger_p_value(n: int, tau: float, selection: Selection) -> None:
    table = np.maximum(p_values(n, tau, selection), float(TINY))
    # Adjacent tails differ by less than SciPy's rounding only where both are about 1.
    assert np.all(np.diff(table) <= 1e-12)
    small = table[table < 0.5]
    assert np.all(np.diff(small) <= 0.0)
    assert table[0] == 1.0


def test_pooled_is_never_below_split() -> None:
    for n, tau in itertools.product((1, 7, 100, 1000), TAUS):
        assert np.all(p_values(n, tau, "pooled") >= p_values(n, tau, "split"))


# -- validity: against every law, without the argument that led to the formula ------------------


def laws(tau: float, classes: int, steps: int) -> Iterator[tuple[float, ...]]:
    """Vectors of class probabilities: a grid, and the corners where the null is hardest."""
    for cuts in itertools.combinations_with_replacement(range(steps + 1), classes - 1):
        edges = (0, *cuts, steps)
        parts = sorted((b - a for a, b in itertools.pairwise(edges)), reverse=True)
        yield tuple(k / steps for k in parts)
    rest = (0.0,) * (classes - 2)
    for p in (tau, tau - 1e-6, tau + 1e-6, tau + 0.01, min(0.999, tau + 0.1)):
        yield (p, 1 - p, *rest)
        yield (p, (1 - p) / 2, (1 - p) / 2, *rest[1:])
    yield (tau / 2, tau / 2, 1 - tau, *rest[1:])
    yield ((1 - tau) / 2, tau, (1 - tau) / 2, *rest[1:])
    yield tuple(1 / classes for _ in range(classes))


def outcomes(n: int, classes: int) -> np.ndarray:
    """All ways of splitting n votes over the classes; [ways, classes]."""
    edges = itertools.combinations_with_replacement(range(n + 1), classes - 1)
    return np.diff(np.array([(0, *e, n) for e in edges]), axis=1)


@pytest.mark.parametrize("tau", [0.5, 0.51, 0.6, 0.75, 0.9])
@pytest.mark.parametrize(("n", "classes"), [(1, 3), (2, 3), (5, 3), (9, 4), (16, 3), (16, 4)])
def test_no_law_lets_a_wrong_class_reach_x_votes_with_more_than_the_pooled_p_value(
    n: int, classes: int, tau: float
) -> None:
    """Certifying class c is wrong where P(vote = c) <= tau: where no class exceeds tau, and where
    another one does. Summed over all outcomes of the multinomial law."""
    table = p_values(n, tau, "pooled")
    counts = outcomes(n, classes)
    ways = np.array([math.factorial(n) / math.prod(map(math.factorial, k)) for k in counts])
    tightest = 0.0
    for law in {tuple(v) for v in laws(tau, classes, 12)}:
        p = np.array(law)
        chance = ways * np.prod(p**counts, axis=1)
        assert chance.sum() == pytest.approx(1.0)
        wrong = np.where(p <= tau, counts, -1).max(axis=1)
        for x in range(n + 1):
            probability = chance[wrong >= x].sum()
            assert probability <= table[x] * (1 + 1e-12) + 1e-15
            if table[x] < 1.0:
                tightest = max(tightest, probability / table[x])
    # The bound is attained, at (tau, 1 - tau, 0, ...): nothing is given away either.
    if (table < 1.0).any():
        assert tightest > 1 - 1e-9


@given(data=st.data(), tau=st.floats(0.5, 0.95), n=st.integers(2, 14))
@examples(150)
def test_no_random_law_does_either(data: st.DataObject, tau: float, n: int) -> None:
    weights = data.draw(st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(sum))
    p = np.array(weights) / sum(weights)
    table = p_values(n, tau, "pooled")
    counts = outcomes(n, 4)
    ways = np.array([math.factorial(n) / math.prod(map(math.factorial, k)) for k in counts])
    chance = ways * np.prod(p**counts, axis=1)
    wrong = np.where(p <= tau, counts, -1).max(axis=1)
    for x in range(n + 1):
        assert chance[wrong >= x].sum() <= table[x] * (1 + 1e-10) + 1e-15


@pytest.mark.parametrize("tau", [0.5, 0.6, 0.75])
@pytest.mark.parametrize("selection", ["pooled", "split"])
def test_selection_included_no_sequence_of_votes_breaks_the_p_value(
    tau: float, selection: Selection
) -> None:
    """All sequences of votes, the candidate chosen as the program does: the first best of n0."""
    tested, classes = 6, 3
    p_value = p_values(tested, tau, selection)
    for n0 in (1, 2, 3) if selection == "split" else (1, 2, 3, 6):
        length = tested + n0 if selection == "split" else tested
        votes = np.array(list(itertools.product(range(classes), repeat=length)))
        first = np.stack([(votes[:, :n0] == c).sum(1) for c in range(classes)], axis=1)
        candidate = first.argmax(axis=1)
        counted = votes[:, n0:] if selection == "split" else votes
        hits = (counted == candidate[:, None]).sum(axis=1)
        for law in {tuple(v) for v in laws(tau, classes, 6)}:
            p = np.array(law)
            chance = np.prod(p[votes], axis=1)
            wrong = p[candidate] <= tau
            for x in range(tested + 1):
                assert chance[wrong & (hits >= x)].sum() <= p_value[x] * (1 + 1e-12) + 1e-15


def test_the_split_p_value_would_be_wrong_for_pooled_votes() -> None:
    """Why pooling pays F_{1 - tau}: at (1/2, 1/2) the winner of all n votes is tested twice."""
    n, tau = 12, 0.5
    split = p_values(n, tau, "split")
    for x in range(n // 2 + 1, n + 1):
        winner_reaches_x = 2 * float(exact_tail(n, tau)[x])
        assert winner_reaches_x > 1.99 * split[x]
        assert winner_reaches_x <= p_values(n, tau, "pooled")[x]


@pytest.mark.parametrize("tau", [0.0, 0.49, 0.4999999, 1.0, 1.5, -0.75, math.nan])
def test_tau_outside_one_half_to_one_is_refused(tau: float) -> None:
    for selection in ("split", "pooled"):
        with pytest.raises(ParameterError, match="tau"):
            p_values(10, tau, selection)


def test_p_values_decrease_to_the_last_one() -> None:
    table = p_values(2898, 0.7811159211142285, "split")
    assert np.all(np.diff(table[table < 0.5]) <= 0.0)
