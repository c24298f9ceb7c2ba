"""How often the program's own decisions are wrong, against how often they may be.

Every design is decided under several joint laws, one of them the worst. The rate of failures is
held to alpha and, where it is known, to its exact value by binomial tests. The rule at 1.25 alpha,
under the law that is worst for it, has to be rejected by the same test: otherwise the test had no
power. So do rules that are known not to hold.
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
# The rule at 1.25 alpha has to be seen where its exact rate is this many times alpha.
VISIBLE: Final = 1.12
SUSPICION: Final = 1e-4


@dataclass(frozen=True)
class Unsound:
    """A rule that has to be rejected under votes that the program's own rule stands.

    Args:
        name: in words.
        design: the program's rule.
        law: in words.
        votes: repetitions under the law, from their number and a seed.
        rule: the rule that does not hold.
    """

    name: str
    design: Design
    law: str
    votes: Callable[[Design, int, int], Simulated]
    rule: Callable[[Design], Decider]


def rows(
    designs: Sequence[Design], unsound: Sequence[Unsound], repetitions: int, seed: int
) -> Iterator[Row]:
    """One row after the other; `number_of_rows` many."""
    for number, design in enumerate(designs):
        for law in design.dependences:
            yield row(design, law, repetitions, seed + number)
    for number, case in enumerate(unsound):
        votes = case.votes(case.design, repetitions, seed + len(designs) + number)
        yield tested(case.design, case.law, votes.failures(), None, seed)
        found = tested(case.design, case.law, votes.failures(case.rule(case.design)), None, seed)
        yield replace(found, design=case.name, unsound=True)


def number_of_rows(designs: Sequence[Design], unsound: Sequence[Unsound]) -> int:
    """How many rows there are going to be."""
    return sum(len(design.dependences) for design in designs) + 2 * len(unsound)


def row(design: Design, law: Dependence, repetitions: int, seed: int) -> Row:
    """The design under one law, at alpha and at 1.25 alpha."""
    failures = simulate(design, law, repetitions, seed).failures()
    found = tested(design, law, failures, design.rate(law), seed)
    higher = design.at(RAISED * design.rule.alpha)
    raised = simulate(higher, law, repetitions, seed).failures()
    rate = higher.rate(law)
    return replace(
        found,
        raised=float(raised.mean()),
        raised_p_value=p_value(raised, design.rule.alpha, seed),
        must_show=rate is not None and rate >= VISIBLE * design.rule.alpha,
    )


def tested(design: Design, law: str, failures: LevelArray, exact: float | None, seed: int) -> Row:
    """The row of these failures, before anything is raised."""
    alpha = design.rule.alpha
    return Row(
        design=design.name,
        dependence=law,
        nominal=alpha,
        exact=exact,
        observed=float(failures.mean()),
        p_value=p_value(failures, alpha, seed),
        exact_p_value=None if exact is None else p_value(failures, exact, seed, "two-sided"),
        suspicion=SUSPICION,
    )


def p_value(failures: LevelArray, rate: float, seed: int, alternative: str = "greater") -> float:
    """Exact binomial test of a mean of `rate` or less.

    A share between 0 and 1 counts as a failure with that probability: this leaves the mean as it
    is, and the test exact.
    """
    coins = np.random.default_rng([seed, 1]).random(len(failures))
    count = int((coins < failures).sum())
    return float(binomtest(count, len(failures), rate, alternative=alternative).pvalue)
