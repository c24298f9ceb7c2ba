"""Progress reports of a run, and a clock for its parts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol


class ProgressListener(Protocol):
    """Receiver of progress reports."""

    def begin(self, inputs: int, passes: int) -> None:
        """Start a run of `inputs` inputs with `passes` passes each."""

    def advance(self, name: str, place: int, done: int) -> None:
        """Report that `done` passes of the input `name`, number `place` from 1, are counted."""

    def report_batch_size(self, draws: int, why: str) -> None:
        """Report the batch size in draws, and why it was selected."""

    def report_status(self, text: str) -> None:
        """Report the state of the current input as a short text."""


class NoProgress:
    """A receiver that ignores all reports."""

    def begin(self, inputs: int, passes: int) -> None: ...
    def advance(self, name: str, place: int, done: int) -> None: ...
    def report_batch_size(self, draws: int, why: str) -> None: ...
    def report_status(self, text: str) -> None: ...


@dataclass
class Clock:
    """Wall-clock seconds of a run outside the forward passes."""

    startup: float = 0.0
    report: float = 0.0

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Add the duration of the block to `part`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, part, getattr(self, part) + time.perf_counter() - start)
