"""A crew of threads that answer late and in any order, and die when it hurts."""

from __future__ import annotations

import pickle
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Self

from onnxcert.run.workers.worker import CountDraws, Task, TaskResult, Worker, WorkerSetup


class Gone(Exception):
    """What is heard of a worker that is dead."""


def task_key(task: Task) -> tuple[str, range | None, bool]:
    """Return what makes two tasks one, however often it is requeued."""
    indices = task.indices if isinstance(task, CountDraws) else None
    return task.draws.digest, indices, task.one_draw_per_pass


class UnreliablePool:
    """See `onnxcert.run.workers.worker.WorkerPool`.

    Args:
        opening: of the models. size: how many workers.
        seed: of what happens.
        deaths: share of the tasks that a worker dies of.
        fatal: tasks that every worker dies of.
        disguise: changes what the worker at a place says that it runs on.

    Attributes:
        done: (place, task) in the order they were begun. shared: handles that are in use.
    """

    described = "threads"
    lost = (Gone,)

    def __init__(
        self,
        opening: WorkerSetup,
        size: int,
        *,
        seed: int = 0,
        deaths: float = 0.0,
        fatal: Callable[[Task], bool] = lambda _: False,
        disguise: Callable[[int, Any], Any] = lambda _, runtime: runtime,
    ) -> None:
        self.size, self.opening = size, opening
        self.chance, self.deaths, self.fatal = random.Random(seed), deaths, fatal
        self.disguise = disguise
        self.done: list[tuple[int, Task]] = []
        self.shared: dict[int, Any] = {}
        self.most_shared = 0
        self.starts = 0
        self._threads: dict[int, ThreadPoolExecutor] = {}
        self._workers: dict[int, Worker | None] = {}
        self._killed: Counter[tuple[str, range | None, bool]] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for threads in self._threads.values():
            threads.shutdown(wait=True, cancel_futures=True)

    def start(self, slot: int) -> Future[TaskResult]:
        self.starts += 1
        if slot in self._threads:
            self._threads[slot].shutdown(wait=True, cancel_futures=True)
        self._threads[slot] = ThreadPoolExecutor(1)
        self._workers[slot] = None
        return self._threads[slot].submit(self._open, slot)

    def _open(self, slot: int) -> TaskResult:
        worker = self._workers[slot] = Worker(pickle.loads(pickle.dumps(self.opening)))
        ready = worker.ready()
        return replace(ready, value=self.disguise(slot, ready.value))

    def share(self, value: Any) -> int:
        key = max(self.shared, default=0) + 1
        self.shared[key] = value
        self.most_shared = max(self.most_shared, len(self.shared))
        return key

    def release(self, handle: int) -> None:
        del self.shared[handle]

    def submit(self, slot: int, task: Task, *handles: int) -> Future[TaskResult]:
        values = [self.shared[handle] for handle in handles]
        return self._threads[slot].submit(self._do, slot, pickle.dumps((task, values)))

    def _do(self, slot: int, sent: bytes) -> TaskResult:
        task, values = pickle.loads(sent)
        worker = self._workers[slot]
        if worker is None:
            raise Gone
        time.sleep(self.chance.random() * 0.003)
        self.done.append((slot, task))
        # The third loss to one task is an error, and so is not left to chance.
        key = task_key(task)
        unlucky = self._killed[key] < 2 and self.chance.random() < self.deaths
        if self.fatal(task) or unlucky:
            self._killed[key] += 1
            self._workers[slot] = None
            raise Gone
        outcome: TaskResult = pickle.loads(pickle.dumps(worker.do(task, *values)))
        return outcome
