"""Tasks that the driver sends to a worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.contract.base import Contract
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.execution_plan import ExecutionPlan, make_plan
from onnxcert.run.workers.worker import Worker
from onnxcert.sampling import BatchLeak, LeakCheck, Part, count_part
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import passes
from onnxcert.statistics.settings import Settings


class Task(ABC):
    """One task; `run` gets the shared values. A task may be repeated on any worker."""

    @abstractmethod
    def run(self, worker: Worker, *shared: Any) -> Any:
        """Execute the task and return its result.

        Raises:
            OnnxcertError: one sentence; the driver raises it again.
        """


@dataclass(frozen=True, eq=False)
class CleanOutputs:
    """Outputs of the models for an input without noise, and its execution plan.

    Attributes:
        clean: labels [*grid].
        nonrobust: labels of the other model, if there is one.
        tried: execution plan of the draws.
        contract: contract of the model, after its first pass.
        other_contract: contract of the other model, if there is one.
    """

    clean: IntArray
    nonrobust: IntArray | None
    plan: ExecutionPlan
    contract: Contract
    other_contract: Contract | None


def clean_labels(
    model: OnnxSegmenter, nonrobust: OnnxSegmenter | None, x: FloatArray, other: FloatArray | None
) -> tuple[IntArray, IntArray | None]:
    """Return labels by both models of an input without noise, as each model declares it."""
    clean: IntArray = model(x[None])[0]
    if nonrobust is None or other is None:
        return clean, None
    labels: IntArray = nonrobust(other[None])[0]
    return clean, labels


@final
@dataclass(frozen=True)
class WarmUp(Task):
    """Warm-up pass on the run's first input, which adapts the graph to what only a pass shows.

    So every worker, whatever input it gets first, runs the graph that one process would run.
    """

    def run(self, worker: Worker, *shared: Any) -> None:
        ((x, other),) = shared
        clean_labels(worker.model, worker.nonrobust, x, other)


@final
@dataclass(frozen=True)
class MakePlan(Task):
    """Label an input without noise and plan its execution with warm-up draws.

    Returns `CleanOutputs`, or the reason if the model fails on the input. See
    `onnxcert.model.tuning.execution_plan.make_plan`.
    """

    draws: Draws
    settings: Settings
    inputs: int
    batch_size: int | None
    known: ExecutionPlan | None
    leaky: bool

    def run(self, worker: Worker, *shared: Any) -> CleanOutputs | str:
        ((x, other),) = shared
        model, nonrobust = worker.model, worker.nonrobust
        try:
            clean, labels = clean_labels(model, nonrobust, x, other)
        except ModelError as error:
            return str(error)
        plan = make_plan(
            model,
            x,
            self.draws,
            each=passes(self.settings.n, self.settings.n0, self.settings.selection),
            inputs=self.inputs,
            checked=self.settings.leak_check_draws(int(clean.size), device=model.on_device),
            batch_size=self.batch_size,
            known=self.known,
            leaky=self.leaky,
        )
        return CleanOutputs(
            clean, labels, plan, model.contract, nonrobust.contract if nonrobust else None
        )


@final
@dataclass(frozen=True)
class CountDraws(Task):
    """Count the draws `indices` of an input.

    Returns a `Part`, or the `BatchLeak` if the model is batch-dependent.
    """

    draws: Draws
    indices: range
    classes: int
    plan: ExecutionPlan
    check: LeakCheck | None = None

    def run(self, worker: Worker, *shared: Any) -> Part | BatchLeak:
        (x, _), *chosen = shared
        try:
            return count_part(
                worker.model,
                x,
                self.draws,
                self.indices,
                classes=self.classes,
                candidate=chosen[0] if chosen else None,
                batch_size=self.plan.batch.draws,
                backend=worker.model.backend,
                check=self.check,
            )
        except BatchLeak as found:
            return found
