"""SegCertify: certify each component whose candidate exceeds tau, abstain on the others."""

from __future__ import annotations

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.decision.boundaries import boundaries
from onnxcert.decision.bounds import OneSidedLevel
from onnxcert.decision.family import Family
from onnxcert.decision.planning import can_certify, looks_of, smallest_n
from onnxcert.errors import ParameterError
from onnxcert.result import Certificate, Tally
from onnxcert.rule import Rule


def segcertify(tally: Tally, rule: Rule) -> Certificate:
    """SegCertify (Fischer, Baader, Vechev 2021, Algorithm 3), at one tau, several or all of them.

    With one tau the correction decides. Several tau need no share of alpha under a single-step
    correction (`onnxcert.decision.bounds`), get alpha / J each under a step-down one, and share a
    reserve under FDR (`onnxcert.decision.Family.reserve`). A radius map is one lower bound for
    each component. Under looks certified is whoever reached the boundary at any look.
    """
    family = Family.of(rule, tally.components, tally.selection)
    if rule.schedule is not None:
        levels, level, thresholds = _at_looks(tally, rule, family)
    else:
        if rule.radius_map:
            levels, ladder, thresholds = _map(tally, rule, family)
        else:
            levels, ladder, thresholds = _steps(tally, rule, family)
        level = ladder[tally.hits]
    notes = () if level.any() else (_why_nothing(tally, family, rule),)
    return Certificate(
        tally=tally,
        rule=rule,
        controls=family.correction.controls,
        levels=levels,
        level=level,
        thresholds=thresholds,
        notes=notes,
    )


def _steps(
    tally: Tally, rule: Rule, family: Family
) -> tuple[LevelArray, IntArray, tuple[int, ...]]:
    """Thresholds of one or several tau, and the index of the tau reached by each number of hits."""
    n, taus = tally.n, rule.taus
    families = [_family_at(family, tau) for tau in taus]
    fdr = family.correction.controls == "FDR"
    # Expected shares count those certified, so that a threshold cannot be raised afterwards: one
    # reserve for all tau keeps the thresholds in order (`Family.reserve`).
    reserve = max(one.reserve(n) for one in families) if fdr else None
    # Where it takes all of alpha the procedure is Bonferroni's.
    single = not family.correction.stepwise or (reserve is not None and reserve >= family.alpha)
    if len(taus) > 1 and single:
        test = OneSidedLevel(n, family.single_level, tally.selection, min(taus))
        thresholds = [test.threshold(tau) for tau in taus]
    else:
        histogram = tally.histogram
        thresholds = [one.threshold(n, histogram, reserve) for one in families]
    order = np.argsort(taus)
    # Whoever is certified at a tau is so at every smaller one.
    rising = np.maximum.accumulate(np.array(thresholds)[order])
    ladder = np.searchsorted(rising, np.arange(n + 1), side="right")
    found = np.empty_like(rising)
    found[order] = rising
    levels = np.array(taus, dtype=np.float64)[order]
    return levels, ladder.astype(_smallest(len(taus))), tuple(found.tolist())


def _map(tally: Tally, rule: Rule, family: Family) -> tuple[LevelArray, IntArray, tuple[int, ...]]:
    """Every number of hits at its own tau."""
    test = OneSidedLevel(tally.n, family.single_level, tally.selection, rule.floor)
    bounds = test.lower_bounds()
    levels, ladder = np.unique(bounds, return_inverse=True)
    if levels[0] > 0.0:
        levels, ladder = np.concatenate([[0.0], levels]), ladder + 1
    thresholds = [
        int(np.argmax(bounds >= tau)) if bounds[-1] >= tau else tally.n + 1 for tau in rule.taus
    ]
    return levels[1:], ladder.reshape(-1).astype(_smallest(len(levels))), tuple(thresholds)


def _at_looks(
    tally: Tally, rule: Rule, family: Family
) -> tuple[LevelArray, IntArray, tuple[int, ...]]:
    """Who reached the boundary of which tau at any look taken."""
    assert rule.schedule is not None
    planned = looks_of(rule.schedule, family, tally.n0)
    taken = len(tally.looks)
    if tally.path is None or planned[:taken] != tally.looks:
        raise ParameterError(
            f"the votes must be known at the looks {', '.join(map(str, planned))}, got "
            f"{', '.join(map(str, tally.looks)) or 'none'}; looks are fixed before drawing."
        )
    levels = np.array(sorted(rule.taus), dtype=np.float64)
    bounds = boundaries(
        planned, levels.tolist(), family.single_level, tally.selection, rule.schedule.spending
    )
    level = np.zeros(tally.hits.shape, dtype=_smallest(len(levels)))
    for row in bounds:  # ascending in tau, and the boundaries rise with it
        crossed = np.zeros(tally.hits.shape, dtype=np.bool_)
        for hits, bound in zip(tally.path, row[:taken], strict=True):
            crossed |= hits >= bound
        level += crossed
    last = {float(tau): int(row[taken - 1]) for tau, row in zip(levels, bounds, strict=True)}
    return levels, level, tuple(min(last[tau], tally.n + 1) for tau in rule.taus)


def _family_at(family: Family, tau: float) -> Family:
    return Family(
        family.components, tau, family.alpha, family.correction, family.selection, family.k
    )


def _smallest(values: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype(np.min_scalar_type(values))


def _why_nothing(tally: Tally, family: Family, rule: Rule) -> str:
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
