"""Votes of synthetic components that err independently, as tallies.

Wrong votes are spread over many classes, none of which ever leads: the candidate is the right one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.draws import Draws
from onnxcert.perturbation import Gaussian
from onnxcert.result import Selection, Tally
from onnxcert.study.components import Ints

DRAWS: Final = Draws(Gaussian(0.25), 1, "00" * 32)


@dataclass(frozen=True)
class Errors:
    """How often each of N components votes for a wrong class.

    Args:
        rates: of each component, 0 to 1; float64 [N].
    """

    rates: LevelArray

    @classmethod
    def one_bad(cls, components: int, gamma: float) -> Errors:
        """Every component at gamma, one at 5 gamma (Fischer et al. 2021, synthetic data)."""
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
        """Votes of n tested draws; with `joint` also in how many all components agree.

        Raises:
            ParameterError: n and n0 do not go together.
        """
        # Split selection has n0 draws more, which only choose the candidate.
        wrong = rng.binomial(n, self.rates)
        hits = (n - wrong).astype(np.min_scalar_type(n))
        agree = None
        if joint and selection == "split":
            agree = n - _struck(wrong, n, rng)
        return synthetic_tally(hits, n, n0, selection, joint=agree)

    def at_looks(
        self, looks: Sequence[int], n0: int, rng: np.random.Generator
    ) -> Iterator[IntArray]:
        """Hits [N] at one look after the other; pooled selection."""
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
    looks: tuple[int, ...] = (),
    path: IntArray | None = None,
    joint: int | None = None,
) -> Tally:
    """Votes of synthetic components as a tally."""
    candidate = np.zeros(hits.shape, np.uint8)
    return Tally(
        candidate=candidate,
        hits=hits,
        single=candidate,
        n=n,
        n0=n0,
        selection=selection,
        classes=2,
        nonfinite=0,
        draws=DRAWS,
        kind="synthetic components",
        looks=looks,
        path=path,
        joint=joint,
    )


def _struck(misses: Ints, n: int, rng: np.random.Generator) -> int:
    """In how many of n draws any component misses, where each misses in a random set of them.

    Every miss gets a draw of its own component; those that meet are drawn again. Beyond 60 n misses
    no draw is free but with a probability below n e^-60.
    """
    total = int(misses.sum())
    if total > 60 * n:
        return n
    few = np.flatnonzero(misses)
    owner = np.repeat(np.arange(len(few)), misses[few])
    taken = np.zeros((len(few), n), np.bool_)
    # A component that misses most draws hits a random set of the few others.
    while len(owner):
        at = rng.integers(0, n, len(owner))
        order = np.lexsort((at, owner))
        owner, at = owner[order], at[order]
        again = taken[owner, at]
        again[1:] |= (owner[1:] == owner[:-1]) & (at[1:] == at[:-1])
        taken[owner[~again], at[~again]] = True
        owner = owner[again]
    return int(taken.any(axis=0).sum())
