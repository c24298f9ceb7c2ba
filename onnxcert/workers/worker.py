"""A worker: a process that has opened the model once and answers tasks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from onnxcert.errors import OnnxcertError
from onnxcert.model.running.runtime import Runtime
from onnxcert.model.segmenter import OnnxSegmenter

if TYPE_CHECKING:
    from onnxcert.workers.task import Task


@dataclass(frozen=True)
class Opening:
    """All that it takes to open the models elsewhere; it is sent, so nobody need share files.

    Attributes:
        model: opens the model on a device with so many threads, see `OnnxSegmenter.anew`.
        nonrobust: opens the other one, if there is one.
        device: where.
        threads: on the CPU.
    """

    model: Callable[..., OnnxSegmenter]
    nonrobust: Callable[..., OnnxSegmenter] | None
    device: str
    threads: int


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        value: the result, or the error that the user can mend.
        seconds: wall seconds it took. forward: those inside the runtime.
    """

    value: Any
    seconds: float
    forward: float


@final
class Worker:
    """The open models.

    Attributes:
        model: the model. nonrobust: the other one, if there is one.
        runtime: where the model runs, or why it cannot be opened.
    """

    def __init__(self, opening: Opening) -> None:
        options = {"device": opening.device, "threads": opening.threads}
        self.runtime: Runtime | OnnxcertError
        try:
            self.model = opening.model(**options)
            self.nonrobust = opening.nonrobust(**options) if opening.nonrobust else None
            self.runtime = Runtime.of(self.model)
        except OnnxcertError as error:
            self.runtime = error

    def hello(self) -> Outcome:
        """The runtime, or why there is none."""
        return Outcome(self.runtime, 0.0, 0.0)

    def do(self, task: Task, *shared: Any) -> Outcome:
        """Run one task on what the driver shares with all workers."""
        start, before = time.perf_counter(), self._forward()
        try:
            value = task.run(self, *shared)
        except OnnxcertError as error:
            value = error
        return Outcome(value, time.perf_counter() - start, self._forward() - before)

    def _forward(self) -> float:
        return self.model.seconds + (self.nonrobust.seconds if self.nonrobust else 0.0)
