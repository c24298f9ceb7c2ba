"""Draws needed with and without early stopping.

A component's rate of wrong votes is drawn from Beta(0.12, 1): most components hardly ever err, some
are never certified. With 43,200 of them 100, 170, 300 and 1000 draws certify shares of .69, .74,
.78 and .81, close to those measured on photographs with a small U-Net (.684, .737, .773 and .812).
tau = 0.75, alpha = 0.001, at most 1000 draws, pooled selection from the first 10. *Enough* is 95 %
of the share that all 1000 draws certify without looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from onnxcert.simulation.table import Need, Steps
from onnxcert.simulation.tallies import Errors, synthetic_tally
from onnxcert.statistics import SPENDING, Family, decide, resolve_looks, smallest_n
from onnxcert.statistics.rule import Rule, Schedule
from onnxcert.statistics.stopping import InterimAnalysis, Stopping

TAU: Final = 0.75
ALPHA: Final = 0.001
MOST: Final = 1_000
N0: Final = 10
ENOUGH: Final = 0.95
SHAPE: Final = (0.12, 1.0)
SHOWN: Final = 100_000  # components of the second panel
LARGEST: Final = 1_000_000
MOST_RUNS: Final = 16
VOTES: Final = 1_600_000  # components in all repetitions of one N together

UNANIMOUS: Final = "smallest useful n"
FIXED: Final = "fixed n, as if known"
FULL: Final = "fixed n = 1000"

# The rule with a fixed n.
_FIXED_RULE: Final = Rule(tau=TAU, alpha=ALPHA, correction="bonferroni")


def under_looks(spending: str) -> Rule:
    """Return the rule with interim looks."""
    return _FIXED_RULE.but(schedule=Schedule(MOST, None, spending))


def sizes(resolution: float) -> list[int]:
    """Return the numbers of components on the axis."""
    grid = np.geomspace(100, LARGEST, max(3, round(9 * resolution)))
    return sorted({int(size) for size in np.rint(grid)} | {SHOWN})


def steps(resolution: float) -> int:
    """Return the number of steps of `needs`."""
    return len(sizes(resolution))


@dataclass(frozen=True)
class StoppingRows:
    """Rows of both axes: draws needed against N, and certified share against draws."""

    needed: list[Need]
    reached: list[Need]


def needs(resolution: float, seed: int, progress: Steps) -> Iterator[StoppingRows]:
    """Yield the rows of each N."""
    for components in sizes(resolution):
        repetitions = max(1, round(resolution * min(MOST_RUNS, VOTES / components)))
        found = [
            _one(components, np.random.default_rng([seed, components, k]))
            for k in range(repetitions)
        ]
        yield StoppingRows(
            needed=_average([f.needed for f in found], components),
            reached=_average([f.reached for f in found], components) if components == SHOWN else [],
        )
        progress.step()


def _one(components: int, rng: np.random.Generator) -> StoppingRows:
    errors = Errors(rng.beta(*SHAPE, components))
    useful = smallest_n(Family.of(_FIXED_RULE, components, "pooled"))
    full = decide(errors.tally(MOST, N0, "pooled", rng), _FIXED_RULE)
    enough = ENOUGH * (1.0 - full.abstain_share)
    # Stop once enough is certified, except where the whole curve is shown.
    whole = components == SHOWN
    curves = {"fixed n": list(_fixed(errors, _grid(useful), None if whole else enough, rng))}
    for spending in SPENDING:
        rule = under_looks(spending)
        curves[f"looks, {spending}"] = list(_looking(errors, rule, None if whole else enough, rng))
    needed = [
        Need(UNANIMOUS, components, useful, 0.0, 1),
        Need(FULL, components, MOST, 1.0 - full.abstain_share, 1),
    ]
    for name, curve in curves.items():
        n, share = next((point for point in curve if point[1] >= enough), curve[-1])
        needed.append(Need(FIXED if name == "fixed n" else name, components, n, share, 1))
    reached = [
        Need(name, components, n, share, 1)
        for name, curve in curves.items()
        for n, share in curve
        if whole
    ]
    return StoppingRows(needed, reached)


def _fixed(
    errors: Errors, grid: Sequence[int], enough: float | None, rng: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """Yield the certified share for each fixed n."""
    votes = errors.at_looks(grid, N0, rng)
    for n, hits in zip(grid, votes, strict=True):
        tally = synthetic_tally(hits, n, N0, "pooled")
        share = 1.0 - decide(tally, _FIXED_RULE).abstain_share
        yield n, share
        if enough is not None and share >= enough:
            return


def _looking(
    errors: Errors, rule: Rule, enough: float | None, rng: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """Yield the certified share at each look, until the stopping rule applies."""
    assert rule.schedule is not None
    looks = resolve_looks(rule.schedule, Family.of(rule, len(errors.rates), "pooled"), N0)
    interim_analysis = InterimAnalysis(rule, Stopping(until=enough))
    path = np.empty((len(looks), len(errors.rates)), np.min_scalar_type(MOST))
    for k, hits in enumerate(errors.at_looks(looks, N0, rng)):
        path[k] = hits
        tally = synthetic_tally(
            hits, looks[k], N0, "pooled", looks=looks[: k + 1], path=path[: k + 1]
        )
        ended = interim_analysis.analyse(tally)
        assert interim_analysis.forecast is not None
        yield looks[k], interim_analysis.forecast.certified
        if ended:
            return


def _grid(useful: int) -> tuple[int, ...]:
    """Return fixed n from the smallest useful one on, in steps of about 3 %."""
    grid = np.geomspace(useful, MOST, max(2, round(np.log(MOST / useful) / np.log(1.03))))
    return tuple(sorted({int(n) for n in np.rint(grid)}))


def _average(runs: list[list[Need]], components: int) -> list[Need]:
    """Return the means over the repetitions, row by row."""
    return [
        Need(
            rows[0].scheme,
            components,
            float(np.mean([row.draws for row in rows])),
            float(np.mean([row.certified for row in rows])),
            len(rows),
        )
        for rows in zip(*runs, strict=True)
    ]
