"""Votes at 50 digits and every outcome of small multinomials: what the decision is held against."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

import mpmath
import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.perturbation import Gaussian
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Selection, Tally

DIGITS = 50
DRAWS = Draws(Gaussian(0.25), 1, "00" * 32)


def tally_of(
    hits: object, n: int, selection: Selection = "pooled", *, n0: int = 1, classes: int = 3
) -> Tally:
    """A tally of these hits, every candidate being class 0."""
    counts = np.asarray(hits)
    zeros = np.zeros(counts.shape, np.uint8)
    return Tally(zeros, counts, zeros, n, n0, selection, classes, 0, DRAWS)


@cache
def pmf(n: int, p: float) -> tuple[mpmath.mpf, ...]:
    """P(Bin(n, p) = x), x = 0 .. n."""
    with mpmath.workdps(DIGITS):
        q = mpmath.mpf(p)
        return tuple(mpmath.binomial(n, x) * q**x * (1 - q) ** (n - x) for x in range(n + 1))


def tail(n: int, p: float, x: int) -> mpmath.mpf:
    """P(Bin(n, p) >= x); terms that no digit depends on are left out."""
    if x > n:
        return mpmath.mpf(0)
    with mpmath.workdps(DIGITS):
        q = mpmath.mpf(p)
        term = mpmath.binomial(n, x) * q**x * (1 - q) ** (n - x)
        total = term
        for k in range(x, n):
            term *= q / (1 - q) * (n - k) / (k + 1)
            total += term
            if k > n * q and term < total * mpmath.mpf(10) ** (-DIGITS - 5):
                break
        return total


def crossing(looks: Sequence[int], bounds: Sequence[int], p: float) -> mpmath.mpf:
    """P(hits reach the bound at some look), by the law of the votes that have not."""
    with mpmath.workdps(DIGITS):
        alive, before, crossed = [mpmath.mpf(1)], 0, mpmath.mpf(0)
        for look, bound in zip(looks, bounds, strict=True):
            step = pmf(look - before, p)
            law = [
                mpmath.fsum(
                    alive[a] * step[x - a]
                    for a in range(max(0, x - len(step) + 1), min(len(alive), x + 1))
                )
                for x in range(len(alive) + len(step) - 1)
            ]
            crossed += mpmath.fsum(law[bound:])
            alive, before = law[:bound], look
        return crossed


@cache
def outcomes(n: int, classes: int) -> tuple[IntArray, LevelArray]:
    """All ways of splitting n votes over the classes [ways, classes], and how often each occurs."""
    edges = itertools.combinations_with_replacement(range(n + 1), classes - 1)
    counts = np.diff(np.array([(0, *e, n) for e in edges]), axis=1)
    ways = [math.factorial(n) / math.prod(map(math.factorial, k)) for k in counts.tolist()]
    return counts, np.array(ways)


def chances(law: Sequence[float], n: int) -> tuple[IntArray, LevelArray]:
    """Every outcome of n votes under `law`, and its probability."""
    counts, ways = outcomes(n, len(law))
    return counts, ways * np.prod(np.array(law) ** counts, axis=1)
