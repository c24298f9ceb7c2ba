"""A worker: a process that opens the model once and executes tasks; and the interface of a pool."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, final

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError, OnnxcertError
from onnxcert.model.contract.base import Contract
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.environment import Runtime
from onnxcert.model.tuning.execution_plan import ExecutionPlan, make_plan
from onnxcert.sampling import BatchLeak, LeakCheck, Part, count_part
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import passes
from onnxcert.statistics.settings import Settings


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


@dataclass(frozen=True, eq=False)
class CleanOutputs:
    """Outputs of the models for an input without noise, and its execution plan.

    Attributes:
        clean: labels [*grid].
        nonrobust: labels of the other model, if there is one.
        plan: execution plan of the draws.
        contract: contract of the model, after its first pass.
        other_contract: contract of the other model, if there is one.
    """

    clean: IntArray
    nonrobust: IntArray | None
    plan: ExecutionPlan
    contract: Contract
    other_contract: Contract | None


@final
@dataclass(frozen=True)
class MakePlan:
    """Task: label an input without noise and plan the execution of its draws.

    Returns `CleanOutputs`, or the reason if the model fails on the input.
    """

    draws: Draws
    settings: Settings
    inputs: int
    batch_size: int | None
    known: ExecutionPlan | None
    one_draw_per_pass: bool
    doing: ClassVar = "trying it out"

    def run(self, worker: Worker, *shared: Any) -> CleanOutputs | str:
        ((x, other),) = shared
        try:
            clean, nonrobust = worker.label(x, other)
        except ModelError as error:
            return str(error)
        plan = self.plan(worker.model, x, clean)
        other_contract = worker.nonrobust.contract if worker.nonrobust else None
        return CleanOutputs(clean, nonrobust, plan, worker.model.contract, other_contract)

    def plan(self, model: OnnxSegmenter, x: FloatArray, clean: IntArray) -> ExecutionPlan:
        """Plan the draws of `x`, whose labels are `clean`, with warm-up draws; see `make_plan`."""
        return make_plan(
            model,
            x,
            self.draws,
            each=passes(self.settings.n, self.settings.n0, self.settings.selection),
            inputs=self.inputs,
            checked=self.settings.leak_check_draws(int(clean.size), device=model.on_device),
            batch_size=self.batch_size,
            known=self.known,
            leaky=self.one_draw_per_pass,
        )


@final
@dataclass(frozen=True)
class CountDraws:
    """Task: count the draws `indices` of an input.

    Returns a `Part`, or the `BatchLeak` if the model is batch-dependent.
    """

    draws: Draws
    indices: range
    classes: int
    plan: ExecutionPlan
    check: LeakCheck | None = None

    @property
    def one_draw_per_pass(self) -> bool:
        return self.plan.one_draw_per_pass

    @property
    def doing(self) -> str:
        return f"counting its draws {self.indices.start} to {self.indices.stop - 1}"

    def run(self, worker: Worker, *shared: Any) -> Part | BatchLeak:
        (x, _), *candidate = shared
        try:
            return count_part(
                worker.model,
                x,
                self.draws,
                self.indices,
                classes=self.classes,
                candidate=candidate[0] if candidate else None,
                batch_size=self.plan.batch.draws,
                backend=worker.model.backend,
                check=self.check,
            )
        except BatchLeak as found:
            return found


# `run` gets the shared values. A task may be repeated, on any worker.
Task = MakePlan | CountDraws


@dataclass(frozen=True)
class TaskResult:
    """Result of a task.

    Attributes:
        value: the result, or an error that the user can fix.
        seconds: wall-clock seconds of the task, without a warm-up.
        forward: seconds inside the runtime.
    """

    value: Any
    seconds: float = 0.0
    forward: float = 0.0


@final
class Worker:
    """The open models.

    Attributes:
        model: the model.
        nonrobust: the other model, if there is one.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        options = {"device": setup.device, "threads": setup.threads}
        self._warm = False
        self._runtime: Runtime | OnnxcertError
        try:
            self.model = setup.model(**options)
            self.nonrobust = setup.nonrobust(**options) if setup.nonrobust else None
            self._runtime = Runtime.of(self.model)
        except OnnxcertError as error:
            self._runtime = error

    def ready(self) -> TaskResult:
        """Return the runtime, or the error if the model cannot be opened."""
        return TaskResult(self._runtime)

    def do(
        self, task: Task, first: tuple[FloatArray, FloatArray | None] | None, *shared: Any
    ) -> TaskResult:
        """Execute one task on shared values.

        Args:
            task: the task.
            first: the first input that the model accepted in this run. Its pass adapts the graph to
                what only a pass shows. So every worker, whatever input it gets first, runs the
                graph that one process would run. None if there is no such input yet.
            shared: the shared values.
        """
        start, before = time.perf_counter(), self._forward()
        try:
            if first is not None and not self._warm:
                self.label(*first)
                start = time.perf_counter()
            value: Any = task.run(self, *shared)
        except OnnxcertError as error:
            value = error
        return TaskResult(value, time.perf_counter() - start, self._forward() - before)

    def label(self, x: FloatArray, other: FloatArray | None) -> tuple[IntArray, IntArray | None]:
        """Return labels by both models of an input without noise, as each model declares it."""
        labels = clean_labels(self.model, self.nonrobust, x, other)
        self._warm = True
        return labels

    def _forward(self) -> float:
        return self.model.seconds + (self.nonrobust.seconds if self.nonrobust else 0.0)


def clean_labels(
    model: OnnxSegmenter, nonrobust: OnnxSegmenter | None, x: FloatArray, other: FloatArray | None
) -> tuple[IntArray, IntArray | None]:
    """Return labels by both models of an input without noise, as each model declares it."""
    clean: IntArray = model(x[None])[0]
    if nonrobust is None or other is None:
        return clean, None
    labels: IntArray = nonrobust(other[None])[0]
    return clean, labels


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
        """Submit a task on the values of `handles`; return the future of `Worker.do`."""
        ...
