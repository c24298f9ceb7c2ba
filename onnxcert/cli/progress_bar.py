"""The header of a run, and a progress bar if standard error is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from onnxcert.cli.terminal import escape
from onnxcert.run.progress import ProgressListener

_WINDOW: Final = 60.0  # seconds over which the throughput is measured
_NARROW, _WIDE = 72, 100  # columns of a terminal: below, no bar; from there on, the note
_REDRAW: Final = 0.05  # least seconds between two updates of the bar


class ProgressBar(ProgressListener):
    """Inputs and draws done, their rate over the last minute and the time left.

    The rate ignores work restored from an earlier run: finished inputs and checkpoints are restored
    in almost no time. So the first report of new draws only starts the clock.
    """

    def __init__(
        self,
        console: Console,
        make_header: Callable[[], str],
        get_time: Callable[[], float] = time.monotonic,
        *,
        details: bool = False,
    ) -> None:
        self._make_header = make_header
        self._details = details
        self._get_time = get_time
        self._batch = ""
        self._updated = -_REDRAW
        self._active: dict[str, int] = {}  # unfinished inputs of this run -> draws reported
        self._new = 0  # draws since the last update
        self._counted: set[str] = set()  # inputs that are finished
        self._name_width = max(8, console.width // 3)
        self._progress = Progress(
            *_make_columns(console.width),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            get_time=get_time,
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
        self._inputs, self._passes = inputs, passes
        self._task = self._progress.add_task(
            "certify", total=max(1, inputs * passes), place=0, inputs=inputs, rate="", note=""
        )

    def advance(self, name: str, place: int, done: int) -> None:
        if done == 0:
            self._active[name] = 0
            self._progress.update(self._task, note="")
        elif name not in self._active and name not in self._counted:
            self._counted.add(name)
            self._print_detail(f"stored  {name}: finished before")
        elif name in self._active:
            self._new += done - self._active[name]
            self._active[name] = done
            if done >= self._passes:
                del self._active[name]
                self._counted.add(name)
        now = self._get_time()
        gap = now - self._updated
        if gap < _REDRAW and not (place == self._inputs and done == self._passes):
            return
        self._updated = now
        # At least two reports, also if a pass takes more than a minute.
        self._progress.speed_estimate_period = max(_WINDOW, 2 * gap)
        task = self._progress.tasks[0]
        others = sum(drawn for other, drawn in self._active.items() if other != name)
        # Set directly, draws count for no rate.
        task.completed = (place - 1) * self._passes + others + done - self._new
        self._progress.update(
            self._task, advance=self._new, description=self._shorten(name), place=place
        )
        self._new = 0
        self._progress.update(self._task, rate=_format_rate(task.speed or 0.0, self._passes))

    def _shorten(self, name: str) -> str:
        """Return the name so that it leaves space for the other columns."""
        name = escape(name)
        return name if len(name) <= self._name_width else f"{name[: self._name_width - 3]}..."

    def report_batch_size(self, draws: int, why: str) -> None:
        text = f"batch   {draws} draw{'' if draws == 1 else 's'} per pass ({why})"
        if text == self._batch or (self._batch and not self._details):
            return  # print it once, not for each input
        self._batch = text
        if self._header:
            print(text, file=sys.stderr)

    def report_status(self, text: str) -> None:
        if self._progress.tasks:  # a worker may report before the run begins to count
            self._progress.update(self._task, note=escape(text))
        self._print_detail(f"status  {text}")

    def _print_detail(self, text: str) -> None:
        if self._details:
            print(text, file=sys.stderr)


def _make_columns(width: int) -> list[ProgressColumn]:
    """Return the columns of a bar on a terminal of this width."""
    # No markup: a file name could contain it, and this stream is not a GuardedStream.
    name = TextColumn("{task.description}", markup=False)
    if width < _NARROW:
        place = TextColumn("{task.fields[place]} of {task.fields[inputs]}")
        return [name, place, TaskProgressColumn(), TimeRemainingColumn()]
    return [
        name,
        BarColumn(),
        TextColumn("input {task.fields[place]} of {task.fields[inputs]}"),
        TextColumn("{task.fields[rate]}"),
        TextColumn("time left"),
        TimeRemainingColumn(),
        *([TextColumn("{task.fields[note]}", markup=False)] if width >= _WIDE else []),
    ]


def _format_rate(draws: float, passes: int) -> str:
    """Return inputs per second as text if that is at least 1, otherwise draws per second."""
    inputs = draws / passes
    if not draws:
        return ""
    return f"{inputs:.1f} inputs/s" if inputs >= 1.0 else f"{draws:.3g} draws/s"
