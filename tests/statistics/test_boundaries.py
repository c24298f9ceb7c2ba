"""Boundaries spend no more than they may: at 50 digits, and against every path of few votes."""

from __future__ import annotations

import itertools
import time

import mpmath
import numpy as np
import pytest
from exact import DIGITS, crossing
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Selection
from onnxcert.statistics import SPENDING, boundaries, p_values
from onnxcert.statistics.boundaries import auto_looks, crossing_probability, cumulative
from onnxcert.statistics.correction.base import first_rejected

LOOKS = (80, 100, 130, 170, 230, 300, 400, 550, 750, 1000)
SELECTIONS: tuple[Selection, ...] = ("split", "pooled")


def bounds_of(
    looks: tuple[int, ...], tau: float, level: float, selection: Selection, spending: str = "equal"
) -> list[int]:
    found: list[int] = boundaries(looks, [tau], level, selection, spending)[0].tolist()
    return found


def test_the_numbers_of_the_design() -> None:
    level = 1e-3 / 1e6
    assert bounds_of(LOOKS, 0.75, level, "split") == [
        *(81, 98, 125, 160, 211, 269, 351, 474, 634, 834)
    ]
    fixed = [int(np.argmax(p_values(n, 0.75, "split") <= level)) for n in LOOKS]
    assert fixed == [80, 98, 124, 159, 209, 267, 350, 471, 631, 830]


@pytest.mark.parametrize("spending", SPENDING)
@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("level", [0.9, 0.2, 1e-3, 1e-10, 1e-15])
@pytest.mark.parametrize(
    ("looks", "tau"), [((7, 12, 30), 0.5), ((40, 60, 100, 150), 0.75), ((90, 200, 220), 0.9)]
)
def test_at_tau_no_more_is_spent_than_allowed_and_no_vote_is_asked_in_vain(
    looks: tuple[int, ...], tau: float, level: float, selection: Selection, spending: str
) -> None:
    bounds = bounds_of(looks, tau, level, selection, spending)
    laws = (tau, 1 - tau) if selection == "pooled" else (tau,)
    shares = cumulative(spending, looks, level)
    with mpmath.workdps(DIGITS):
        for k, look in enumerate(looks):
            spent = sum(crossing(looks[: k + 1], bounds[: k + 1], p) for p in laws)
            allowed = mpmath.mpf(level) * mpmath.mpf(float(shares[k]))
            assert spent <= allowed
            assert 1 <= bounds[k] <= look + 1
            valid = selection == "split" or convex_up_to(bounds[k] - 1, look) >= tau
            if valid:  # one vote less would spend too much
                lower = [*bounds[:k], bounds[k] - 1]
                more = sum(crossing(looks[: k + 1], lower, p) for p in laws)
                assert more > allowed * (1 - mpmath.mpf("1e-8"))
            if selection == "pooled" and bounds[k] <= look:
                assert convex_up_to(bounds[k], look) >= tau * (1 - 1e-15)


def convex_up_to(x: int, n: int) -> float:
    """Where the second derivative of p^x (1 - p)^(n - x) first vanishes: the smaller root of
    n (n - 1) p^2 - 2 x (n - 1) p + x (x - 1)."""
    if 2 * x <= n:
        return 0.0
    if n == 1:
        return 1.0
    return float(min(np.roots([n * (n - 1), -2 * x * (n - 1), x * (x - 1)]).real))


@given(
    looks=st.lists(st.integers(1, 60), min_size=1, max_size=5, unique=True).map(
        lambda v: tuple(sorted(v))
    ),
    tau=st.floats(0.5, 0.95),
    level=st.floats(1e-12, 0.5),
    cuts=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
    spending=st.sampled_from(sorted(SPENDING)),
)
@examples(200)
def test_whichever_classes_there_are_below_tau_they_cross_with_the_level_together(
    looks: tuple[int, ...], tau: float, level: float, cuts: tuple[int, int], spending: str
) -> None:
    low, high = (cut / 1000 for cut in sorted(cuts))
    law = [low, high - low, 1.0 - high]
    pooled = bounds_of(looks, tau, level, "pooled", spending)
    chance = [crossing_probability(looks, pooled, p) for p in law]
    if max(law) <= tau:
        assert sum(chance) <= level * (1 + 1e-12)
    else:  # the others together are not worse than one of 1 - tau
        others = sum(c for c, p in zip(chance, law, strict=True) if p <= tau)
        assert others <= crossing_probability(looks, pooled, 1.0 - tau) * (1 + 1e-9) + 1e-250
    split = bounds_of(looks, tau, level, "split", spending)
    assert crossing_probability(looks, split, tau * low) <= level * (1 + 1e-12)


def any_class_errs(
    looks: tuple[int, ...], rows: np.ndarray, taus: tuple[float, ...], law: tuple[float, ...]
) -> float:
    """P(some class ever crosses the boundary of a tau that it does not exceed), over the counts of
    three classes after each draw; what has erred is taken out."""
    alive = {(0, 0, 0): 1.0}
    erred = 0.0
    for draw in range(1, looks[-1] + 1):
        following: dict[tuple[int, ...], float] = {}
        for counts, chance in alive.items():
            for c, p in enumerate(law):
                if p > 0:
                    key = tuple(v + (j == c) for j, v in enumerate(counts))
                    following[key] = following.get(key, 0.0) + chance * p
        alive = following  # type: ignore[assignment]
        if draw in looks:
            k = looks.index(draw)
            wrong = [
                counts
                for counts in alive
                if any(
                    x >= row[k] and p <= tau
                    for x, p in zip(counts, law, strict=True)
                    for row, tau in zip(rows, taus, strict=True)
                )
            ]
            erred += sum(alive.pop(counts) for counts in wrong)
    return erred


@pytest.mark.parametrize("level", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("taus", [(0.5,), (0.6,), (0.75,), (0.5, 0.6, 0.8), (0.6, 0.62)])
def test_no_law_of_three_classes_errs_at_any_look_with_more_than_the_level(
    taus: tuple[float, ...], level: float
) -> None:
    looks = (6, 9, 14, 18)
    rows = boundaries(looks, taus, level, "pooled", "equal")
    assert np.all(np.diff(rows, axis=0) >= 0)
    tops = {*taus, *(t - 0.01 for t in taus), *(t + 1e-9 for t in taus), 0.9, 1 / 3}
    errs = []
    for p in sorted(tops):
        for share in (1.0, 0.8, 0.5):
            law = (p, (1 - p) * share, (1 - p) * (1 - share))
            errs.append(any_class_errs(looks, rows, taus, law))
    assert max(errs) <= level
    # And it is not for want of power that none does.
    assert max(errs) > 0.1 * level


def test_a_further_tau_leaves_to_the_other_classes_what_they_may_err_with() -> None:
    """At the level itself the two classes of (0.45, 0.55) err 1.13 times too often together."""
    looks, taus, level = (3, 13), (0.52, 0.55), 0.1
    rows = boundaries(looks, taus, level, "pooled", "equal")
    assert any_class_errs(looks, rows, taus, (0.45, 0.55, 0.0)) <= level


@given(
    looks=st.lists(st.integers(2, 40), min_size=1, max_size=4, unique=True).map(
        lambda v: tuple(sorted(v))
    ),
    taus=st.sampled_from([(0.5, 0.85), (0.55, 0.5), (0.52, 0.55, 0.6), (0.7, 0.5)]),
    level=st.sampled_from([0.5, 0.4, 0.3, 0.2, 0.1, 0.01]),
    spending=st.sampled_from(sorted(SPENDING)),
)
@examples(150)
def test_a_further_tau_spends_no_more_than_the_smallest_leaves(
    looks: tuple[int, ...], taus: tuple[float, ...], level: float, spending: str
) -> None:
    """The level without d = C(1 - smallest tau), all at 50 digits."""
    rows = boundaries(looks, taus, level, "pooled", spending)
    smallest = int(np.argmin(taus))
    others = crossing(looks, rows[smallest].tolist(), 1.0 - taus[smallest])
    for place, (row, tau) in enumerate(zip(rows, taus, strict=True)):
        if place != smallest:
            assert crossing(looks, row.tolist(), tau) <= max(level - others, 0.0)


def test_the_level_itself_would_be_too_much_for_pooled_votes() -> None:
    """Why the law 1 - tau is spent for, too: at (1/2, 1/2) two classes may cross."""
    looks, level = (6, 9, 14, 18), 0.3
    rows = boundaries(looks, [0.5], level, "split", "equal")
    assert any_class_errs(looks, rows, (0.5,), (0.5, 0.5, 0.0)) > 1.5 * level


@given(
    n=st.integers(1, 400),
    tau=st.sampled_from([0.5, 0.51, 0.6, 0.75, 0.9, 0.99]),
    level=st.sampled_from([0.5, 0.1, 1e-3, 1e-9, 1e-30]),
    selection=st.sampled_from(SELECTIONS),
)
@examples(300)
def test_a_single_look_decides_as_the_p_value(
    n: int, tau: float, level: float, selection: Selection
) -> None:
    bound = int(boundaries((n,), [tau], level, selection, "equal")[0, 0])
    fixed = first_rejected(p_values(n, tau, selection), level)
    if level <= 1e-3:
        assert bound == fixed
    # At a large level the boundary may have to be higher for its chance to be convex.
    assert bound >= fixed


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("spending", SPENDING)
def test_several_tau_have_boundaries_that_rise_with_tau_in_any_order(
    selection: Selection, spending: str
) -> None:
    taus = (0.5, 0.55, 0.6, 0.75, 0.9)
    rows = boundaries(LOOKS, taus, 1e-7, selection, spending)
    assert np.all(np.diff(rows, axis=0) >= 0)
    for row, tau in zip(rows, taus, strict=True):
        assert np.all(row >= bounds_of(LOOKS, tau, 1e-7, selection, spending))
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 17):
        again = boundaries(LOOKS, [taus[i] for i in order], 1e-7, selection, spending)
        np.testing.assert_array_equal(again, rows[list(order)])


@pytest.mark.parametrize("spending", SPENDING)
def test_shares_rise_to_all_of_the_level(spending: str) -> None:
    for level in (0.3, 1e-9, 1e-30, 1e-190):
        shares = cumulative(spending, LOOKS, level)
        assert np.all(np.diff(shares) >= 0)
        assert shares[0] >= 0
        assert shares[-1] == 1.0
        assert np.all(shares <= 1.0)
    with pytest.raises(ParameterError, match="spending must be one of equal, pocock, obrien"):
        cumulative("haybittle", LOOKS, 0.1)


def test_the_spending_functions_are_those_of_lan_and_demets() -> None:
    half = (50, 100)
    assert cumulative("equal", half, 0.05)[0] == 0.5
    assert cumulative("pocock", half, 0.05)[0] == pytest.approx(0.6201, abs=1e-4)
    # 2 (1 - Phi(1.95996 / sqrt(1/2))) = 0.005575, of a level of 0.05.
    assert cumulative("obrien-fleming", half, 0.05)[0] * 0.05 == pytest.approx(0.005575, abs=1e-6)


@given(n=st.integers(1, 20_000), smallest=st.integers(1, 20_000))
def test_automatic_looks_rise_to_n_from_where_something_can_be_certified(
    n: int, smallest: int
) -> None:
    looks = auto_looks(n, smallest)
    assert looks[-1] == n
    assert list(looks) == sorted(set(looks))
    assert looks[0] >= min(n, smallest)
    assert all(b <= 1.45 * a + 1 for a, b in itertools.pairwise(looks))


def test_ten_thousand_draws_with_twenty_looks_take_little_time() -> None:
    """Well under a second of processor time; the bound is generous."""
    looks = tuple(np.rint(np.geomspace(100, 10_000, 20)).astype(int).tolist())
    started = time.process_time()
    rows = boundaries(looks, [0.7431], 1e-3 / 2**21, "pooled", "pocock")
    assert time.process_time() - started < 8.0
    assert np.all(rows[0] <= looks)
