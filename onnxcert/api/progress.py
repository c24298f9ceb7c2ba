"""Progress of a call as a bar on standard error, or in a notebook below its cell."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from onnxcert.run.progress import ProgressListener


class Bar(ProgressListener):
    """A progress bar; use it as a context manager."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} draws"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("certify", total=None, visible=False)
        self._passes = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, inputs: int, passes: int) -> None:
        self._passes = passes
        self._bar.update(self._task, total=max(1, inputs * passes), visible=True)

    def advance(self, name: str, place: int, done: int) -> None:
        completed = (place - 1) * self._passes + done
        self._bar.update(self._task, completed=completed, description=name)


def follow(
    bar: ProgressListener, place: int, name: str, on_batch: Callable[..., None] | None
) -> Callable[..., None]:
    """Return a function to call after each batch: it advances `bar` and calls `on_batch`."""

    def after_batch(count: object) -> None:
        bar.advance(name, place, int(getattr(count, "done", 0)))
        if on_batch is not None:
            on_batch(count)

    return after_batch
