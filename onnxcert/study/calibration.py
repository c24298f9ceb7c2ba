"""Calibration: the error rate of onnxcert's decisions, tested against its bound.

Every design is decided under several dependence structures, one of them the worst case. Binomial
tests compare the error rate with alpha and, where it is known, with its exact value. The same test
must reject the rule at 1.25 alpha under its worst case (otherwise the test has no power), and it
must reject rules that are known to be invalid (negative controls).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.stats import binomtest

from onnxcert._typing import LevelArray
from onnxcert.study.designs import Dependence, Design
from onnxcert.study.evidence import Row
from onnxcert.study.simulation import Decider, Simulated, simulate

RAISED: Final = 1.25
# The rule at 1.25 alpha must be rejected if its exact rate is at least this many times alpha.
VISIBLE: Final = 1.12
SUSPICION: Final = 1e-4


@dataclass(frozen=True)
class InvalidRule:
    """An invalid rule (negative control) to be rejected on votes where onnxcert's own rule holds.

    Args:
        name: as text.
        design: onnxcert's own rule.
        dependence: the dependence structure, as text.
        votes: simulates a design, given the number of repetitions and a seed.
        rule: builds the invalid rule.
    """

    name: str
    design: Design
    dependence: str
    votes: Callable[[Design, int, int], Simulated]
    rule: Callable[[Design], Decider]


def rows(
    designs: Sequence[Design], invalid_rules: Sequence[InvalidRule], repetitions: int, seed: int
) -> Iterator[Row]:
    """Yield the rows of the calibration; there are `number_of_rows`."""
    for number, design in enumerate(designs):
        for dependence in design.dependences:
            yield row(design, dependence, repetitions, seed + number)
    for number, case in enumerate(invalid_rules):
        votes = case.votes(case.design, repetitions, seed + len(designs) + number)
        yield build_row(case.design, case.dependence, votes.failures(), None, seed)
        found = build_row(
            case.design, case.dependence, votes.failures(case.rule(case.design)), None, seed
        )
        yield replace(found, design=case.name, invalid=True)


def number_of_rows(designs: Sequence[Design], invalid_rules: Sequence[InvalidRule]) -> int:
    """Return the number of rows that `rows` yields."""
    return sum(len(design.dependences) for design in designs) + 2 * len(invalid_rules)


def row(design: Design, dependence: Dependence, repetitions: int, seed: int) -> Row:
    """Simulate a design under one dependence structure, at alpha and at 1.25 alpha."""
    failures = simulate(design, dependence, repetitions, seed).failures()
    found = build_row(design, dependence, failures, design.rate(dependence), seed)
    higher = design.at(RAISED * design.rule.alpha)
    raised = simulate(higher, dependence, repetitions, seed).failures()
    rate = higher.rate(dependence)
    return replace(
        found,
        raised=float(raised.mean()),
        raised_p_value=p_value(raised, design.rule.alpha, seed),
        must_detect=rate is not None and rate >= VISIBLE * design.rule.alpha,
    )


def build_row(
    design: Design, dependence: str, failures: LevelArray, exact: float | None, seed: int
) -> Row:
    """Return the row for the failures at alpha, without the test at 1.25 alpha."""
    alpha = design.rule.alpha
    return Row(
        design=design.name,
        dependence=dependence,
        nominal=alpha,
        exact=exact,
        observed=float(failures.mean()),
        p_value=p_value(failures, alpha, seed),
        exact_p_value=None if exact is None else p_value(failures, exact, seed, "two-sided"),
        suspicion=SUSPICION,
    )


def p_value(failures: LevelArray, rate: float, seed: int, alternative: str = "greater") -> float:
    """Compute the p-value of an exact binomial test of "the mean is at most `rate`".

    A share between 0 and 1 is replaced by a failure with that probability. This keeps the mean, and
    the test stays exact.
    """
    coins = np.random.default_rng([seed, 1]).random(len(failures))
    count = int((coins < failures).sum())
    return float(binomtest(count, len(failures), rate, alternative=alternative).pvalue)
