"""What all jobs of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.environment import Runtime
from onnxcert.model.tuning.execution_plan import ExecutionPlan
from onnxcert.report.figures.plotting import BestEffort
from onnxcert.results import ResultStore
from onnxcert.run.modality import InputModality
from onnxcert.run.progress import Clock, Progress
from onnxcert.statistics.settings import Settings


@dataclass
class Plans:
    """Knowledge about the model and input shapes.

    Attributes:
        leaky: whether the model was found to be batch-dependent.
        known: shape -> execution plan of its first input.
        planning: shapes whose first input is planned, or being planned, by a worker.
        seconds_per_draw: shape -> seconds per draw on one worker.
    """

    leaky: bool
    known: dict[tuple[int, ...], ExecutionPlan] = field(default_factory=dict)
    planning: set[tuple[int, ...]] = field(default_factory=set)
    seconds_per_draw: dict[tuple[int, ...], float] = field(default_factory=dict)


@final
@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What all jobs of a run share; see `onnxcert.run.run.Run` for what is not described here.

    Attributes:
        modality: reads and draws the inputs.
        runtime: where the model runs.
        workers: description of the workers; empty if the model runs in this process.
        seed: seed of the draws.
        parameters: every parameter that a stored result depends on, by name, without the seed.
        plans: what is known of the model and input shapes so far.
        skipped: inputs that could not be used -> reason.
        stopping: returns whether to stop.
    """

    segmenter: OnnxSegmenter
    nonrobust: OnnxSegmenter | None
    settings: Settings
    store: ResultStore
    modality: InputModality
    runtime: Runtime
    workers: str
    seed: int
    parameters: Mapping[str, Any]
    class_names: tuple[str, ...]
    ignore_label: int | None
    batch_size: int | None
    pictures: bool
    checkpoint_seconds: float
    plans: Plans
    progress: Progress
    clock: Clock
    figures: BestEffort
    skipped: dict[str, str]
    stopping: Callable[[], bool]

    def skip(self, name: str, reason: str) -> None:
        """Leave out an input that cannot be used."""
        self.skipped[name] = reason
        self.progress.end(name, stored=name in self.store)

    def handle_leak(self) -> bool:
        """React to a failed batch-invariance check: use one draw per pass for all inputs.

        Return whether this was not known before.
        """
        if self.plans.leaky:
            return False
        self.plans.leaky = True
        self.store.note_leak()
        self.progress.listener.report_status(
            "outputs depend on the batch: restart with one draw per pass"
        )
        return True
