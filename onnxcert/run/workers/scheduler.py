"""Scheduler: assigns tasks of several inputs to workers, and replaces lost workers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Final, final

from onnxcert.errors import DeviceError, ModelError, OnnxcertError
from onnxcert.model.tuning.environment import Runtime
from onnxcert.run.job import CertificationJob
from onnxcert.run.progress import ProgressListener
from onnxcert.run.workers.input_job import InputJob
from onnxcert.run.workers.worker import CleanOutputs, Task, TaskResult, WorkerPool

# Queue depth per worker: one task running, one waiting, so that the worker is never idle.
_DEPTH: Final = 2
_TRIES: Final = 3
_PATIENCE: Final = 0.2  # seconds between checks for a stop while waiting
_SILENCE: Final = 15.0  # seconds without any worker (a full cluster) before a message


@dataclass(eq=False)
class _Slot:
    """One worker and its tasks, oldest first.

    Attributes:
        number: number of the slot, from 0.
        ready: future of a worker that is starting; None once it is ready.
        held: future -> (input, task).
    """

    number: int
    ready: Future[TaskResult] | None = None
    held: dict[Future[TaskResult], tuple[InputJob, Task]] = field(default_factory=dict)


@final
class Scheduler:
    """Scheduler of a worker pool.

    Args:
        pool: an entered worker pool.
        listener: receives a message while no worker is available, and "" afterwards.

    Attributes:
        forward: seconds that the workers spent in the runtime so far.
    """

    def __init__(self, pool: WorkerPool, listener: ProgressListener) -> None:
        self.forward = 0.0
        self._pool, self._listener = pool, listener
        self._idle_since: float | None = None
        self._reported = False
        self._slots = [_Slot(number) for number in range(pool.size)]
        self._jobs: list[InputJob] = []
        self._pending: Iterator[CertificationJob] = iter(())
        self._exhausted = False  # whether no input is waiting
        self._first = pool.share(None)  # the first input that the model accepts, see `Worker.do`
        self._accepted = False  # whether there is one
        self._failures: Counter[tuple[str, str, bool]] = Counter()
        self._failed_starts = 0
        self._runtimes: list[Runtime] = []  # of the workers that are ready

    def start(self, stopping: Callable[[], bool]) -> Runtime:
        """Start all workers and wait for the first; return its runtime.

        Raises:
            OnnxcertError: the worker cannot open the model.
            KeyboardInterrupt: `stopping` returned True.
        """
        for slot in self._slots:
            slot.ready = self._pool.start(slot.number)
        while not self._runtimes:
            if stopping():
                raise KeyboardInterrupt
            self._wait()
        return self._runtimes[0]

    def run(self, jobs: Iterator[CertificationJob], stopping: Callable[[], bool]) -> None:
        """Process every input to its end.

        Args:
            jobs: the inputs, in order; each is read when its turn comes.
            stopping: if it returns True, counts are checkpointed and KeyboardInterrupt is raised.

        Raises:
            OnnxcertError: an input cannot be certified as requested; other counts are checkpointed.
        """
        self._pending = jobs
        try:
            while self._jobs or self._admit():
                if stopping():
                    for job in self._jobs:
                        job.interrupt()
                    raise KeyboardInterrupt
                self._assign()
                self._wait()
        except Exception:
            for job in self._jobs:
                job.checkpoint()
            raise

    # -- assigning tasks ------------------------------------------------------------------------

    def _admit(self) -> bool:
        """Admit one more input if there is one and the queue is not full."""
        if len(self._jobs) > _DEPTH * len(self._slots):
            return False
        job = next(self._pending, None)
        self._exhausted = job is None
        if job is not None:
            self._jobs.append(InputJob(job, self._pool))
        return not self._exhausted

    def _assign(self) -> None:
        while free := [p for p in self._slots if p.ready is None and len(p.held) < _DEPTH]:
            found = self._next_task()
            if found is None:
                return
            job, task = found
            slot = min(free, key=lambda slot: len(slot.held))
            future = self._pool.submit(slot.number, task, self._first, *job.handles(task))
            slot.held[future] = found

    def _next_task(self) -> tuple[InputJob, Task] | None:
        if not self._accepted and any(slot.held for slot in self._slots):
            return None  # the first input that the model accepts is the warm-up input of all
        idle, seen = sum(slot.ready is None for slot in self._slots), 0
        while seen < len(self._jobs) or self._admit():
            task = self._jobs[seen].next_task(idle, last=self._exhausted)
            if task is not None:
                return self._jobs[seen], task
            seen += 1
        return None

    # -- collecting results ---------------------------------------------------------------------

    def _wait(self) -> None:
        futures = [slot.ready for slot in self._slots if slot.ready is not None]
        futures += [future for slot in self._slots for future in slot.held]
        assert futures, "no future to wait for"
        wait(futures, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
        self._report_waiting()
        for slot in self._slots:
            if slot.ready is not None and slot.ready.done():
                self._mark_ready(slot, slot.ready)
            for future in [future for future in slot.held if future.done()]:
                if future in slot.held:  # else its worker was lost, and is replaced already
                    self._collect(slot, future)

    def _report_waiting(self) -> None:
        """Report if no worker is available for long; nothing else shows it."""
        if any(slot.ready is None for slot in self._slots):
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > _SILENCE:
            self._report(f"waiting for room for {self._pool.described}")

    def _report(self, text: str) -> None:
        self._listener.report_status(text)
        self._reported = bool(text)

    def _mark_ready(self, slot: _Slot, ready: Future[TaskResult]) -> None:
        if isinstance(ready.exception(), self._pool.lost):
            self._failed_starts += 1
            if self._failed_starts >= _TRIES:
                raise DeviceError(
                    "workers ended while opening the model; there may be too little memory for "
                    f"{self._pool.described}; use fewer."
                )
            slot.ready = self._pool.start(slot.number)
            return
        runtime: Runtime = _value(ready)
        self._runtimes.append(runtime)
        if runtime.kind != self._runtimes[0].kind:
            raise DeviceError(
                f"all workers must have the same runtime, but one has {self._runtimes[0]} and "
                f"another {runtime}; install the same onnxcert everywhere, or use --device cpu."
            )
        self._failed_starts, slot.ready = 0, None
        if self._reported:
            self._report("")

    def _collect(self, slot: _Slot, future: Future[TaskResult]) -> None:
        if isinstance(future.exception(), self._pool.lost):
            self._replace(slot)
            return
        job, task = slot.held.pop(future)
        value = _value(future)
        self.forward += future.result().forward
        if not self._accepted and isinstance(value, CleanOutputs):
            # Shared until the end: replacement workers need it for their warm-up, too.
            self._pool.release(self._first)
            self._first, self._accepted = self._pool.share(job.input), True
        if job.receive(task, future.result()):
            for each in self._jobs:
                each.restart()
        for each in [each for each in self._jobs if each.ended]:
            each.release()
            self._jobs.remove(each)

    def _replace(self, slot: _Slot) -> None:
        """Replace a lost worker, attribute the failure to its running task, requeue its tasks."""
        for future in [f for f in slot.held if f.done() and f.exception() is None]:
            self._collect(slot, future)
        held = list(slot.held.values())
        slot.held.clear()
        self._report(f"worker {slot.number + 1} ended; restarting it")
        slot.ready = self._pool.start(slot.number)
        for job, task in held:
            job.requeue(task)
        if not held:
            return
        name, task = held[0][0].job.name, held[0][1]
        # With one draw per pass it is another task: earlier losses say nothing about its memory.
        failure = (name, task.doing, task.one_draw_per_pass)
        self._failures[failure] += 1
        if self._failures[failure] >= _TRIES:
            raise ModelError(
                f"{name}: {_TRIES} workers ended while {task.doing}; they may lack memory; use "
                "fewer workers or a smaller --batch-size."
            )


def _value(future: Future[TaskResult]) -> Any:
    """Return the result of a task.

    Raises:
        OnnxcertError: raised by the task, or a lack of memory.
    """
    try:
        value = future.result().value
    except MemoryError:
        raise DeviceError(
            "a worker has too little memory for its task; use fewer --workers, or a smaller "
            "--batch-size."
        ) from None
    if isinstance(value, OnnxcertError):
        raise value
    return value
