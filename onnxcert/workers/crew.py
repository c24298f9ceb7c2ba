"""The workers of a run, wherever they are: what a driver needs of them."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol, Self

from onnxcert.workers.task import Task
from onnxcert.workers.worker import Outcome


class Crew(Protocol):
    """So many workers, each at a place of its own from 0, there while it is entered.

    What they answer comes as futures of `concurrent.futures`, in any order between workers; one
    worker does one task after the other.
    """

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    @property
    def described(self) -> str:
        """What they are, in words: `2 processes`."""
        ...

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """What the future of a task raises whose worker is gone."""
        ...

    def __enter__(self) -> Self:
        """Reach the machines; no worker is started yet.

        Raises:
            OnnxcertError: they cannot be reached, or cannot hold so many workers.
        """
        ...

    def __exit__(self, *_: object) -> None:
        """End all workers, whatever they do."""
        ...

    def start(self, place: int) -> Future[Outcome]:
        """Start the worker at `place`, in place of one that is gone; its `Worker.hello`."""
        ...

    def share(self, value: Any) -> Any:
        """A handle of `value`, which each worker (or each machine) is sent at most once."""
        ...

    def release(self, handle: Any) -> None:
        """`handle` is not used any more."""
        ...

    def submit(self, place: int, task: Task, *handles: Any) -> Future[Outcome]:
        """Let a worker do a task on what is shared by `handles`; its `Worker.do`."""
        ...
