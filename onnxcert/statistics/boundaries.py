"""Group-sequential boundaries: the hits that certify a component at each interim look."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.stats import binom, norm

from onnxcert._typing import IntArray, LevelArray
from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Selection

# The convolutions sum positive terms with an error of about 1e-12; the spent level is rounded up.
_ROUND_UP: Final = 1.0 + 1e-9
# A tail that underflows to 0 would fit into a spent level of 0. No real level is this small.
_SMALLEST: Final = 1e-260


def boundaries(
    looks: Sequence[int], taus: Sequence[float], level: float, selection: Selection, spending: str
) -> IntArray:
    """Compute the smallest hits that certify at each tau and look; look + 1 where none do.

    A component is certified if it reaches the boundary at any look. For one component with
    P(vote = candidate) = tau, an exact recursion gives the probability of ever reaching it:
    binomial increments are convolved and paths that have crossed are removed (Armitage, McPherson
    and Rowe 1969). This probability is at most the spent level. It is so for every rule that stops
    earlier, because stopping only omits certificates. The next look gets what a look cannot use.

    *Split* selection spends the level: the probability increases with P(vote = candidate), so it
    is largest at tau.

    *Pooled* selection tests the leading class, so every class counts. Let C(p) be the probability
    that a class of probability p ever crosses, a sum of p^x (1 - p)^(n - x) over the paths that
    first cross at x hits of n. Such a term is convex in p up to x/n - sqrt(x (n - x) / (n - 1))/n,
    which increases with x from n/2 on. Every boundary is high enough for this to be at least tau.
    So C is convex on [0, tau] with C(0) = 0, and the sum over classes with p_c <= tau is largest
    at (tau, 1 - tau): the recursion spends C(tau) + C(1 - tau). Where a class exceeds tau, the
    others err with probability at most C(1 - tau). With a single look this is the pooled p-value.

    For several tau, the boundaries increase with tau. Split: an error is then a crossing at the
    smallest tau >= p. Pooled, with a class c above the smallest tau: the others must cross at
    least at the smallest tau, with probability d = C(1 - tau) there, and c errs at the smallest
    tau >= p_c; so every further tau spends level - d.

    Args:
        looks: numbers of draws, increasing.
        taus: in [1/2, 1).
        level: of one component.
        selection: where the candidate comes from.
        spending: a name in `SPENDING`.

    Returns:
        Integers [taus, looks], in the order of `taus`.
    """
    order = np.argsort(taus)
    pooled = selection == "pooled"
    rows: list[tuple[int, ...]] = []
    for place in order.tolist():
        tau = float(taus[place])
        if rows and pooled:
            # Classes other than c must cross at the smallest tau.
            others = crossing_probability(looks, rows[0], 1.0 - float(taus[order[0]])) * _ROUND_UP
            rows.append(
                _single_tau_boundaries(
                    tuple(looks), tau, level, max(level - others, 0.0), False, spending
                )
            )
        else:
            rows.append(_single_tau_boundaries(tuple(looks), tau, level, level, pooled, spending))
    found = np.empty((len(rows), len(looks)), dtype=np.int64)
    found[order] = np.maximum.accumulate(np.array(rows, dtype=np.int64), axis=0)
    return found


@lru_cache(maxsize=256)
def _single_tau_boundaries(
    looks: tuple[int, ...], tau: float, level: float, total: float, both: bool, spending: str
) -> tuple[int, ...]:
    """Compute boundaries of one tau that spend `total`; with `both`, include P(vote) = 1 - tau."""
    rates = (tau, 1.0 - tau) if both else (tau,)
    alive = [np.ones(1) for _ in rates]  # P(hits = 0, 1, ..., nothing crossed so far)
    spent, before = 0.0, 0
    found = []
    for look, share in zip(looks, cumulative(spending, looks, level).tolist(), strict=True):
        drawn = look - before
        alive = [
            np.convolve(mass, binom.pmf(np.arange(drawn + 1), drawn, p))
            for mass, p in zip(alive, rates, strict=True)
        ]
        tail = sum(np.cumsum(mass[::-1])[::-1] for mass in alive) * _ROUND_UP
        tail = np.maximum(tail, _SMALLEST)
        certifies = tail <= share * total - spent
        if both:
            certifies &= _convex_up_to(np.arange(len(tail)), look) >= tau
        # The tail decreases with the hits, so all hits from the first on certify.
        first = int(np.argmax(certifies)) if certifies.any() else look + 1
        if first < len(tail):
            spent += float(tail[first])
            alive = [mass[:first] for mass in alive]
        found.append(first)
        before = look
    return tuple(found)


def _convex_up_to(hits: IntArray, n: int) -> LevelArray:
    """Return the p up to which p^x (1 - p)^(n - x) is convex, for x > n / 2 hits; else 0."""
    spread = np.sqrt(hits * (n - hits) / max(n - 1, 1))
    return np.where(2 * hits > n, (hits - spread) / n, 0.0)


def crossing_probability(looks: Sequence[int], bounds: Sequence[int], p: float) -> float:
    """Compute P(hits reach the boundary at any look); each vote is a hit with probability p."""
    alive, before, crossed = np.ones(1), 0, 0.0
    for look, bound in zip(looks, bounds, strict=True):
        drawn = look - before
        alive = np.convolve(alive, binom.pmf(np.arange(drawn + 1), drawn, p))
        crossed += float(alive[bound:].sum())
        alive = alive[:bound]
        before = look
    return crossed


def auto_looks(n: int, smallest: int) -> tuple[int, ...]:
    """Return a geometric schedule from the smallest useful number of draws up to n.

    The ratio of consecutive looks is at most 1.35.

    >>> auto_looks(1000, 73)
    (73, 98, 131, 175, 234, 312, 418, 559, 748, 1000)
    """
    start = min(n, max(1, smallest))
    steps = math.ceil(np.log(n / start) / np.log(1.35)) if n > start else 0
    looks = np.rint(np.geomspace(start, n, steps + 1)).astype(int)
    return tuple(sorted({*looks.tolist(), n}))


Spending = Callable[[Sequence[int], float], LevelArray]


def equal(looks: Sequence[int], level: float) -> LevelArray:  # noqa: ARG001
    """Spend the same at each look: j / K after j of K looks."""
    return np.arange(1, len(looks) + 1) / len(looks)


def pocock(looks: Sequence[int], level: float) -> LevelArray:  # noqa: ARG001
    """Spend ln(1 + (e - 1) t) at the share t of the draws: nearly constant boundaries."""
    return np.array([math.log1p((math.e - 1.0) * look / looks[-1]) for look in looks])


def obrien_fleming(looks: Sequence[int], level: float) -> LevelArray:
    """Spend 2 (1 - Phi(z / sqrt(t))) / level, z = Phi^-1(1 - level / 2): very little early."""
    z = float(norm.isf(level / 2.0))
    share = np.array([look / looks[-1] for look in looks])
    return np.asarray(np.minimum(2.0 * norm.sf(z / np.sqrt(share)) / level, 1.0))


SPENDING: Final[dict[str, Spending]] = {
    "equal": equal,
    "pocock": pocock,
    "obrien-fleming": obrien_fleming,
}


def cumulative(name: str, looks: Sequence[int], level: float) -> LevelArray:
    """Return the share of `level` to spend up to each look, increasing to 1; float64 [K].

    Raises:
        ParameterError: `name` is not a spending function.
    """
    if name not in SPENDING:
        raise ParameterError(f"the spending must be one of {', '.join(SPENDING)}, got {name!r}.")
    shares = np.minimum(SPENDING[name](looks, level), 1.0)
    shares[-1] = 1.0
    return np.asarray(np.maximum.accumulate(shares), dtype=np.float64)
