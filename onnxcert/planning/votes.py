"""Votes that certify at a number of draws, computed by the decision itself."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import Final

import numpy as np

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import LARGEST_N, Selection
from onnxcert.statistics import (
    Family,
    boundaries,
    resolve_looks,
    smallest_n,
    tested_tau,
    thresholds,
)
from onnxcert.statistics.rule import Rule

# Share of the other components with all votes, to show the last steps of a stepwise procedure.
MOST: Final = 0.9
_SEARCHED: Final = 1000


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


def votes_at_looks(
    rule: Rule, components: int, selection: Selection, n0: int, law_error: float = 0.0
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Return the looks of `rule`, and the hits that certify at each tau and look.

    The hits are look + 1 where none certify.

    Raises:
        ParameterError: the first look of pooled selection is before n0.
    """
    assert rule.schedule is not None
    family = Family.of(rule, components, selection, law_error)
    looks = resolve_looks(rule.schedule, family, n0)
    taus = [tested_tau(tau, law_error) for tau in rule.taus]
    rows = boundaries(looks, taus, family.single_level, selection, rule.schedule.spending)
    return looks, tuple(map(tuple, rows.tolist()))


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
