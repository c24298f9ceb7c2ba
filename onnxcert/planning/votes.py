"""Votes that certify at a number of draws, as the decision itself asks for them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import Final

import numpy as np

from onnxcert.decision import (
    Family,
    boundaries,
    looks_of,
    smallest_n,
    tested_tau,
    thresholds,
)
from onnxcert.errors import ParameterError
from onnxcert.result import LARGEST_N, Selection
from onnxcert.rule import Rule

# "Most of the others": what a stepwise procedure asks for late in its steps.
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
    """Hits of n that certify a component at each tau of `rule`; n + 1 where none do.

    Single-step procedures ask for the same whatever the other components get. A stepwise one asks
    for less the more others are certified.

    Args:
        rule: without a schedule.
        components: N.
        selection: where the candidate comes from.
        n: draws tested.
        others: share of the other components that get all n votes, the rest getting none. 0: the
            component is certified whatever the others get, which under Holm is its first step.
        law_error: of one draw, see `onnxcert.result.Tally`.
    """
    family = Family.of(rule, components, selection, law_error)
    full = int(others * (components - 1))
    histogram = np.zeros(n + 1, dtype=np.int64)
    histogram[0] += components - 1 - full
    histogram[n] += full

    def beside(x: int) -> tuple[int, ...]:
        """The thresholds where one more component has x hits."""
        histogram[x] += 1
        found = thresholds(rule, family, n, histogram)
        histogram[x] -= 1
        return found

    if not family.correction.stepwise:
        return beside(0)
    # More hits are never worse, so each tau has one smallest x whose threshold is at most x.
    return tuple(
        bisect_left(range(n + 1), 0, key=lambda x: -int(beside(x)[place] > x))
        for place in range(len(rule.taus))
    )


def votes_at_looks(
    rule: Rule, components: int, selection: Selection, n0: int, law_error: float = 0.0
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The looks of `rule`, and for each tau the hits that certify at each; look + 1 where none do.

    Raises:
        ParameterError: pooled selection has no candidate yet at the first look.
    """
    assert rule.schedule is not None
    family = Family.of(rule, components, selection, law_error)
    looks = looks_of(rule.schedule, family, n0)
    taus = [tested_tau(tau, law_error) for tau in rule.taus]
    rows = boundaries(looks, taus, family.single_level, selection, rule.schedule.spending)
    return looks, tuple(map(tuple, rows.tolist()))


def smallest_useful_n(
    rule: Rule, components: int, selection: Selection, tau: float, law_error: float = 0.0
) -> int:
    """Smallest n at which components that all get all n votes are certified at `tau`.

    Raises:
        ParameterError: more than ten million draws would be needed.
    """
    family = replace(Family.of(rule, components, selection, law_error), tau=tau)
    place = rule.taus.index(tau)
    start = smallest_n(family)
    if not rule.radius_map and not rule.more_taus:
        return start
    # Several tau share a level at their floor, which costs a few draws more.
    for n in range(start, min(start + _SEARCHED, LARGEST_N)):
        needed = votes_needed(rule, components, selection, n, others=1.0, law_error=law_error)
        if needed[place] <= n:
            return n
    raise ParameterError(
        f"no practicable number of draws certifies {components} components at tau {tau:g} and "
        f"alpha {rule.alpha:g}; lower tau or raise alpha."
    )
