"""What a calibration found, as one row a design and joint law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One design under one joint law.

    Attributes:
        design: in words.
        dependence: the joint law.
        nominal: alpha.
        exact: true rate, where it is known.
        observed: rate seen in so many repetitions.
        p_value: of "the true rate is alpha or less".
        exact_p_value: of "the true rate is the exact one", two-sided.
        raised: rate seen of the rule at 1.25 alpha, where it was run.
        raised_p_value: of "its true rate is alpha or less".
        must_show: whether the rule at 1.25 alpha has to be rejected, as its rate is large enough.
        unsound: whether this is a rule that has to be rejected itself.
        suspicion: p-value below which something is rejected.
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
    must_show: bool = False
    unsound: bool = False
    suspicion: float = 1e-4

    @property
    def rejected(self) -> bool:
        """Whether the rule errs more often than alpha allows."""
        return self.p_value < self.suspicion

    @property
    def exposed(self) -> bool:
        """Whether the rule at 1.25 alpha was seen to err too often."""
        return self.raised_p_value is not None and self.raised_p_value < self.suspicion

    @property
    def as_it_should_be(self) -> bool:
        """Nothing is wrong with the rule, nor with the test."""
        if self.unsound:
            return self.rejected
        as_computed = self.exact_p_value is None or self.exact_p_value >= self.suspicion
        return not self.rejected and as_computed and (self.exposed or not self.must_show)

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.unsound:
            return "rejected, as it should be" if self.rejected else "NOT REJECTED"
        if self.rejected:
            return "REJECTED"
        if not self.as_it_should_be:
            return "1.25 ALPHA NOT SEEN" if self.must_show and not self.exposed else "NOT AS EXACT"
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
    """The row as text, in the order of `COLUMNS`."""
    seen = "" if row.raised is None else "rejected" if row.exposed else "not rejected"
    if row.raised is not None and not row.must_show and not row.exposed:
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
    """A Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"
