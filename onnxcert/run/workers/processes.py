"""Workers on this machine, one process each, so that a crash affects only one worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import count
from multiprocessing.connection import wait
from typing import Any, Final, Self, final

from onnxcert.run import STOPS
from onnxcert.run.workers.worker import Task, TaskResult, Worker, WorkerSetup


@final
class Processes:
    """Worker pool of processes; see `onnxcert.run.workers.worker.WorkerPool`.

    Args:
        setup: how each worker opens the models.
        size: number of workers.
        devices: `CUDA_VISIBLE_DEVICES` of each worker; empty for all GPUs.
    """

    def __init__(self, setup: WorkerSetup, size: int, devices: Sequence[str] = ()) -> None:
        self.size: Final = size
        self._setup = setup
        self._devices = devices
        self._pools: dict[int, ProcessPoolExecutor] = {}
        self._shared: dict[int, Any] = {}  # handle -> value
        self._keys = count()
        self._sent: dict[int, set[int]] = {}  # slot -> handles whose values its worker holds

    @property
    def described(self) -> str:
        return f"{self.size} processes" if self.size > 1 else "1 process"

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        return (BrokenProcessPool,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for slot in list(self._pools):
            self._stop_worker(slot)

    def start(self, slot: int) -> Future[TaskResult]:
        self._stop_worker(slot)
        self._sent[slot] = set()
        with block_signals(*STOPS):  # the first pool starts Python's resource tracker
            pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self._pools[slot] = pool
        visible = self._devices[slot] if self._devices else None
        with block_signals(*STOPS):  # the process starts with the first task
            return pool.submit(_open_models, self._setup, visible)

    def share(self, value: Any) -> int:
        key = next(self._keys)
        self._shared[key] = value
        return key

    def release(self, handle: int) -> None:
        del self._shared[handle]

    def submit(self, slot: int, task: Task, *handles: int) -> Future[TaskResult]:
        sent = self._sent[slot]
        new = {key: self._shared[key] for key in handles if key not in sent}
        gone = sent - self._shared.keys()
        self._sent[slot] = (sent - gone) | new.keys()
        try:
            return self._pools[slot].submit(_run_task, task, handles, new, gone)
        except BrokenProcessPool as error:  # raised here before the pending futures fail
            future: Future[TaskResult] = Future()
            future.set_exception(error)
            return future

    def _stop_worker(self, slot: int) -> None:
        pool = self._pools.pop(slot, None)
        if pool is None:
            return
        for process in list((pool._processes or {}).values()):
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


# -- in the process of a worker ------------------------------------------------------------------

_process_state: dict[str, Worker] = {}
_shared: dict[int, Any] = {}


def _open_models(setup: WorkerSetup, visible: str | None) -> TaskResult:
    # The driver decides when to stop. Ctrl-C, or closing the terminal, signals every process of a
    # command.
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    _process_state["worker"] = worker = Worker(setup)
    return worker.ready()


def _run_task(task: Task, keys: tuple[int, ...], new: dict[int, Any], gone: set[int]) -> TaskResult:
    for key in gone:
        del _shared[key]
    _shared.update(new)
    return _process_state["worker"].do(task, *(_shared[key] for key in keys))


def _end_with_driver() -> None:
    """End this process when the driver dies: a killed driver cannot end its workers."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    wait([driver.sentinel])
    os._exit(1)


@contextmanager
def block_signals(*numbers: int) -> Iterator[None]:
    """Block signals for processes that start in the block, until they unblock them themselves."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
