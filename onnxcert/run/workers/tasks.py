"""Tasks that the driver sends to a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.contract.base import Contract
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.execution_plan import ExecutionPlan, make_plan
from onnxcert.run.workers.worker import Task, Worker
from onnxcert.sampling import BatchLeak, LeakCheck, Part, count_part
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import passes
from onnxcert.statistics.settings import Settings


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
class MakePlan(Task):
    """Label an input without noise and plan the execution of its draws.

    Returns `CleanOutputs`, or the reason if the model fails on the input.
    """

    draws: Draws
    settings: Settings
    inputs: int
    batch_size: int | None
    known: ExecutionPlan | None
    leaky: bool

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
            leaky=self.leaky,
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
