"""Interface of a worker pool, as the scheduler needs it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol, Self

from onnxcert.run.workers.tasks import Task
from onnxcert.run.workers.worker import TaskResult


class WorkerPool(Protocol):
    """A fixed number of workers, one per slot from 0, alive inside the `with` block.

    Results are futures of `concurrent.futures`, in any order between workers. One worker executes
    its tasks one after the other.
    """

    @property
    def size(self) -> int:
        """Number of workers."""
        ...

    @property
    def described(self) -> str:
        """Description of the workers, such as `2 processes`."""
        ...

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """Exceptions of a task's future that mean that its worker is lost."""
        ...

    def __enter__(self) -> Self:
        """Connect to the machines; start no worker yet.

        Raises:
            OnnxcertError: they cannot be reached, or lack room for the workers.
        """
        ...

    def __exit__(self, *_: object) -> None:
        """End all workers, also in the middle of a task."""
        ...

    def start(self, slot: int) -> Future[TaskResult]:
        """Start or replace the worker in this slot; return the future of `Worker.ready`."""
        ...

    def share(self, value: Any) -> Any:
        """Return a handle of `value`, which is sent to each worker (or machine) at most once."""
        ...

    def release(self, handle: Any) -> None:
        """Release the handle of a shared value."""
        ...

    def submit(self, slot: int, task: Task, *handles: Any) -> Future[TaskResult]:
        """Submit a task on the shared values of `handles`; return the future of `Worker.do`."""
        ...
