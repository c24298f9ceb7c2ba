"""Feasibility: whether n draws can certify anything, and the smallest n that can."""

from __future__ import annotations

import math

from onnxcert._typing import IntArray
from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import LARGEST_N
from onnxcert.statistics.boundaries import auto_looks, boundaries, cumulative
from onnxcert.statistics.family import Family, tested_tau
from onnxcert.statistics.pvalues import p_values
from onnxcert.statistics.rule import Rule, Schedule


def can_certify(family: Family, n: int) -> bool:
    """Return whether n draws certify anything if every component gets all n votes."""
    unanimous = p_values(n, family.tested_tau, family.selection)[n]
    return bool(unanimous <= family.entry_level_at(n))


def smallest_n(family: Family) -> int:
    """Return the smallest n at which unanimous components are certified.

    tau^n <= level is necessary, so the search starts at ln(1 / level) / ln(1 / tau).

    Raises:
        ParameterError: more than ten million draws would be needed.
    """
    bound = math.log(1.0 / family.entry_level) / -math.log(family.tested_tau)
    if bound > LARGEST_N:
        raise ParameterError(
            f"about {bound:.2g} draws are needed to certify {family.components} components at tau "
            f"{family.tau:g} and alpha {family.alpha:g}; lower tau or raise alpha."
        )
    n = max(1, math.floor(bound))
    while not can_certify(family, n):  # a few times at most: p(n) is below 2 tau^n
        n += 1
    return n


def resolve_looks(schedule: Schedule, family: Family, n0: int) -> tuple[int, ...]:
    """Return the interim looks of `schedule` for the components of `family`, fixed before drawing.

    Raises:
        ParameterError: the first look of pooled selection is before n0.
    """
    earliest = n0 if family.selection == "pooled" else 1
    if schedule.looks is None:
        return _auto(schedule, family, earliest)
    if schedule.looks[0] < earliest:
        raise ParameterError(
            f"looks under pooled selection must not be before the n0 {n0} draws that choose the "
            f"candidate, got {schedule.looks[0]}; lower n0 or use later looks."
        )
    return schedule.looks


def _auto(schedule: Schedule, family: Family, earliest: int) -> tuple[int, ...]:
    """Return looks up to n; at the first, the spent level certifies a unanimous component."""
    try:
        start = max(earliest, smallest_n(family))
    except ParameterError:
        return (schedule.n,)
    level, tau = family.single_level, family.tested_tau
    while start < schedule.n:
        looks = auto_looks(schedule.n, start)
        spent = level * float(cumulative(schedule.spending, looks, level)[0])
        enough = math.ceil(-math.log(max(spent, 1e-300)) / -math.log(tau))
        others = (1.0 - tau) ** looks[0] if family.selection == "pooled" else 0.0
        if (tau ** looks[0] + others) * (1.0 + 1e-8) <= spent:
            return looks
        # The spent level increases with the start, so approach the first look in small steps.
        start = min(max(start + 1, min(enough, start + start // 20)), schedule.n)
    return (schedule.n,)


def find_boundaries(rule: Rule, family: Family, n0: int) -> tuple[tuple[int, ...], IntArray]:
    """Return the looks of `rule` [K] and the hits that certify at each of its tau and looks [J, K].

    The hits are look + 1 where none certify.

    Raises:
        ParameterError: the first look of pooled selection is before n0.
    """
    assert rule.schedule is not None
    looks = resolve_looks(rule.schedule, family, n0)
    taus = [tested_tau(tau, family.law_error) for tau in rule.taus]
    level, spending = family.single_level, rule.schedule.spending
    return looks, boundaries(looks, taus, level, family.selection, spending)


def can_certify_at_a_look(rule: Rule, family: Family, n0: int) -> bool:
    """Return whether any look certifies a component that gets all votes at the first tau."""
    looks, bounds = find_boundaries(rule.but(more_taus=()), family, n0)
    return bool((bounds[0] <= looks).any())
