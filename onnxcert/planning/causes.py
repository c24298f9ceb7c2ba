"""Why components abstain: an unstable answer, too few draws, or an output that is not finite."""

from __future__ import annotations

import math
from enum import Enum
from typing import Final

import numpy as np
from scipy.stats import binom

from onnxcert._typing import BoolArray, IntArray
from onnxcert.planning.scheme import votes_needed
from onnxcert.sampling.tally import Component, Element, Tally, passes
from onnxcert.statistics.family import Family
from onnxcert.statistics.rule import Rule

# A component abstains for lack of draws if this many times the draws would certify its hit rate.
MORE_DRAWS: Final = 10
_LARGEST: Final = 20_000  # the p-values of more draws take too long


class Cause(Enum):
    """Why a component abstains; the value is its name in JSON."""

    UNSTABLE = "unstable"
    FEW_DRAWS = "few_draws"
    NOT_FINITE = "not_finite"


_CODES: Final = tuple(Cause)


def find_causes(tally: Tally, rule: Rule, abstains: BoolArray, threshold: int) -> IntArray:
    """Return the cause of each abstaining component, as an index into `Cause`; uint8 [abstained].

    A component lacks *finite outputs* if draw 0 was invalid. The tally stores only the total number
    of invalid votes; those that such components do not account for are spread evenly over the
    others. A component that would be certified with its share of them lacks finite outputs, too.
    Of the others, it lacks *draws* if `MORE_DRAWS` times the draws would certify its present hit
    rate. Else the model *changes its answer*: the hit rate is at most tau, or so little above it
    that no practicable number of draws shows the difference.

    Args:
        tally: the votes, in memory.
        rule: the rule of the certificate.
        abstains: where components abstain at the rule's first tau; bool [*grid].
        threshold: the certificate's smallest hits that certify at that tau.
    """
    hits = tally.hits[abstains]
    enough = _has_enough(tally, rule, hits, abstains)
    few, unstable = (np.uint8(_CODES.index(c)) for c in (Cause.FEW_DRAWS, Cause.UNSTABLE))
    found = np.where(enough, few, unstable)
    if tally.nonfinite:
        invalid, missing = _find_invalid(tally)
        invalid = invalid[abstains]
        if missing:
            invalid |= hits.astype(np.int64) + missing >= threshold
        found[invalid] = _CODES.index(Cause.NOT_FINITE)
    return found


def _find_invalid(tally: Tally) -> tuple[BoolArray, int]:
    """Return where draw 0 was invalid, and the mean invalid votes of each other component."""
    invalid = (tally.single < 0) | (tally.single >= tally.classes)
    others = tally.components - int(np.count_nonzero(invalid))
    drawn = passes(tally.n, tally.n0, tally.selection)
    known = int((tally.n - tally.hits[invalid].astype(np.int64)).sum()) * drawn / tally.n
    left = max(0.0, tally.nonfinite - known)
    return np.asarray(invalid), round(left / max(others, 1) / drawn * tally.n)


def count_causes(causes: IntArray) -> dict[Cause, int]:
    """Return the number of components of each cause."""
    counts = np.bincount(causes, minlength=len(_CODES))
    return {cause: int(count) for cause, count in zip(_CODES, counts, strict=True)}


def is_unstable(causes: IntArray) -> BoolArray:
    """Return where the model changes its answer."""
    return np.asarray(causes == _CODES.index(Cause.UNSTABLE))


def find_borders(candidate: IntArray, kind: str) -> BoolArray | None:
    """Return the components with a neighbour (of four) that has another candidate.

    Args:
        candidate: integers [..., H, W].
        kind: what a component is, as text.

    Returns:
        bool [..., H, W]; None if components have no neighbours: points, or whole inputs.
    """
    element = Component.parse(kind).element
    unordered = (Element.POINT, Element.IMAGE, Element.SHAPE)
    if candidate.ndim < 2 or element in unordered:
        return None
    border = np.zeros(candidate.shape, dtype=np.bool_)
    for one, other in (
        ((..., slice(1, None), slice(None)), (..., slice(None, -1), slice(None))),
        ((..., slice(1, None)), (..., slice(None, -1))),
    ):
        differs = candidate[one] != candidate[other]
        border[one] |= differs
        border[other] |= differs
    return border


def more_draws(tally: Tally, rule: Rule) -> int:
    """Return how many draws are practicable: `MORE_DRAWS` times n, or the fewest that certify."""
    n = base_draws(tally.n, rule)
    if rule.procedure == "segcertify":
        family = Family.of(plain_rule(rule), tally.components, tally.selection, tally.law_error)
        fewest = math.log(1.0 / family.entry_level) / -math.log(family.tested_tau)
        n = max(n, math.ceil(min(fewest, _LARGEST)))
    return min(MORE_DRAWS * n, _LARGEST)


def base_draws(n: int, rule: Rule) -> int:
    """Return the draws of the rule: n, or with interim looks the maximum."""
    return n if rule.schedule is None else rule.schedule.n


def plain_rule(rule: Rule) -> Rule:
    """Return the rule at its first tau alone, without looks; they cost few votes."""
    return rule.but(more_taus=(), schedule=None)


def _has_enough(tally: Tally, rule: Rule, hits: IntArray, abstains: BoolArray) -> BoolArray:
    """Return which abstaining components a practicable number of draws would certify."""
    if rule.procedure == "predict":
        if tally.runner_up is None:  # only in an edited record
            return np.zeros(hits.shape, dtype=np.bool_)
        first, second = (
            MORE_DRAWS * votes.astype(np.int64) for votes in (hits, tally.runner_up[abstains])
        )
        level = rule.alpha_per_input / tally.components
        p = 2.0 * binom.sf(first - 1, first + second, 0.5)
        return np.asarray((p <= level) & (first > second))
    n = more_draws(tally, rule)
    if n <= tally.n:
        return np.zeros(hits.shape, dtype=np.bool_)
    if rule.procedure == "segcertify":
        votes = votes_needed(
            plain_rule(rule),
            tally.components,
            tally.selection,
            n,
            others=1.0 - np.count_nonzero(abstains) / tally.components,
            law_error=tally.law_error,
        )[0]
    else:
        # These certify all components or none, by one number of hits.
        joint = rule.procedure == "jointclass"
        tau, components = (rule.tau, 1) if joint else (0.5, tally.components)
        family = Family.of(rule.but(tau=tau), components, tally.selection, tally.law_error)
        votes = family.threshold(n, np.bincount([0], minlength=n + 1))
        decisive = (tally.joint or 0) if joint else int(tally.hits.min())
        return np.full(hits.shape, _reaches(decisive, tally.n, votes, n))
    table = np.array([_reaches(x, tally.n, votes, n) for x in range(tally.n + 1)])
    return np.asarray(table[hits])


def _reaches(hits: int, of: int, votes: int, n: int) -> bool:
    """Return whether the hit rate hits / of gives at least `votes` of n draws."""
    return votes <= n and hits * n >= votes * of
