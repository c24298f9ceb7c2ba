"""Simulated hits of a component at each interim look, given whether it errs.

The s of a component (`onnxcert.simulation.dependence`) decides whether it errs, with the exact
probability. Its votes are then drawn from their conditional distribution by rejection sampling. So
their unconditional distribution is correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import binom

from onnxcert._typing import BoolArray
from onnxcert.sampling.tally import Selection
from onnxcert.simulation.components import Ints, right_candidate

_POOL: Final = 20_000


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
