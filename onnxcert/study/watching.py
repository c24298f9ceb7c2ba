"""Progress of a study."""

from __future__ import annotations

from typing import Protocol


class Steps(Protocol):
    """A progress display of tasks with equal steps."""

    def begin(self, what: str, steps: int) -> None:
        """Begin the task `what` of this many steps."""

    def step(self) -> None:
        """Count one more step as done."""


class NoProgress:
    """A progress display that shows nothing."""

    def begin(self, what: str, steps: int) -> None: ...
    def step(self) -> None: ...
