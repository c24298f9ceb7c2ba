"""Feasibility: whether n draws can certify anything, and the smallest n that can."""

from __future__ import annotations

import math

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import LARGEST_N
from onnxcert.statistics.boundaries import auto_looks, boundaries
from onnxcert.statistics.family import Family
from onnxcert.statistics.pvalues import p_values
from onnxcert.statistics.rule import Schedule
from onnxcert.statistics.spending import cumulative


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


def can_certify_at_a_look(family: Family, schedule: Schedule, n0: int) -> bool:
    """Return whether any look of `schedule` certifies a component that gets all votes."""
    looks = resolve_looks(schedule, family, n0)
    bounds = boundaries(
        looks, [family.tested_tau], family.single_level, family.selection, schedule.spending
    )[0]
    return any(bound <= look for bound, look in zip(bounds, looks, strict=True))
