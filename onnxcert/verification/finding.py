"""The result of a verification."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One contradiction in the stored results.

    Attributes:
        name: the input of the record, or a file of the whole run.
        text: what is wrong, without a full stop.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Verification:
    """The result of verifying one run.

    Attributes:
        records: number of records checked.
        findings: contradictions, record by record.
        unchecked: what was missing and so not checked, one sentence each.
        notes: remarks, such as known errors in the noise distribution of old draws.
        troubles: what the operating system could not read, and why; it may be correct or not.
    """

    records: int
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]
    notes: tuple[str, ...] = ()
    troubles: tuple[Finding, ...] = ()

    @property
    def fits(self) -> bool:
        return not self.findings and not self.troubles
