"""Synthetic components with known vote probabilities, drawn from one uniform number each.

A component votes for its first class with probability p and for its second with 1 - p. With
p = tau it is *null*: (tau, 1 - tau) is the worst distribution in which no class exceeds tau, and
every certificate at tau is wrong. A *certain* component always votes for one class.

The uniform number s of a component determines its votes; a small s means many votes. Only the
dependence between the s of several components is free (`onnxcert.simulation.dependence`). Each
component by itself has independent, identically distributed votes, so its total is binomial, and
given the total the first n0 of n votes are hypergeometric. Under interim looks (`Walk`) s decides
whether the component errs, with the exact probability; its votes are then drawn from their
conditional distribution by rejection sampling, so that their unconditional distribution is correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from onnxcert._typing import BoolArray, LevelArray
from onnxcert.sampling.tally import Selection

Ints = npt.NDArray[np.int64]
_POOL: Final = 20_000


def tail(n: int, p: float, selection: Selection) -> LevelArray:
    """Compute P(the winner has at least x votes), x = 0 .. n, without rounding up; [n + 1].

    *Split*: the votes of the first class. *Pooled*: those of the class with more votes.
    """
    x = np.arange(n + 1)
    one = np.asarray(binom.sf(x - 1, n, p), dtype=np.float64)
    if selection == "split":
        return one
    return np.where(2 * x > n, np.minimum(one + binom.sf(x - 1, n, 1.0 - p), 1.0), 1.0)


def right_candidate(n0: int, p: float) -> float:
    """Compute P(the first class wins n0 separate draws); ties go to the first class."""
    return float(binom.sf((n0 - 1) // 2, n0, p))


def votes(
    s: LevelArray, p: float, n: int, n0: int, selection: Selection, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draw the candidate (0 or 1) and the hits of one component; integers [R] each.

    Args:
        s: the component's uniform numbers in R repetitions, [R].
        p: probability of its first class.
        n: draws tested.
        n0: draws that choose the candidate.
        selection: of the candidate.
        rng: for what s does not determine.
    """
    if selection == "split":
        return _split(s, p, n, n0, rng)
    return _pooled(s, p, n, n0, rng)


def _split(s: LevelArray, p: float, n: int, n0: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw the candidate from n0 separate votes, then its hits among n others."""
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
    """Draw the winner's votes from s, then which class won, then which class led after n0 votes."""
    pmf = binom.pmf(np.arange(n + 1), n, p)
    top = np.maximum(_inverse(tail(n, p, "pooled"), s), (n + 1) // 2)
    first_won = rng.random(len(s)) * (pmf[top] + pmf[n - top]) < pmf[top]
    zero = np.where(first_won, top, n - top)
    early = zero if n0 == n else rng.hypergeometric(zero, n - zero, n0)
    candidate = np.where(2 * early >= n0, 0, 1)
    return candidate, np.where(candidate == 0, zero, n - zero)


def _inverse(falling: LevelArray, s: LevelArray) -> Ints:
    """Return the largest x whose tail is at least s; integers [R]."""
    return np.searchsorted(-falling, -s, side="right") - 1


@dataclass(frozen=True)
class Walk:
    """One component under interim looks.

    Args:
        p: probability of its first class; the second has 1 - p.
        looks: numbers of draws.
        n0: draws that choose the candidate; the first look under pooled selection.
        selection: of the candidate.
        first: smallest hits at each look that certify the first class wrongly.
        second: smallest hits at each look that certify the second class wrongly.
    """

    p: float
    looks: tuple[int, ...]
    n0: int
    selection: Selection
    first: tuple[int, ...]
    second: tuple[int, ...]

    def error_chance(self) -> float:
        """Compute P(the candidate is ever certified wrongly), by recursion over the looks."""
        if self.selection == "split":
            right = right_candidate(self.n0, self.p)
            return right * self._reaches(self.p, self.first, 0) + (1.0 - right) * self._reaches(
                1.0 - self.p, self.second, 0
            )
        assert self.n0 == self.looks[0]
        # The candidate is the class that leads at the first look; ties go to the first class.
        return self._reaches(self.p, self.first, (self.n0 + 1) // 2) + self._reaches(
            1.0 - self.p, self.second, self.n0 // 2 + 1
        )

    def _reaches(self, p: float, bars: Sequence[int], least: int) -> float:
        """Compute P(a class of probability p reaches a bar and has `least` votes at first)."""
        alive, before, reached = np.ones(1), 0, 0.0
        for look, bar in zip(self.looks, bars, strict=True):
            drawn = look - before
            alive = np.convolve(alive, binom.pmf(np.arange(drawn + 1), drawn, p))
            if before == 0:
                alive[:least] = 0.0
            reached += float(alive[bar:].sum())
            alive = alive[:bar]
            before = look
        return reached

    def draw(self, errs: BoolArray, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Draw candidates [R] and hits [R, looks] of R repetitions, given whether each errs."""
        candidate = np.zeros(len(errs), np.int64)
        path = np.zeros((len(errs), len(self.looks)), np.int64)
        for wanted in (False, True):
            rows = np.flatnonzero(errs == wanted)
            while len(rows):
                drawn, walked, wrong = self._free(rng)
                use = np.flatnonzero(wrong == wanted)[: len(rows)]
                candidate[rows[: len(use)]], path[rows[: len(use)]] = drawn[use], walked[use]
                rows = rows[len(use) :]
        return candidate, path

    def _free(self, rng: np.random.Generator) -> tuple[Ints, Ints, BoolArray]:
        """Draw candidates, hits and errors without a condition."""
        gains = rng.binomial(np.diff(self.looks, prepend=0), self.p, (_POOL, len(self.looks)))
        zero = np.cumsum(gains, axis=1)
        votes = rng.binomial(self.n0, self.p, _POOL) if self.selection == "split" else zero[:, 0]
        candidate = np.where(2 * votes >= self.n0, 0, 1)
        hits = np.where(candidate[:, None] == 0, zero, np.array(self.looks) - zero)
        bars = np.array([self.first, self.second])[candidate]
        return candidate, hits, np.asarray((hits >= bars).any(axis=1))
