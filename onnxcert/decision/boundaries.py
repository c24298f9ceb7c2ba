"""Group-sequential boundaries: hits from which a component is certified at each look."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.stats import binom

from onnxcert._typing import IntArray
from onnxcert.decision.spending import cumulative
from onnxcert.result import Selection

# Sums of positive terms, good to about 1e-12 after some convolutions; what is spent is rounded up.
_ROUND_UP: Final = 1.0 + 1e-9
# Where the tail underflows to 0 it would fit into nothing, too; no level is anywhere near.
_SMALLEST: Final = 1e-260


def boundaries(
    looks: Sequence[int], taus: Sequence[float], level: float, selection: Selection, spending: str
) -> IntArray:
    """Smallest hits that certify at each tau and look; more than the draws where none does.

    Certified is whoever reaches the boundary at any look. For one component and P(vote =
    candidate) = tau, the chance of ever reaching it, by exact recursion over the votes' path
    (binomial increments convolved, paths that have crossed removed; Armitage, McPherson and Rowe
    1969), is at most what is spent: for any rule that stops earlier, too, as stopping only leaves
    certificates out. What a look cannot use goes on to the next.

    *Split* selection spends the level: the chance grows with P(vote = candidate), so it is at most
    that at tau.

    *Pooled* selection tests whichever class leads, so every class counts. It spends tau x level,
    and every boundary has (x - 1) / (n - 1) >= tau. A path that first crosses at x hits of n is,
    under p <= tau, at most p / tau times as likely as under tau: p^(x - 1) (1 - p)^(n - x) rises
    up to (x - 1) / (n - 1). So a class of probability p <= tau crosses with probability at most
    p x level; the classes' p add up to 1 at most.

    Several tau have boundaries that rise with tau. Split: an error is then a crossing at the
    smallest tau that is not below p. Pooled, with some p_c above the smallest tau: c errs with
    probability at most p_c x level, the others, who must cross at the smallest tau at least, with
    (1 - p_c) x level.

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
    rows = np.array([_of(tuple(looks), float(taus[i]), level, selection, spending) for i in order])
    rows = np.maximum.accumulate(rows, axis=0)
    found = np.empty_like(rows)
    found[order] = rows
    return found


@lru_cache(maxsize=256)
def _of(
    looks: tuple[int, ...], tau: float, level: float, selection: Selection, spending: str
) -> tuple[int, ...]:
    total = level * tau if selection == "pooled" else level
    allowed = total * cumulative(spending, looks, level)
    alive = np.ones(1)  # P(hits = 0, 1, ..., nothing crossed so far)
    spent, before = 0.0, 0
    found = []
    for look, budget in zip(looks, allowed, strict=True):
        drawn = look - before
        alive = np.convolve(alive, binom.pmf(np.arange(drawn + 1), drawn, tau))
        tail = np.maximum(np.cumsum(alive[::-1])[::-1] * _ROUND_UP, _SMALLEST)
        hits = np.arange(len(alive))
        certifies = tail <= budget - spent
        if selection == "pooled":
            certifies &= hits - 1 >= tau * (look - 1)
        # The tail falls with the hits, so all from the first on certify.
        first = int(np.argmax(certifies)) if certifies.any() else len(alive)
        if first < len(alive):
            spent += float(tail[first])
            alive = alive[:first]
        found.append(first if first <= look and certifies.any() else look + 1)
        before = look
    return tuple(found)


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
    """A geometric schedule from just above the smallest useful number of draws up to n.

    Each look has about 1.3 times the draws of the one before.

    >>> auto_looks(1000, 73)
    (77, 102, 136, 180, 239, 317, 422, 560, 744, 1000)
    """
    start = min(n, max(1, smallest + max(1, smallest // 20)))
    steps = max(1, round(np.log(n / start) / np.log(1.33))) if n > start else 0
    looks = np.rint(np.geomspace(start, n, steps + 1)).astype(int)
    return tuple(sorted({*looks.tolist(), n}))
