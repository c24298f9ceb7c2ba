"""A worker: a process that opens the model once and executes tasks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from onnxcert.errors import OnnxcertError
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.environment import Runtime

if TYPE_CHECKING:
    from onnxcert.run.workers.tasks import Task


@dataclass(frozen=True)
class WorkerSetup:
    """How a worker opens the models; it is sent to the worker, so no files need be shared.

    Attributes:
        model: opens the model, given device and threads; see `OnnxSegmenter.reopen`.
        nonrobust: opens the other model, if there is one.
        device: device of the models.
        threads: threads on the CPU.
    """

    model: Callable[..., OnnxSegmenter]
    nonrobust: Callable[..., OnnxSegmenter] | None
    device: str
    threads: int


@dataclass(frozen=True)
class TaskResult:
    """Result of a task.

    Attributes:
        value: the result, or an error that the user can fix.
        seconds: wall-clock seconds of the task.
        forward: seconds inside the runtime.
    """

    value: Any
    seconds: float
    forward: float


@final
class Worker:
    """The open models.

    Attributes:
        model: the model.
        nonrobust: the other model, if there is one.
        runtime: runtime of the model, or the error if it cannot be opened.
    """

    def __init__(self, opening: WorkerSetup) -> None:
        options = {"device": opening.device, "threads": opening.threads}
        self.runtime: Runtime | OnnxcertError
        try:
            self.model = opening.model(**options)
            self.nonrobust = opening.nonrobust(**options) if opening.nonrobust else None
            self.runtime = Runtime.of(self.model)
        except OnnxcertError as error:
            self.runtime = error

    def ready(self) -> TaskResult:
        """Return the runtime, or the error if the model cannot be opened."""
        return TaskResult(self.runtime, 0.0, 0.0)

    def do(self, task: Task, *shared: Any) -> TaskResult:
        """Execute one task on shared values."""
        start, before = time.perf_counter(), self._forward()
        try:
            value = task.run(self, *shared)
        except OnnxcertError as error:
            value = error
        return TaskResult(value, time.perf_counter() - start, self._forward() - before)

    def _forward(self) -> float:
        return self.model.seconds + (self.nonrobust.seconds if self.nonrobust else 0.0)
