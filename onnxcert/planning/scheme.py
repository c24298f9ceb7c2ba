"""A decision rule, and the votes it needs at several numbers of draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from onnxcert.errors import ParameterError
from onnxcert.planning.pilot import VoteRates
from onnxcert.planning.votes import MOST, smallest_useful_n, votes_at_looks, votes_needed
from onnxcert.sampling.tally import Selection
from onnxcert.statistics import Family, thresholds
from onnxcert.statistics.correction import get_correction
from onnxcert.statistics.rule import Rule


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

    @property
    def stepwise(self) -> bool:
        """Whether the votes that certify a component depend on the others."""
        return get_correction(self.rule.correction).stepwise

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
            return votes_at_looks(
                self.rule, self.components, self.selection, self.n0, self.law_error
            )[1]
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
        family = Family.of(self.rule, self.components, self.selection, self.law_error)
        first = thresholds(self.rule, family, n, histogram)[place]
        return float(hits[first:].sum())
