"""Calibration: the error rate of onnxcert's decisions, tested against its bound.

Every design is decided under several dependence structures, one of them the worst case. Binomial
tests compare the error rate with alpha and, where it is known, with its exact value. The same test
must reject the rule at 1.25 alpha under its worst case (otherwise the test has no power), and it
must reject rules that are known to be invalid (negative controls).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.stats import binomtest

from onnxcert._typing import LevelArray
from onnxcert.simulation.designs import Dependence, Design
from onnxcert.simulation.simulation import Decider, Simulated, simulate
from onnxcert.statistics.rule import Rule


@dataclass(frozen=True)
class Row:
    """One design under one dependence structure.

    Attributes:
        design: as text.
        dependence: the dependence structure.
        nominal: alpha.
        exact: true rate, where it is known.
        observed: observed rate.
        p_value: of "the true rate is at most alpha".
        exact_p_value: of "the true rate is the exact one", two-sided.
        raised: observed rate of the rule at 1.25 alpha, if it was run.
        raised_p_value: of "the true rate at 1.25 alpha is at most alpha".
        must_detect: whether the rule at 1.25 alpha must be rejected (its rate is high enough).
        invalid: whether the rule is invalid (a negative control) and must be rejected.
        suspicion: reject below this p-value.
    """

    design: str
    dependence: str
    nominal: float
    exact: float | None
    observed: float
    p_value: float
    exact_p_value: float | None = None
    raised: float | None = None
    raised_p_value: float | None = None
    must_detect: bool = False
    invalid: bool = False
    suspicion: float = 1e-4

    @property
    def rejected(self) -> bool:
        """Whether the rule errs more often than alpha allows."""
        return self.p_value < self.suspicion

    @property
    def detected(self) -> bool:
        """Whether the test rejects the rule at 1.25 alpha."""
        return self.raised_p_value is not None and self.raised_p_value < self.suspicion

    @property
    def as_expected(self) -> bool:
        """Whether the rule holds (or is rejected, if invalid) and the test has power."""
        if self.invalid:
            return self.rejected
        as_computed = self.exact_p_value is None or self.exact_p_value >= self.suspicion
        return not self.rejected and as_computed and (self.detected or not self.must_detect)

    @property
    def verdict(self) -> str:
        """The result as text."""
        if self.invalid:
            return "rejected, as expected" if self.rejected else "NOT REJECTED"
        if self.rejected:
            return "REJECTED"
        if not self.as_expected:
            missed = self.must_detect and not self.detected
            return "1.25 ALPHA NOT DETECTED" if missed else "DIFFERS FROM EXACT"
        return "holds"


COLUMNS = (
    "design",
    "dependence",
    "nominal",
    "exact",
    "observed",
    "p-value",
    "verdict",
    "at 1.25 alpha",
    "seen",
)


def cells(row: Row) -> tuple[str, ...]:
    """Return the row as text, in the order of `COLUMNS`."""
    seen = "" if row.raised is None else "rejected" if row.detected else "not rejected"
    if row.raised is not None and not row.must_detect and not row.detected:
        seen = "not rejected (rate below)"
    return (
        row.design,
        row.dependence,
        f"{row.nominal:g}",
        "" if row.exact is None else f"{row.exact:.4f}",
        f"{row.observed:.4f}",
        f"{row.p_value:.2g}",
        row.verdict,
        "" if row.raised is None else f"{row.raised:.4f}",
        seen,
    )


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


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
    rule: Callable[[Rule], Decider]


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
