"""The corrections as their authors define them, on a list of p-values; exact in rationals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

Levels = Callable[[int, Fraction, int], list[Fraction]]


def harmonic(components: int) -> Fraction:
    """1 + 1/2 + ... + 1/N."""
    return sum((Fraction(1, j) for j in range(1, components + 1)), Fraction(0))


def single(components: int, alpha: Fraction, k: int) -> list[Fraction]:
    """Bonferroni (k = 1), and Lehmann and Romano 2005, Theorem 2.1: k alpha / N for all."""
    return [k * alpha / components] * components


def stepped(components: int, alpha: Fraction, k: int) -> list[Fraction]:
    """Holm (k = 1), and Lehmann and Romano 2005, equation (9): k alpha / N for i <= k, then
    k alpha / (N + k - i)."""
    return [
        k * alpha / components if i <= k else k * alpha / (components + k - i)
        for i in range(1, components + 1)
    ]


def expected_share(components: int, alpha: Fraction, k: int) -> list[Fraction]:  # noqa: ARG001
    """Benjamini and Yekutieli 2001, Theorem 1.3: i alpha / (N c_N)."""
    c = harmonic(components)
    return [i * alpha / (components * c) for i in range(1, components + 1)]


LEVELS: dict[str, Levels] = {
    "bonferroni": lambda components, alpha, _: single(components, alpha, 1),
    "holm": lambda components, alpha, _: stepped(components, alpha, 1),
    "kfwer": single,
    "kfwer-stepdown": stepped,
    "benjamini-yekutieli": expected_share,
}


def rejected(
    name: str, p: Sequence[float], alpha: float, k: int = 1, slack: Fraction = Fraction(0)
) -> list[bool]:
    """Which of the p-values the procedure rejects, each level raised by the share `slack`."""
    components = len(p)
    order = sorted(range(components), key=p.__getitem__)
    levels = [a * (1 + slack) for a in LEVELS[name](components, Fraction(alpha), k)]
    passed = [Fraction(p[j]) <= a for j, a in zip(order, levels, strict=True)]
    if name == "benjamini-yekutieli":  # step up: the largest i that passes, and all before it
        count = max((i for i, ok in enumerate(passed, 1) if ok), default=0)
    else:  # step down: up to the first that fails
        count = passed.index(False) if False in passed else components
    # For one level the order does not matter; ties are rejected together by all of them.
    certified = [False] * components
    for j in order[:count]:
        certified[j] = True
    return certified
