"""Certified share against the number of components for several budgets (k-FWER).

Votes as in the first experiment at gamma = 0.05. Each component's probability, 0.95, is only
slightly above tau = 0.9, so the correction decides which components are certified.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from onnxcert.simulation.corruption import certified_share
from onnxcert.simulation.table import Share, Steps
from onnxcert.simulation.tallies import Errors
from onnxcert.statistics.rule import Budget, Rule

GAMMA: Final = 0.05
TAU: Final = 0.9
ALPHAS: Final = (0.1, 0.001)
N: Final = 1_000
BUDGETS: Final = ("0", "1", "2", "4", "0.1%", "1%")
CORRECTIONS: Final = ("kfwer", "kfwer-stepdown")
LARGEST: Final = 1_000_000
POINTS: Final = 17
VOTES: Final = 4_000_000  # components in all repetitions of one N together


def sizes(resolution: float) -> list[int]:
    """Return the numbers of components on the axis."""
    grid = np.geomspace(100, LARGEST, max(5, round(POINTS * resolution)))
    return [int(size) for size in np.rint(grid)]


def steps(resolution: float) -> int:
    """Return the number of steps of `shares`."""
    return len(sizes(resolution))


def shares(resolution: float, seed: int, progress: Steps) -> Iterator[Share]:
    """Yield one row for each correction, budget, alpha and N; all decide the same votes."""
    rules = [
        Rule(tau=TAU, alpha=alpha, correction=correction, budget=Budget(budget))
        for correction in CORRECTIONS
        for alpha in ALPHAS
        for budget in BUDGETS
    ]
    for components in sizes(resolution):
        rng = np.random.default_rng([seed, components])
        repetitions = max(2, min(400, round(resolution * VOTES / components)))
        errors = Errors.one_bad(components, GAMMA)
        total = np.zeros(len(rules))
        for _ in range(repetitions):
            tally = errors.tally(N, N, "split", rng)
            total += [certified_share(tally, rule) for rule in rules]
        for rule, mean in zip(rules, total / repetitions, strict=True):
            yield Share(
                rule.correction, components, N, N, GAMMA, TAU, rule.alpha, rule.budget.text,
                float(mean), repetitions,
            )  # fmt: skip
        progress.step()
