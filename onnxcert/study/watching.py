"""Who is told how far a study has come."""

from __future__ import annotations

from typing import Protocol


class Steps(Protocol):
    """Told what is being done, and how many of its equal steps are behind."""

    def begin(self, what: str, steps: int) -> None:
        """`what` has so many steps."""

    def step(self) -> None:
        """One more is done."""


class Quiet:
    """Says nothing."""

    def begin(self, what: str, steps: int) -> None: ...
    def step(self) -> None: ...
