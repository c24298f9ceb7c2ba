"""Synthetic components with known votes, drawn exactly from one uniform number each.

A component votes for its first class with probability p and for its second with 1 - p. With p =
tau it is a *null* one: (tau, 1 - tau) is the worst law in which no class exceeds tau, and whatever
is certified there at tau is wrong. A *certain* component always votes for one class.

Its uniform number s decides how many votes it gets, a small one many. Only the joint law of the s
of several components is free (`onnxcert.study.laws`): each component by itself has independent,
identically distributed votes, so that its total is binomial and the first n0 of n votes are
hypergeometric given the total.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from onnxcert._typing import LevelArray
from onnxcert.result import Selection

Ints = npt.NDArray[np.int64]


def tail(n: int, p: float, selection: Selection) -> LevelArray:
    """P(the winner has x votes or more) for x = 0 .. n, exactly as SciPy has it; float64 [n + 1].

    *Split*: the votes of the first class. *Pooled*: those of whichever class has more.
    """
    x = np.arange(n + 1)
    one = np.asarray(binom.sf(x - 1, n, p), dtype=np.float64)
    if selection == "split":
        return one
    return np.where(2 * x > n, np.minimum(one + binom.sf(x - 1, n, 1.0 - p), 1.0), 1.0)


def right_candidate(n0: int, p: float) -> float:
    """P(the first class is the candidate of n0 draws of their own); ties go to the first."""
    return float(binom.sf((n0 - 1) // 2, n0, p))


def votes(
    s: LevelArray, p: float, n: int, n0: int, selection: Selection, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Candidate (0 or 1) and hits of one component in many repetitions; integers [R] each.

    Args:
        s: the component's uniform numbers, [R].
        p: probability of its first class.
    """
    if selection == "split":
        return _split(s, p, n, n0, rng)
    return _pooled(s, p, n, n0, rng)


def _split(s: LevelArray, p: float, n: int, n0: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Candidate by n0 votes of their own; hits among n others, of whichever class it is."""
    first = rng.binomial(n0, p, len(s))
    candidate = np.where(2 * first >= n0, 0, 1)
    hits = np.where(
        candidate == 0,
        _inverse(tail(n, p, "split"), s),
        _inverse(tail(n, 1.0 - p, "split"), s),
    )
    return candidate, hits


def _pooled(
    s: LevelArray, p: float, n: int, n0: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """The winner's votes by s, then which class won, then which class led after n0 votes."""
    pmf = binom.pmf(np.arange(n + 1), n, p)
    top = np.maximum(_inverse(tail(n, p, "pooled"), s), (n + 1) // 2)
    first_won = rng.random(len(s)) * (pmf[top] + pmf[n - top]) < pmf[top]
    zero = np.where(first_won, top, n - top)
    early = zero if n0 == n else rng.hypergeometric(zero, n - zero, n0)
    candidate = np.where(2 * early >= n0, 0, 1)
    return candidate, np.where(candidate == 0, zero, n - zero)


def _inverse(falling: LevelArray, s: LevelArray) -> Ints:
    """The largest x whose tail is at least s; integers [R]."""
    return np.searchsorted(-falling, -s, side="right") - 1
