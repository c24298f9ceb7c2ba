"""Scheduling of one input: the tasks that it offers, and the processing of their results."""

from __future__ import annotations

import math
from typing import Any, Final, final

from onnxcert.model.tuning.execution_plan import ONE_DRAW_PLAN, ExecutionPlan
from onnxcert.run.checkpointed_count import CheckpointedCount
from onnxcert.run.job import CertificationJob
from onnxcert.run.workers.worker import (
    CleanOutputs,
    CountDraws,
    MakePlan,
    Task,
    TaskResult,
    WorkerPool,
)
from onnxcert.sampling import BatchLeak, Part

# Target duration of a task, or the time between checkpoints if that is shorter; at most this much
# work is lost with a worker.
_TASK_SECONDS: Final = 2.0


@final
class InputJob:
    """The tasks of one input, from its first pass to its last draw.

    Args:
        job: the processing of the input.
        pool: the workers.

    Attributes:
        input: the shared data: the input as each of the two models declares it.
        ended: whether the input is finished or skipped.
    """

    def __init__(self, job: CertificationJob, pool: WorkerPool) -> None:
        self.job, self.ended = job, False
        self.input = (job.x, job.nonrobust_x)
        self._pool, self._plans, self._shape = pool, job.context.plans, job.x.shape
        self._planning = False
        self._counting: CheckpointedCount | None = None
        self._assigned = 0  # all draws below are counted or assigned
        self._lost: list[range] = []  # except these: their worker died
        self._out_of_order: dict[int, Part] = {}  # parts that arrived before their predecessor
        self._handles: list[Any] = []  # of the input, and later of the selected candidate

    def next_task(self, workers: int, *, last: bool) -> Task | None:
        """Return the next task, or None while results are pending.

        Args:
            workers: number of workers that could share the remaining draws.
            last: whether no other input is waiting, so that all workers should share them.
        """
        if self._counting is None:
            return None if self._planning else self._plan_task()
        count, plan = self._counting.count, self._counting.plan
        if self._lost:
            indices = self._lost.pop(0)
        else:
            start, stop = max(self._assigned, count.done), count.next_stop
            if self.ended or start >= stop:
                return None
            # Whole batches, so that the passes are the same as in one process.
            batch, pace = plan.batch.draws, self._plans.seconds_per_draw.get(self._shape)
            seconds = min(_TASK_SECONDS, self.job.context.checkpoint_seconds)
            batches = 1 if pace is None else max(1, int(seconds / (pace * batch)))
            if last:
                batches = min(batches, math.ceil((stop - start) / (workers * batch)))
            self._assigned = min(stop, start + batches * batch)
            indices = range(start, self._assigned)
        check = None if count.check is None else count.check.part(indices)
        return CountDraws(self.job.draws, indices, count.classes, plan, check)

    def _plan_task(self) -> MakePlan | None:
        task = self.job.plan_task()
        if task.known is None and self._shape in self._plans.planning:
            return None
        self._plans.planning.add(self._shape)
        self._planning = True
        return task

    def handles(self, task: Task) -> tuple[Any, ...]:
        """Return the handles of the shared data that the task needs."""
        if not self._handles:
            self._handles.append(self._pool.share(self.input))
        hits = None if self._counting is None else self._counting.count.hits
        if hits is not None and len(self._handles) == 1:
            self._handles.append(self._pool.share(hits.candidate))
        return tuple(self._handles) if isinstance(task, CountDraws) else (self._handles[0],)

    def requeue(self, task: Task) -> None:
        """Requeue `task`, whose worker was lost."""
        if isinstance(task, MakePlan):
            self._planning = False
            if task.known is None:
                self._plans.planning.discard(self._shape)
        elif self._is_current(task):
            self._lost = sorted([*self._lost, task.indices], key=lambda indices: indices.start)

    def _is_current(self, task: Task) -> bool:
        """Return whether the count of `task` did not restart since, after batch dependence."""
        return (
            isinstance(task, CountDraws)
            and self._counting is not None
            and task.plan == self._counting.plan
        )

    def receive(self, task: Task, result: TaskResult) -> bool:
        """Process the result of a task; return whether it shows batch dependence, as the first."""
        value, context = result.value, self.job.context
        leaks = False
        if isinstance(value, BatchLeak):
            leaks = context.handle_leak()
        elif isinstance(value, Part):
            if self._is_current(task):
                self._plans.seconds_per_draw[self._shape] = result.seconds / len(value.indices)
                self._absorb(value)
        elif isinstance(value, CleanOutputs):
            leaks = value.plan.one_draw_per_pass and context.handle_leak()
            self._plans.known.setdefault(self._shape, value.plan)
            self.job.accept_outputs(value)
            self._start(ONE_DRAW_PLAN if self._plans.leaky else value.plan)
        else:
            if self._shape not in self._plans.known:
                self._plans.planning.discard(self._shape)
            self.ended = True
            context.skip(self.job.name, value)
        return leaks

    def _start(self, plan: ExecutionPlan) -> None:
        self.job.context.progress.advance(self.job.name, 0)
        self._counting = self.job.start_count(plan)
        self._finish_if_done(self._counting)

    def restart(self) -> None:
        """Restart a count that was made in batches, with one draw per pass."""
        if self._counting is None or self._counting.plan.one_draw_per_pass:
            return
        for handle in self._handles[1:]:  # candidate selected from batched draws
            self._pool.release(handle)
        self._handles = self._handles[:1]
        self._assigned, self._lost, self._out_of_order = 0, [], {}
        self._start(ONE_DRAW_PLAN)

    def _absorb(self, part: Part) -> None:
        counting = self._counting
        assert counting is not None
        self._out_of_order[part.indices.start] = part
        while not self.ended and counting.count.done in self._out_of_order:
            counting.count.absorb(self._out_of_order.pop(counting.count.done))
            counting.report_and_checkpoint()
            self._finish_if_done(counting)

    def _finish_if_done(self, counting: CheckpointedCount) -> None:
        """Finish the input if no draw is missing, or if an interim look stops it."""
        tally = counting.tally()
        if tally is not None:
            self.ended = True
            self.job.finish(tally, counting.plan)

    def checkpoint(self) -> None:
        """Write a checkpoint of the count."""
        if self._counting is not None:
            self._counting.checkpoint()

    def interrupt(self) -> None:
        """Write a checkpoint; with interim looks, finish with the votes at the last one."""
        if self._counting is not None:
            self._counting.checkpoint()
            tally = self._counting.tally_at_stop()
            if tally is not None:
                self.job.finish(tally, self._counting.plan)

    def release(self) -> None:
        """Release the shared data of this input."""
        for handle in self._handles:
            self._pool.release(handle)
