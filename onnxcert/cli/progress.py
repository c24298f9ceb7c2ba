"""What a run is about to do, and a progress bar where a person is watching."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from onnxcert.cli.terminal import visible

_SECONDS: Final = 60.0  # of the past, that what is left is judged by
_TELL_EVERY: Final = 0.05  # seconds; the bar is drawn less often than that


class Pace:
    """How fast a run is, from what it did of late and nothing that was done before it began.

    Inputs that an earlier run finished go by in no time and say nothing about the others, nor do
    draws that it kept; so what is told first only starts the clock.
    """

    def __init__(self, inputs: int, passes: int) -> None:
        self._inputs, self._passes = inputs, passes
        self._marks: deque[tuple[float, float]] = deque()
        self._drawn = 0.0
        self.under_way: dict[str, int] = {}  # inputs begun here -> draws told

    def advance(self, now: float, done: int, name: str = "") -> None:
        """At `now`, in seconds, `done` draws of the input `name` are counted; 0 begins it."""
        if done == 0:
            self.under_way[name] = 0
        elif name in self.under_way:
            self._drawn += done - self.under_way[name] if self._marks else 0
            self.under_way[name] = done
            self._marks.append((now, self._drawn))
            if done >= self._passes:
                del self.under_way[name]
        while len(self._marks) > 2 and now - self._marks[1][0] > _SECONDS:
            self._marks.popleft()

    @property
    def draws_a_second(self) -> float:
        """Draws counted in a second of late, start-up of inputs included; 0 if nobody knows."""
        if len(self._marks) < 2:
            return 0.0
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def left(self, place: int, done: int) -> float | None:
        """Seconds until the last input is done, the `place`-th having `done` draws, or several
        inputs from the `place`-th on together."""
        speed = self.draws_a_second
        draws = (self._inputs - place) * self._passes + self._passes - done
        return draws / speed if speed else None


class Bar:
    """Inputs and draws done, how many of them a second, and the time left, on standard error."""

    def __init__(self, console: Console, announcement: Callable[[], str]) -> None:
        self._announcement = announcement
        self._batch = ""
        self._told = 0.0
        self._progress = Progress(
            # File names must not be read as markup, and this stream is not guarded.
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("input {task.fields[place]} of {task.fields[inputs]}"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[said]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, inputs: int, passes: int) -> None:
        self._header = self._announcement()
        if self._header:
            print(self._header, file=sys.stderr)
        self._progress.start()
        self._passes = passes
        self._pace = Pace(inputs, passes)
        self._task = self._progress.add_task(
            "certify",
            total=max(1, inputs * passes),
            place=0,
            inputs=inputs,
            rate="",
            left="",
            said="",
        )

    def advance(self, name: str, place: int, done: int) -> None:
        now = time.monotonic()
        self._pace.advance(now, done, name)
        if done == 0:
            self._progress.update(self._task, said="")
        last = place == self._progress.tasks[0].fields["inputs"] and done == self._passes
        if now - self._told < _TELL_EVERY and not last:
            return
        self._told = now
        others = sum(d for other, d in self._pace.under_way.items() if other != name)
        self._progress.update(
            self._task,
            description=visible(name),
            place=place,
            completed=(place - 1) * self._passes + others + done,
            rate=_rate(self._pace.draws_a_second, self._passes),
            left=_left(self._pace.left(place, others + done)),
        )

    def chosen(self, draws: int, why: str) -> None:
        if self._batch:
            return  # said once, not for each of ten thousand inputs
        self._batch = f"batch   {draws} draw{'' if draws == 1 else 's'} a pass ({why})"
        if self._header:
            print(self._batch, file=sys.stderr)

    def say(self, text: str) -> None:
        if self._progress.tasks:  # a worker may have something to say before anything is counted
            self._progress.update(self._task, said=visible(text))


def _rate(draws: float, passes: int) -> str:
    """Draws a second, or inputs where these are the faster to watch."""
    inputs = draws / passes
    if not draws:
        return ""
    return f"{inputs:.1f} inputs/s" if inputs >= 1.0 else f"{draws:.3g} draws/s"


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"time left {timedelta(seconds=round(seconds))}"
