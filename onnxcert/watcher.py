"""Who is told how far a run has come, and where its time went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol


class Watcher(Protocol):
    """Who is told how far a run has come."""

    def begin(self, inputs: int, passes: int) -> None:
        """The run has `inputs` inputs of `passes` passes each."""

    def advance(self, name: str, place: int, done: int) -> None:
        """`done` passes of the input `name`, the `place`-th from 1, are counted."""

    def chosen(self, draws: int, why: str) -> None:
        """The present input gets so many draws in a pass, for this reason."""

    def say(self, text: str) -> None:
        """How the present input is doing, in a few words."""


class Silent:
    """A watcher that says nothing."""

    def begin(self, inputs: int, passes: int) -> None: ...
    def advance(self, name: str, place: int, done: int) -> None: ...
    def chosen(self, draws: int, why: str) -> None: ...
    def say(self, text: str) -> None: ...


@dataclass
class Clock:
    """Where the wall seconds of a run went, beside the forward passes."""

    startup: float = 0.0
    report: float = 0.0

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Add the time of the block to `part`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, part, getattr(self, part) + time.perf_counter() - start)
