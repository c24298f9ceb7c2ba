"""What a run is about to do, and a progress bar where a person is watching."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """Inputs and draws done, draws per second and time left, on standard error."""

    def __init__(self, console: Console, announcement: Callable[[], str]) -> None:
        self._announcement = announcement
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("input {task.fields[place]} of {task.fields[inputs]}"),
            TextColumn("{task.completed:.0f}/{task.total:.0f} draws"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("time left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[said]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, inputs: int, passes: int) -> None:
        if text := self._announcement():
            print(text, file=sys.stderr)
        self._progress.start()
        self._passes = passes
        self._task = self._progress.add_task(
            "certify", total=max(1, inputs * passes), place=0, inputs=inputs, rate="", said=""
        )

    def advance(self, name: str, place: int, done: int) -> None:
        if done == 0:
            self._progress.update(self._task, said="")
        speed = self._progress.tasks[0].speed
        self._progress.update(
            self._task,
            description=name,
            place=place,
            completed=(place - 1) * self._passes + done,
            rate=f"{speed:.1f} draws/s" if speed else "",
        )

    def say(self, text: str) -> None:
        self._progress.update(self._task, said=text)
