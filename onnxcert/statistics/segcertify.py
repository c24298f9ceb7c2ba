"""SegCertify: certify each component whose candidate exceeds tau, abstain on the others."""

from __future__ import annotations

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Tally
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.family import Family
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.sample_size import can_certify, find_boundaries, smallest_n
from onnxcert.statistics.thresholds import lower_bounds, thresholds


def segcertify(tally: Tally, rule: Rule) -> Certificate:
    """Run SegCertify (Fischer, Baader, Vechev 2021, Algorithm 3) at one, several or all tau.

    With one tau the correction decides. Several tau use all of alpha under a single-step
    correction (`onnxcert.statistics.pvalues`), closed testing under a step-down correction
    (`onnxcert.statistics.thresholds`), and one common reserve under FDR
    (`onnxcert.statistics.Family.reserve`). A radius map is one lower bound for each component.
    Under interim looks a component is certified if it reached the boundary at any look.
    """
    family = Family.of(rule, tally.components, tally.selection, tally.law_error)
    if rule.schedule is not None:
        levels, level, found = _levels_at_looks(tally, rule, family)
    else:
        n = tally.n
        found = thresholds(rule, family, n, tally.histogram)
        levels, reached = (
            _levels_of_map(rule, family, n) if rule.radius_map else _levels_of_taus(rule, found, n)
        )
        level = reached.astype(np.min_scalar_type(len(levels)))[tally.hits]
    certified = int(np.count_nonzero(level))
    notes = [] if certified else [_explain_abstention(tally, family, rule)]
    if family.k > certified > 0:
        notes.append(
            f"nothing is guaranteed: the budget of {family.k - 1} wrong components is not below "
            f"the {certified} that are certified"
        )
    return Certificate(
        tally=tally,
        rule=rule,
        controls=family.correction.controls,
        levels=levels,
        level=level,
        thresholds=found,
        notes=tuple(notes),
    )


def _levels_of_taus(rule: Rule, found: tuple[int, ...], n: int) -> tuple[LevelArray, IntArray]:
    """Return all tau in ascending order, and how many of them each number of hits reaches."""
    reached = np.searchsorted(np.sort(found), np.arange(n + 1), side="right")
    return np.array(sorted(rule.taus), dtype=np.float64), reached


def _levels_of_map(rule: Rule, family: Family, n: int) -> tuple[LevelArray, IntArray]:
    """Return the tau of all numbers of hits in ascending order, and how many each reaches."""
    bounds = lower_bounds(rule, family, n)
    levels, reached = np.unique(bounds, return_inverse=True)
    return levels[1:], reached.reshape(-1)  # the lowest is 0: no hits certify nothing


def _levels_at_looks(
    tally: Tally, rule: Rule, family: Family
) -> tuple[LevelArray, IntArray, tuple[int, ...]]:
    """Return all tau, how many each component reached at any look, and the last boundaries."""
    planned, bounds = find_boundaries(rule, family, tally.n0)
    taken = len(tally.looks)
    if tally.path is None or planned[:taken] != tally.looks:
        raise ParameterError(
            f"the tally must have the looks {', '.join(map(str, planned))}, got "
            f"{', '.join(map(str, tally.looks)) or 'none'}; looks are fixed before drawing."
        )
    levels = np.array(sorted(rule.taus), dtype=np.float64)
    level = np.zeros(tally.hits.shape, dtype=np.min_scalar_type(len(levels)))
    for row in np.sort(bounds, axis=0):  # the boundaries increase with tau
        crossed = np.zeros(tally.hits.shape, dtype=np.bool_)
        for hits, bound in zip(tally.path, row[:taken], strict=True):
            crossed |= hits >= bound
        level += crossed
    return levels, level, tuple(bounds[:, taken - 1].tolist())


def _explain_abstention(tally: Tally, family: Family, rule: Rule) -> str:
    # Records store these notes and `verify` compares them: the wording must not change.
    most = tally.n if rule.schedule is None else rule.schedule.n
    if not can_certify(family, most):
        try:
            enough = f"{smallest_n(family)} or more can"
        except ParameterError:
            enough = "and no practicable number can"
        return (
            f"everything abstains: {most} draws cannot certify any of {tally.components} "
            f"components, {enough}"
        )
    best = f"the best component got {int(tally.hits.max())} of {tally.n} votes, too few"
    if tally.nonfinite:
        return (
            f"everything abstains: {best}; {tally.nonfinite} votes were withheld because the "
            "model's output was not finite"
        )
    return f"everything abstains: {best}; the model does not keep its answer under this noise"
