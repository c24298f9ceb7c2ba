"""The worst joint law of the votes of a few components, by linear programming."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from exact import tally_of
from scipy.optimize import linprog
from scipy.sparse import csr_array
from scipy.stats import binom

from onnxcert._typing import LevelArray
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import decide
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.rule import Rule

Decider = Callable[[Tally, Rule], Certificate]


def worst_rate(
    rule: Rule,
    n: int,
    chances: Sequence[float],
    selection: Selection,
    k: int = 1,
    *,
    law_error: float = 0.0,
    decider: Decider = decide,
) -> float:
    """The largest P(k or more components are wrong) over all joint laws of the votes.

    Every component has two classes, the first with a given probability, and n votes; pooled, the
    candidate is whoever wins all of them. A component is wrong if it is certified at a tau that its
    candidate's probability does not exceed. Each outcome of all components is decided by the
    program; the unknowns are the probabilities of those that are wrong, the constraints the
    marginal laws.

    Args:
        chances: P(first class) of each component under the law of the theorem; the votes have up to
            `law_error` more.
        k: how many wrong ones are too many.
    """
    drawn = [min(p + law_error, 1.0) for p in chances]
    # Outcomes that a component never has need no unknowns.
    possible = [[n] if q == 1.0 else range(n + 1) for q in drawn]
    outcomes = np.array(list(itertools.product(*possible)))
    p = np.array(chances)
    too_many = np.zeros(len(outcomes), dtype=np.bool_)
    known: dict[tuple[int, ...], LevelArray] = {}
    for row, first in enumerate(outcomes):
        zero = first * 2 >= n if selection == "pooled" else np.ones(len(p), bool)
        hits = np.where(zero, first, n - first)
        order = np.argsort(hits)
        case = tuple(hits[order].tolist())
        if case not in known:  # components have no order
            tally = tally_of(hits[order], n, selection, n0=n)
            certificate = decider(replace(tally, law_error=law_error), rule)
            known[case] = np.concatenate([[0.0], certificate.levels])[certificate.level]
        claimed = known[case][np.argsort(order)]
        wrong = (claimed > 0.0) & (np.where(zero, p, 1.0 - p) <= claimed)
        too_many[row] = np.count_nonzero(wrong) >= k
    if not too_many.any():
        return 0.0
    # Any law of these outcomes with marginals that are nowhere too large can be completed.
    outcomes = outcomes[too_many]
    rows, columns, marginals = [], [], []
    for i, (q, values) in enumerate(zip(drawn, possible, strict=True)):
        for x in values:
            here = np.flatnonzero(outcomes[:, i] == x)
            rows.append(np.full(len(here), len(marginals)))
            columns.append(here)
            marginals.append(float(binom.pmf(x, n, q)))
    at = (np.concatenate(rows), np.concatenate(columns))
    table = csr_array((np.ones(len(at[0])), at), shape=(len(marginals), len(outcomes)))
    found = linprog(-np.ones(len(outcomes)), A_ub=table, b_ub=marginals, method="highs")
    assert found.status == 0, found.message
    return -float(found.fun)
