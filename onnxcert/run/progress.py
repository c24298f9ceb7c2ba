"""Progress reports of a run, and a clock for its parts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class ProgressListener:
    """Receiver of progress reports, which ignores them; override what is of interest."""

    def begin(self, inputs: int, passes: int) -> None:
        """Start a run of `inputs` inputs with `passes` passes each."""

    def advance(self, name: str, place: int, done: int) -> None:
        """Report that `done` passes of the input `name`, number `place` from 1, are counted."""

    def report_batch_size(self, draws: int, why: str) -> None:
        """Report the batch size in draws, and why it was selected."""

    def report_status(self, text: str) -> None:
        """Report the state of the current input as a short text."""


@dataclass
class Progress:
    """Progress of a run, reported to a listener.

    Attributes:
        listener: receives the reports.
        inputs: number of inputs.
        passes: passes of each input.
        ended: inputs that are finished or skipped.
        begun: whether the listener knows of the run.
    """

    listener: ProgressListener
    inputs: int
    passes: int
    ended: int = 0
    begun: bool = False

    def advance(self, name: str, done: int) -> None:
        """Report that `done` draws of an input are counted."""
        if not self.begun:  # wait until all checks before the first count have passed
            self.listener.begin(self.inputs, self.passes)
            self.begun = True
        self.listener.advance(name, self.ended + 1, done)

    def end(self, name: str, *, stored: bool) -> None:
        """Report that an input is finished (`stored`) or skipped."""
        if stored:
            self.advance(name, self.passes)
        self.ended += 1


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
