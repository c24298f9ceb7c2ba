"""Scheduling of one input: the tasks that it offers, and the processing of their results."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, final

from onnxcert._typing import FloatArray
from onnxcert.model.tuning.execution_plan import ONE_DRAW_PLAN, ExecutionPlan
from onnxcert.results.checkpointed_count import CheckpointedCount
from onnxcert.run.workers.pool import WorkerPool
from onnxcert.run.workers.tasks import CleanOutputs, CountDraws, MakePlan, Task
from onnxcert.run.workers.worker import TaskResult
from onnxcert.sampling import BatchLeak, Part
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Tally
from onnxcert.statistics.settings import Settings


@dataclass
class ShapeState:
    """Knowledge about input shapes, shared by all inputs of a run.

    Attributes:
        seconds: target duration of a task; at most this much work is lost with a worker.
        plans: shape -> execution plan of its first input.
        planning: shapes whose first input is planned, or being planned.
        seconds_per_draw: shape -> seconds per draw on one worker.
        leaky: whether the model was found to be batch-dependent.
    """

    seconds: float
    plans: dict[tuple[int, ...], ExecutionPlan] = field(default_factory=dict)
    planning: set[tuple[int, ...]] = field(default_factory=set)
    seconds_per_draw: dict[tuple[int, ...], float] = field(default_factory=dict)
    leaky: bool = False


@final
class InputJob:
    """One input, from its first pass to its last draw.

    Args:
        name: name of the input.
        x: the input as the model declares it.
        other: the input as the other model declares it, if there is one.
        draws: draws of the input.
        settings: settings of the run.
        trial: further arguments of `MakePlan`.
        begin: creates a count from the models' outputs without noise.
        finish: called with the tally.
        skip: called with the reason if the input cannot be used.
        found_leak: called when the model is found to be batch-dependent.

    Attributes:
        input: the shared data: the input as each of the two models declares it.
        ended: whether the input is finished or skipped.
    """

    def __init__(
        self,
        name: str,
        x: FloatArray,
        other: FloatArray | None,
        draws: Draws,
        settings: Settings,
        *,
        trial: dict[str, Any],
        begin: Callable[[CleanOutputs], CheckpointedCount],
        finish: Callable[[Tally], None],
        skip: Callable[[str], None],
        found_leak: Callable[[], None],
    ) -> None:
        self.name = name
        self.ended = False
        self.input = (x, other)
        self._x, self._draws, self._settings = x, draws, settings
        self._trial = trial
        self._begin, self._finish, self._skip = begin, finish, skip
        self._found_leak = found_leak
        self._planning = False
        self._answers: CleanOutputs | None = None
        self._counting: CheckpointedCount | None = None
        self._assigned = 0  # all draws below are counted or assigned
        self._lost: list[range] = []  # except these: their worker died
        self._out_of_order: dict[int, Part] = {}  # parts that arrived before their predecessor
        self._handles: list[Any] = []  # of the input, and later of the selected candidate

    def next_task(self, state: ShapeState, workers: int, *, last: bool) -> Task | None:
        """Return the next task, or None while results are pending.

        Args:
            state: knowledge about input shapes.
            workers: number of workers that could share the remaining draws.
            last: whether no other input is waiting, so that all workers should share them.
        """
        if self._counting is None:
            return None if self._planning else self._plan_task(state)
        count = self._counting.count
        if self._lost:
            return self._count(self._lost.pop(0))
        start, stop = max(self._assigned, count.done), count.next_stop
        if self.ended or start >= stop:
            return None
        assert self._answers is not None
        batch, pace = self._answers.plan.batch.draws, state.seconds_per_draw.get(self._x.shape)
        batches = 1 if pace is None else max(1, int(state.seconds / (pace * batch)))
        if last:
            batches = min(batches, math.ceil((stop - start) / (workers * batch)))
        # Whole batches, so that the passes are the same as in one process.
        self._assigned = min(stop, start + batches * batch)
        return self._count(range(start, self._assigned))

    def _plan_task(self, state: ShapeState) -> Task | None:
        shape = self._x.shape
        known = state.plans.get(shape)
        if known is None and shape in state.planning:
            return None
        state.planning.add(shape)
        self._planning = True
        return MakePlan(self._draws, self._settings, known=known, leaky=state.leaky, **self._trial)

    def _count(self, indices: range) -> Task:
        assert self._counting is not None
        assert self._answers is not None
        count = self._counting.count
        check = None if count.check is None else count.check.part(indices)
        return CountDraws(self._draws, indices, count.classes, self._answers.plan, check)

    def handles(self, task: Task, crew: WorkerPool) -> tuple[Any, ...]:
        """Return the handles of the shared data that the task needs."""
        if not self._handles:
            self._handles.append(crew.share(self.input))
        hits = None if self._counting is None else self._counting.count.hits
        if hits is not None and len(self._handles) == 1:
            self._handles.append(crew.share(hits.candidate))
        return tuple(self._handles) if isinstance(task, CountDraws) else (self._handles[0],)

    def requeue(self, task: Task, state: ShapeState) -> None:
        """Requeue `task`, whose worker was lost."""
        if isinstance(task, CountDraws):
            if self._answers is None or task.plan != self._answers.plan:
                return  # the task is obsolete
            self._lost = sorted([*self._lost, task.indices], key=lambda indices: indices.start)
        elif isinstance(task, MakePlan):
            self._planning = False
            if task.known is None:
                state.planning.discard(self._x.shape)

    def receive(self, task: Task, outcome: TaskResult, state: ShapeState) -> None:
        """Process the result of a task."""
        value = outcome.value
        if isinstance(value, BatchLeak):
            self._mark_leaky(state)
        elif isinstance(value, Part):
            assert isinstance(task, CountDraws)
            assert self._answers is not None
            if task.plan != self._answers.plan:
                return  # counted in batches before batch dependence was found
            state.seconds_per_draw[self._x.shape] = outcome.seconds / len(value.indices)
            self._absorb(value)
        elif isinstance(value, CleanOutputs):
            if value.plan.one_draw_per_pass:
                self._mark_leaky(state)
            plan = ONE_DRAW_PLAN if state.leaky else value.plan
            state.plans.setdefault(self._x.shape, value.plan)
            self._start(replace(value, plan=plan))
        else:
            if self._x.shape not in state.plans:
                state.planning.discard(self._x.shape)
            self.ended = True
            self._skip(value)

    def _mark_leaky(self, state: ShapeState) -> None:
        if not state.leaky:
            state.leaky = True
            self._found_leak()

    def _start(self, answers: CleanOutputs) -> None:
        self._answers = answers
        self._counting = self._begin(answers)
        self._finish_if_done()

    def restart(self, crew: WorkerPool) -> None:
        """Restart a count that was made in batches, with one draw per pass."""
        if self._answers is None or self._answers.plan.one_draw_per_pass:
            return
        for handle in self._handles[1:]:  # candidate selected from batched draws
            crew.release(handle)
        self._handles = self._handles[:1]
        self._assigned, self._lost, self._out_of_order = 0, [], {}
        self._start(replace(self._answers, plan=ONE_DRAW_PLAN))

    def _absorb(self, part: Part) -> None:
        assert self._counting is not None
        self._out_of_order[part.indices.start] = part
        while not self.ended and self._counting.count.done in self._out_of_order:
            self._counting.count.absorb(self._out_of_order.pop(self._counting.count.done))
            self._counting.report_and_checkpoint()
            self._finish_if_done()

    def _finish_if_done(self) -> None:
        """Finish the input if no draw is missing, or if an interim look stops it."""
        assert self._counting is not None
        tally = self._counting.tally()
        if tally is not None:
            self.ended = True
            self._finish(tally)

    def checkpoint(self) -> None:
        """Write a checkpoint of the count."""
        if self._counting is not None:
            self._counting.checkpoint()

    def interrupt(self) -> None:
        """Write a checkpoint; with interim looks, finish with the votes at the last one."""
        self.checkpoint()
        tally = None if self._counting is None else self._counting.tally_at_stop()
        if tally is not None:
            self._finish(tally)

    def release(self, crew: WorkerPool) -> None:
        """Release the shared data of this input."""
        for handle in self._handles:
            crew.release(handle)
