"""What a verification says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit.

    Attributes:
        name: the input whose record it is about, or the file that belongs to the whole run.
        text: what does not fit, without a full stop.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Verification:
    """What was found in the results of one run.

    Attributes:
        records: how many were looked at.
        findings: what does not fit, record by record.
        troubles: what the machine could not read, and why; it may fit or not.
        unchecked: what is missing and so was not checked, each one sentence.
        notes: what a reader must know beside it, such as what the law of old draws lacks.
    """

    records: int
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]
    notes: tuple[str, ...] = ()
    troubles: tuple[Finding, ...] = ()

    @property
    def fits(self) -> bool:
        return not self.findings and not self.troubles
