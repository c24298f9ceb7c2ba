"""Predicted effect of more draws or a smaller radius, from the votes of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import norm

from onnxcert._typing import IntArray, Perturbation
from onnxcert.errors import ParameterError
from onnxcert.planning.causes import MORE_DRAWS, plain_rule
from onnxcert.planning.pilot import VoteRates
from onnxcert.planning.scheme import votes_needed
from onnxcert.sampling.tally import Selection
from onnxcert.statistics.rule import Rule

_FACTORS: Final = (2, 3, 5, MORE_DRAWS)
_MOST_OF_THE_GAIN: Final = 0.8
_WORTHWHILE: Final = 0.005  # share of components; a prediction is not more accurate
_LARGEST: Final = 2000  # the rates of more draws take seconds to estimate


class Remedy(NamedTuple):
    """A change of one setting, and the share of components that a new run would then certify.

    Attributes:
        n: draws tested.
        tau: the tau to certify at.
        radius: the radius of this tau.
        certified: predicted share of all components.
    """

    n: int
    tau: float
    radius: float
    certified: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Votes:
    """The votes of one or several inputs, as the pilot of a further run.

    Attributes:
        hits: draws tested -> components with each number of hits; sparse.
        rule: the decision rule.
        components: N of the largest input.
        selection: `pooled` or `split`.
        law_error: of one draw; the largest of all inputs.
        perturbation: the noise.
    """

    hits: dict[int, dict[int, int]]
    rule: Rule
    components: int
    selection: Selection
    law_error: float
    perturbation: Perturbation

    def __add__(self, other: Votes) -> Votes:
        """Return the votes of the inputs of both, which must come from one run."""
        hits = {n: dict(counts) for n, counts in self.hits.items()}
        for n, counts in other.hits.items():
            mine = hits.setdefault(n, {})
            for x, count in counts.items():
                mine[x] = mine.get(x, 0) + count
        return Votes(
            hits=hits,
            rule=self.rule,
            components=max(self.components, other.components),
            selection=self.selection,
            law_error=max(self.law_error, other.law_error),
            perturbation=self.perturbation,
        )

    def find_more_draws(self, n: int, most: int, certified: float) -> Remedy | None:
        """Return the fewest of several numbers of draws with most of the gain; None if too little.

        Args:
            n: draws of the run.
            most: draws that are practicable.
            certified: share certified now.
        """
        if not self._predictable:
            return None
        least = most // _FACTORS[-1]
        draws = sorted({least, *(min(least * factor, most) for factor in _FACTORS)})
        remedies = [self.predict(each, self.rule.tau) for each in draws if each > n]
        if not remedies or remedies[-1].certified - certified < _WORTHWHILE:
            return None
        enough = certified + _MOST_OF_THE_GAIN * (remedies[-1].certified - certified)
        return next(each for each in remedies if each.certified >= enough)

    def find_smaller_radius(self, n: int, certified: float) -> Remedy | None:
        """Return about half the radius at n draws; None if this gains too little."""
        tau = round(float(norm.cdf(norm.ppf(self.rule.tau) / 2.0)), 2)
        if not self._predictable or not 0.5 <= tau < self.rule.tau:
            return None
        try:
            found = self.predict(n, tau)
        except ParameterError:  # below the floor of a radius map
            return None
        return found if found.certified - certified >= _WORTHWHILE else None

    @property
    def _predictable(self) -> bool:
        return self.rule.procedure == "segcertify" and max(self.hits) <= _LARGEST

    @cached_property
    def _rates(self) -> list[tuple[float, VoteRates]]:
        """Distributions of the vote rates, with the share of the components that have each."""
        counts = [sum(each.values()) for each in self.hits.values()]
        rates = [VoteRates.of(_densify(each, n)) for n, each in self.hits.items()]
        return [(count / sum(counts), each) for count, each in zip(counts, rates, strict=True)]

    def predict(self, n: int, tau: float) -> Remedy:
        """Predict the share that a new run with n draws certifies at tau.

        A stepwise correction needs fewer votes, the more of the other components are certified.
        So start from all components that exceed tau, and repeat.

        Raises:
            ParameterError: the rule is not valid at tau.
        """
        rule = plain_rule(self.rule).but(tau=tau)
        certified = sum(weight * rates.above(tau) for weight, rates in self._rates)
        for _ in range(4):
            before = certified
            # The votes change by one at most if a quarter more of the components are left.
            left = max(1.0 - certified, 1.0 / self.components)
            left = min(1.0, 1.25 ** math.ceil(math.log(left, 1.25)))
            votes = _count_votes(
                rule, self.components, self.selection, n, 1.0 - left, self.law_error
            )
            certified = sum(weight * rates.reach(n, votes) for weight, rates in self._rates)
            if abs(certified - before) < 1e-4:
                break
        return Remedy(n, tau, self.perturbation.radius(tau), min(float(certified), 1.0))


@lru_cache(maxsize=1024)
def _count_votes(
    rule: Rule, components: int, selection: Selection, n: int, others: float, law_error: float
) -> int:
    return votes_needed(rule, components, selection, n, others=others, law_error=law_error)[0]


def _densify(counts: Mapping[int, int], n: int) -> IntArray:
    """Return the number of components with 0 .. n hits; int64 [n + 1]."""
    found = np.zeros(n + 1, np.int64)
    for hits, count in counts.items():
        found[hits] = count
    return found
