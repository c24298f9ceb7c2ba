"""Group-sequential boundaries: hits from which a component is certified at each look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.stats import binom

from onnxcert._typing import IntArray, LevelArray
from onnxcert.decision.spending import cumulative
from onnxcert.result import Selection

# Sums of positive terms, good to about 1e-12 after some convolutions; what is spent is rounded up.
_ROUND_UP: Final = 1.0 + 1e-9
# Where the tail underflows to 0 it would fit into nothing, too; no level is anywhere near.
_SMALLEST: Final = 1e-260


def boundaries(
    looks: Sequence[int], taus: Sequence[float], level: float, selection: Selection, spending: str
) -> IntArray:
    """Smallest hits that certify at each tau and look; the look + 1 where none do.

    Certified is whoever reaches the boundary at any look. For one component and P(vote =
    candidate) = tau, the chance of ever reaching it, by exact recursion over the votes' path
    (binomial increments convolved, paths that have crossed removed; Armitage, McPherson and Rowe
    1969), is at most what is spent: for any rule that stops earlier, too, as stopping only leaves
    certificates out. What a look cannot use goes on to the next.

    *Split* selection spends the level: the chance grows with P(vote = candidate), so it is at most
    that at tau.

    *Pooled* selection tests whichever class leads, so every class counts. Let C(p) be the chance
    that a class of probability p ever crosses, a sum of p^x (1 - p)^(n - x) over the paths that
    first cross at x hits of n. Such a term is convex in p up to x/n - sqrt(x (n - x) / (n - 1))/n,
    which rises with x from n/2 on, and every boundary is so high that this is at least tau. So C
    is convex on [0, tau] with C(0) = 0, and the sum over classes with p_c <= tau is largest at
    (tau, 1 - tau): the recursion spends C(tau) + C(1 - tau). Where some class exceeds tau the
    others err with C(1 - tau) at most. With a single look this is the pooled p-value.

    Several tau have boundaries that rise with tau. Split: an error is then a crossing at the
    smallest tau that is not below p. Pooled, with a class c above the smallest tau: the others
    must cross at the smallest tau at least, with d = C(1 - tau) there, and c errs at the smallest
    tau not below p_c; so every further tau spends level - d.

    Args:
        looks: numbers of draws, increasing.
        taus: in [1/2, 1).
        level: of one component.
        selection: where the candidate comes from.
        spending: a name in `SPENDING`.

    Returns:
        integers [taus, looks], in the order of `taus`.
    """
    order = np.argsort(taus)
    pooled = selection == "pooled"
    rows: list[tuple[int, ...]] = []
    for place in order.tolist():
        tau = float(taus[place])
        if rows and pooled:
            # Classes other than the leading one answer to the smallest tau alone.
            others = crossing_probability(looks, rows[0], 1.0 - float(taus[order[0]])) * _ROUND_UP
            rows.append(_of(tuple(looks), tau, level, max(level - others, 0.0), False, spending))
        else:
            rows.append(_of(tuple(looks), tau, level, level, pooled, spending))
    found = np.empty((len(rows), len(looks)), dtype=np.int64)
    found[order] = np.maximum.accumulate(np.array(rows, dtype=np.int64), axis=0)
    return found


@lru_cache(maxsize=256)
def _of(
    looks: tuple[int, ...], tau: float, level: float, total: float, both: bool, spending: str
) -> tuple[int, ...]:
    """Boundaries of one tau that spend `total`; with `both`, on the law 1 - tau as well."""
    laws = (tau, 1.0 - tau) if both else (tau,)
    alive = [np.ones(1) for _ in laws]  # P(hits = 0, 1, ..., nothing crossed so far)
    spent, before = 0.0, 0
    found = []
    for look, share in zip(looks, cumulative(spending, looks, level).tolist(), strict=True):
        drawn = look - before
        alive = [
            np.convolve(mass, binom.pmf(np.arange(drawn + 1), drawn, p))
            for mass, p in zip(alive, laws, strict=True)
        ]
        tail = sum(np.cumsum(mass[::-1])[::-1] for mass in alive) * _ROUND_UP
        tail = np.maximum(tail, _SMALLEST)
        certifies = tail <= share * total - spent
        if both:
            certifies &= _convex_up_to(np.arange(len(tail)), look) >= tau
        # The tail falls with the hits, so all from the first on certify.
        first = int(np.argmax(certifies)) if certifies.any() else look + 1
        if first < len(tail):
            spent += float(tail[first])
            alive = [mass[:first] for mass in alive]
        found.append(first)
        before = look
    return tuple(found)


def _convex_up_to(hits: IntArray, n: int) -> LevelArray:
    """The p up to which p^x (1 - p)^(n - x) is convex, for x >= n / 2 hits; 0 for fewer."""
    spread = np.sqrt(hits * (n - hits) / max(n - 1, 1))
    return np.where(2 * hits > n, (hits - spread) / n, 0.0)


def crossing_probability(looks: Sequence[int], bounds: Sequence[int], p: float) -> float:
    """P(hits reach the boundary at some look) where each vote is a hit with probability p."""
    alive, before, crossed = np.ones(1), 0, 0.0
    for look, bound in zip(looks, bounds, strict=True):
        drawn = look - before
        alive = np.convolve(alive, binom.pmf(np.arange(drawn + 1), drawn, p))
        crossed += float(alive[bound:].sum())
        alive = alive[:bound]
        before = look
    return crossed


def auto_looks(n: int, smallest: int) -> tuple[int, ...]:
    """A geometric schedule from the smallest useful number of draws up to n.

    Each look has at most 1.35 times the draws of the one before.

    >>> auto_looks(1000, 73)
    (73, 98, 131, 175, 234, 312, 418, 559, 748, 1000)
    """
    start = min(n, max(1, smallest))
    steps = math.ceil(np.log(n / start) / np.log(1.35)) if n > start else 0
    looks = np.rint(np.geomspace(start, n, steps + 1)).astype(int)
    return tuple(sorted({*looks.tolist(), n}))
