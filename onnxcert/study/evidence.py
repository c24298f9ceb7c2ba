"""Results of the calibration: one row for each design and dependence structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
