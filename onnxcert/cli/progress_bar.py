"""The header of a run, and a progress bar if standard error is a terminal."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from onnxcert.cli.terminal import escape
from onnxcert.run.progress import ProgressListener

_WINDOW: Final = 60.0  # seconds over which the throughput is measured
_REDRAW: Final = 0.05  # least seconds between two updates of the bar


class Throughput:
    """Throughput over the last minute, ignoring work restored from an earlier run.

    Finished inputs and checkpoints of an earlier run are restored in almost no time. So the first
    report of new draws only starts the clock.
    """

    def __init__(self, inputs: int, passes: int) -> None:
        self._inputs, self._passes = inputs, passes
        self._samples: deque[tuple[float, float]] = deque()  # (time, new draws until then)
        self._drawn = 0.0
        self.active: dict[str, int] = {}  # unfinished inputs of this run -> draws reported

    def advance(self, now: float, done: int, name: str = "") -> None:
        """Record that `done` draws of the input `name` are counted.

        Args:
            now: Time in seconds.
            done: Draws counted so far; 0 when the input begins.
            name: Name of the input.
        """
        if done == 0:
            self.active[name] = 0
        elif name in self.active:
            self._drawn += done - self.active[name] if self._samples else 0
            self.active[name] = done
            self._samples.append((now, self._drawn))
            if done >= self._passes:
                del self.active[name]
        while len(self._samples) > 2 and now - self._samples[1][0] > _WINDOW:
            self._samples.popleft()

    @property
    def draws_per_second(self) -> float:
        """Draws per second, including the start-up of inputs; 0 if not known yet."""
        if len(self._samples) < 2:
            return 0.0
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def seconds_left(self, place: int, done: int) -> float | None:
        """Return the estimated seconds until the last input is done; None if not known yet.

        Args:
            place: Number of the first unfinished input, from 1.
            done: Draws counted for this input and the inputs after it.
        """
        speed = self.draws_per_second
        draws = (self._inputs - place) * self._passes + self._passes - done
        return draws / speed if speed else None


class ProgressBar(ProgressListener):
    """Inputs and draws done, their rate and the time left, on standard error."""

    def __init__(self, console: Console, make_header: Callable[[], str]) -> None:
        self._make_header = make_header
        self._batch = ""
        self._updated = 0.0
        self._progress = Progress(
            # No markup: a file name could contain it, and this stream is not a GuardedStream.
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("input {task.fields[place]} of {task.fields[inputs]}"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, inputs: int, passes: int) -> None:
        self._header = self._make_header()
        if self._header:
            print(self._header, file=sys.stderr)
        self._progress.start()
        self._passes = passes
        self._throughput = Throughput(inputs, passes)
        self._task = self._progress.add_task(
            "certify",
            total=max(1, inputs * passes),
            place=0,
            inputs=inputs,
            rate="",
            left="",
            note="",
        )

    def advance(self, name: str, place: int, done: int) -> None:
        now = time.monotonic()
        self._throughput.advance(now, done, name)
        if done == 0:
            self._progress.update(self._task, note="")
        last = place == self._progress.tasks[0].fields["inputs"] and done == self._passes
        if now - self._updated < _REDRAW and not last:
            return
        self._updated = now
        others = sum(d for other, d in self._throughput.active.items() if other != name)
        self._progress.update(
            self._task,
            description=escape(name),
            place=place,
            completed=(place - 1) * self._passes + others + done,
            rate=_format_rate(self._throughput.draws_per_second, self._passes),
            left=_format_left(self._throughput.seconds_left(place, others + done)),
        )

    def report_batch_size(self, draws: int, why: str) -> None:
        if self._batch:
            return  # print it once, not for each input
        self._batch = f"batch   {draws} draw{'' if draws == 1 else 's'} per pass ({why})"
        if self._header:
            print(self._batch, file=sys.stderr)

    def report_status(self, text: str) -> None:
        if self._progress.tasks:  # a worker may report before the run begins to count
            self._progress.update(self._task, note=escape(text))


def _format_rate(draws: float, passes: int) -> str:
    """Return inputs per second as text if that is at least 1, otherwise draws per second."""
    inputs = draws / passes
    if not draws:
        return ""
    return f"{inputs:.1f} inputs/s" if inputs >= 1.0 else f"{draws:.3g} draws/s"


def _format_left(seconds: float | None) -> str:
    return "" if seconds is None else f"time left {timedelta(seconds=round(seconds))}"
