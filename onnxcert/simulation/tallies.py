"""Tallies of synthetic components that err independently.

Wrong votes are spread over many classes that never lead, so the candidate is always correct.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.perturbation import Gaussian
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.simulation.components import Ints

DRAWS: Final = Draws(Gaussian(0.25), 1, "00" * 32)


@dataclass(frozen=True)
class Errors:
    """The rates of wrong votes of N components.

    Args:
        rates: of each component, 0 to 1; float64 [N].
    """

    rates: LevelArray

    @classmethod
    def one_bad(cls, components: int, gamma: float) -> Errors:
        """Return rates of gamma, one of 5 gamma (Fischer et al. 2021, synthetic data)."""
        rates = np.full(components, gamma)
        rates[0] = min(1.0, 5.0 * gamma)
        return cls(rates)

    def tally(
        self,
        n: int,
        n0: int,
        selection: Selection,
        rng: np.random.Generator,
        *,
        joint: bool = False,
    ) -> Tally:
        """Draw the votes of n tested draws; with `joint` also those in which all agree.

        Raises:
            ParameterError: n and n0 are not compatible.
        """
        # The n0 extra draws of split selection only choose the candidate, which is known here.
        wrong = rng.binomial(n, self.rates)
        hits = (n - wrong).astype(np.min_scalar_type(n))
        agree = None
        if joint and selection == "split":
            agree = n - _count_draws_with_misses(wrong, n, rng)
        return synthetic_tally(hits, n, n0, selection, joint=agree)

    def at_looks(
        self, looks: Sequence[int], n0: int, rng: np.random.Generator
    ) -> Iterator[IntArray]:
        """Yield the hits [N] at each look; pooled selection."""
        before, wrong = n0, rng.binomial(n0, self.rates)
        for look in looks:
            wrong = wrong + rng.binomial(look - before, self.rates)
            yield (look - wrong).astype(np.min_scalar_type(looks[-1]))
            before = look


def synthetic_tally(
    hits: IntArray,
    n: int,
    n0: int,
    selection: Selection,
    *,
    candidate: IntArray | None = None,
    looks: tuple[int, ...] = (),
    path: IntArray | None = None,
    joint: int | None = None,
    law_error: float = 0.0,
) -> Tally:
    """Return hits of synthetic components as a tally; the candidates are class 0 if not given."""
    candidate = np.zeros(hits.shape, np.uint8) if candidate is None else candidate
    return Tally(
        candidate=candidate,
        hits=hits,
        single=candidate,
        n=n,
        n0=n0,
        selection=selection,
        classes=3,
        nonfinite=0,
        draws=DRAWS,
        kind="synthetic components",
        looks=looks,
        path=path,
        joint=joint,
        law_error=law_error,
    )


def _count_draws_with_misses(misses: Ints, n: int, rng: np.random.Generator) -> int:
    """Draw in how many of n draws any component misses; each misses in a random set of draws.

    Every miss gets a random draw; if a component gets the same draw twice, one is drawn again.
    Above 60 n misses, the probability that any draw has no miss is below n e^-60.
    """
    total = int(misses.sum())
    if total > 60 * n:
        return n
    few = np.flatnonzero(misses)
    owner = np.repeat(np.arange(len(few)), misses[few])
    taken = np.zeros((len(few), n), np.bool_)
    while len(owner):
        at = rng.integers(0, n, len(owner))
        order = np.lexsort((at, owner))
        owner, at = owner[order], at[order]
        again = taken[owner, at]
        again[1:] |= (owner[1:] == owner[:-1]) & (at[1:] == at[:-1])
        taken[owner[~again], at[~again]] = True
        owner = owner[again]
    return int(taken.any(axis=0).sum())
