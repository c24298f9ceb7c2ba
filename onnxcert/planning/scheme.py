"""Votes that a decision rule needs at several numbers of draws, computed by the decision itself."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from onnxcert.errors import ParameterError
from onnxcert.planning.pilot import VoteRates
from onnxcert.sampling.tally import LARGEST_N, Selection
from onnxcert.statistics import Family, find_boundaries, smallest_n, thresholds
from onnxcert.statistics.rule import Rule

# Share of the other components with all votes, to show the last steps of a stepwise procedure.
MOST: Final = 0.9
_SEARCHED: Final = 1000


@dataclass(frozen=True)
class Scheme:
    """A rule, applied to N components at each of several numbers of draws.

    Args:
        name: for the table.
        rule: with a schedule, `draws` are its looks.
        components: N.
        selection: where the candidate comes from.
        n0: draws the candidate is chosen from.
        draws: numbers of draws tested, increasing.
        law_error: of one draw, see `onnxcert.sampling.tally.Tally`.
    """

    name: str
    rule: Rule
    components: int
    selection: Selection
    n0: int
    draws: tuple[int, ...]
    law_error: float = 0.0

    @cached_property
    def _family(self) -> Family:
        return Family.of(self.rule, self.components, self.selection, self.law_error)

    @property
    def stepwise(self) -> bool:
        """Whether the votes that certify a component depend on the others."""
        return self._family.correction.stepwise

    @cached_property
    def votes(self) -> tuple[tuple[int, ...], ...]:
        """Hits that certify at each tau and n, for any votes of the others; n + 1 if none do."""
        return self._votes(0.0)

    @cached_property
    def votes_beside_most(self) -> tuple[tuple[int, ...], ...]:
        """Hits that certify if 90 % of the other components get all votes."""
        return self._votes(MOST) if self.stepwise else self.votes

    def _votes(self, others: float) -> tuple[tuple[int, ...], ...]:
        if self.rule.schedule is not None:
            bounds = find_boundaries(self.rule, self._family, self.n0)[1]
            return tuple(map(tuple, bounds.tolist()))
        rows = [
            votes_needed(
                self.rule,
                self.components,
                self.selection,
                n,
                others=others,
                law_error=self.law_error,
            )
            for n in self.draws
        ]
        return tuple(zip(*rows, strict=True))

    def smallest_n(self, place: int) -> int | None:
        """Return the smallest n (or look) that certifies at tau number `place`; None if none."""
        if self.rule.schedule is not None:
            rows = zip(self.votes[place], self.draws, strict=True)
            return next((look for votes, look in rows if votes <= look), None)
        try:
            return smallest_useful_n(
                self.rule, self.components, self.selection, self.rule.taus[place], self.law_error
            )
        except ParameterError:
            return None

    def certified(self, inputs: Sequence[VoteRates], place: int) -> list[tuple[float, ...]]:
        """Predict the certified share at each number of draws, for each input of a pilot."""
        if self.rule.schedule is not None:
            return [rates.crossing_shares(self.draws, self.votes[place]) for rates in inputs]
        return [tuple(self._share(rates, n, place) for n in self.draws) for rates in inputs]

    def _share(self, rates: VoteRates, n: int, place: int) -> float:
        hits = rates.hits(n)
        histogram = np.zeros(n + 1, dtype=np.int64)
        if self.stepwise:
            # Round the cumulative sums, so that the counts add up to all components.
            edges = np.rint(np.cumsum(hits) / hits.sum() * self.components).astype(np.int64)
            histogram = np.diff(edges, prepend=0)
        else:
            histogram[0] = self.components
        first = thresholds(self.rule, self._family, n, histogram)[place]
        return float(hits[first:].sum())


def votes_needed(
    rule: Rule,
    components: int,
    selection: Selection,
    n: int,
    *,
    others: float = 0.0,
    law_error: float = 0.0,
) -> tuple[int, ...]:
    """Return the smallest hits of n that certify at each tau of `rule`; n + 1 where none do.

    A single-step procedure needs the same votes for any votes of the other components. A stepwise
    procedure needs fewer votes if more others are certified.

    Args:
        rule: without a schedule.
        components: N.
        selection: where the candidate comes from.
        n: draws tested.
        others: share of the other components that get all n votes; the rest get none. With 0 the
            component is certified for any votes of the others (the first step of Holm).
        law_error: of one draw, see `onnxcert.sampling.tally.Tally`.
    """
    family = Family.of(rule, components, selection, law_error)
    full = int(others * (components - 1))
    histogram = np.zeros(n + 1, dtype=np.int64)
    histogram[0] += components - 1 - full
    histogram[n] += full

    def beside(x: int) -> tuple[int, ...]:
        """Return the thresholds if one more component has x hits."""
        histogram[x] += 1
        found = thresholds(rule, family, n, histogram)
        histogram[x] -= 1
        return found

    if not family.correction.stepwise:
        return beside(0)
    # The threshold does not increase with x, so bisect for the smallest x that reaches it.
    return tuple(
        bisect_left(range(n + 1), 0, key=lambda x: -int(beside(x)[place] > x))
        for place in range(len(rule.taus))
    )


def smallest_useful_n(
    rule: Rule, components: int, selection: Selection, tau: float, law_error: float = 0.0
) -> int:
    """Return the smallest n at which unanimous components are certified at `tau`.

    Raises:
        ParameterError: more than ten million draws would be needed.
    """
    family = replace(Family.of(rule, components, selection, law_error), tau=tau)
    place = rule.taus.index(tau)
    start = smallest_n(family)
    if not rule.radius_map and not rule.more_taus:
        return start
    # Several tau reserve level for directional errors, which needs a few more draws.
    for n in range(start, min(start + _SEARCHED, LARGEST_N)):
        needed = votes_needed(rule, components, selection, n, others=1.0, law_error=law_error)
        if needed[place] <= n:
            return n
    raise ParameterError(
        f"no feasible number of draws certifies {components} components at tau {tau:g} and alpha "
        f"{rule.alpha:g}; lower tau or raise alpha."
    )
