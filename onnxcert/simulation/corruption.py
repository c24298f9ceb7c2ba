"""Certified share against the rate of corrupted votes (Fischer et al. 2021, synthetic data).

Each of N components votes for a wrong class with probability gamma, one of them with 5 gamma.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from onnxcert.sampling.tally import Selection, Tally
from onnxcert.simulation.table import Share, Steps
from onnxcert.simulation.tallies import Errors
from onnxcert.statistics import decide
from onnxcert.statistics.rule import Rule

TAU: Final = 0.75
ALPHA: Final = 0.001
COMPONENTS: Final = (100, 1_000, 10_000)
DRAWS: Final = (100, 1_000)
POINTS: Final = 44
REPETITIONS: Final = {100: 160, 1_000: 40, 10_000: 12}


@dataclass(frozen=True)
class Scheme:
    """A way to certify.

    Attributes:
        name: as in the legend.
        rule: of each input.
        selection: pooled runs as many passes as split does, n0 + n, and tests them all.
    """

    name: str
    rule: Rule
    selection: Selection = "split"


def _scheme(name: str, selection: Selection = "split", **rule: str) -> Scheme:
    return Scheme(name, Rule(tau=TAU, alpha=ALPHA, **rule), selection)  # type: ignore[arg-type]


SCHEMES: Final = (
    _scheme("SegCertify, Holm, pooled (same passes)", "pooled", correction="holm"),
    _scheme("SegCertify, Holm", correction="holm"),
    _scheme("SegCertify, Bonferroni", correction="bonferroni"),
    _scheme("IndivClass", correction="bonferroni", procedure="indivclass"),
    _scheme("JointClass", correction="bonferroni", procedure="jointclass"),
)


def gammas(points: int) -> list[float]:
    """Return rates from one error in 100,000 votes to where no component reaches tau."""
    return [float(g) for g in np.geomspace(1e-5, 0.3, points)]


def steps(resolution: float) -> int:
    """Return the number of steps of `shares`."""
    return len(DRAWS) * len(COMPONENTS) * points(resolution)


def points(resolution: float) -> int:
    """Return the number of rates on the axis."""
    return max(6, round(POINTS * resolution))


def shares(resolution: float, seed: int, progress: Steps) -> Iterator[Share]:
    """Yield one row for each scheme, N, n and gamma."""
    for n in DRAWS:
        for components in COMPONENTS:
            repetitions = max(2, round(REPETITIONS[components] * resolution))
            for place, gamma in enumerate(gammas(points(resolution))):
                rng = np.random.default_rng([seed, n, components, place])
                means = _means(n, components, gamma, repetitions, rng)
                for scheme, mean in zip(SCHEMES, means, strict=True):
                    tested = n if scheme.selection == "split" else 2 * n
                    yield Share(
                        scheme.name, components, tested, n, gamma, TAU, ALPHA, "0", mean,
                        repetitions,
                    )  # fmt: skip
                progress.step()


def _means(
    n: int, components: int, gamma: float, repetitions: int, rng: np.random.Generator
) -> list[float]:
    errors = Errors.one_bad(components, gamma)
    draw: dict[Selection, Callable[[], Tally]] = {
        "split": lambda: errors.tally(n, n, "split", rng, joint=True),
        "pooled": lambda: errors.tally(2 * n, n, "pooled", rng),
    }
    total = np.zeros(len(SCHEMES))
    for _ in range(repetitions):
        tallies = {selection: make() for selection, make in draw.items()}
        total += [certified_share(tallies[s.selection], s.rule) for s in SCHEMES]
    return [float(mean) for mean in total / repetitions]


def certified_share(tally: Tally, rule: Rule) -> float:
    """Return the share certified for the radius of tau; 0 if IndivClass has a smaller radius."""
    certificate = decide(tally, rule)
    if certificate.radius < tally.perturbation.radius(rule.tau):
        return 0.0
    return 1.0 - certificate.abstain_share
