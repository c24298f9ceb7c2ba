"""Counting the draws of one input with checkpoints, so that little is lost by a stop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import final

from onnxcert._typing import FloatArray
from onnxcert.model.runtime.passes import PassEnded
from onnxcert.model.tuning.execution_plan import ExecutionPlan
from onnxcert.run.context import RunContext
from onnxcert.run.provenance import hash_parameters
from onnxcert.sampling import Count, LeakCheck, sample
from onnxcert.sampling.tally import Ended, Tally


@final
class CheckpointedCount:
    """The count of one input, resumed from its checkpoint and saved regularly.

    Args:
        context: what the jobs of the run share.
        name: name of the input.
        fresh: an empty count with its leak check.
        plan: execution plan of the draws.
        checks: leak checks that a checkpoint may have, that of `fresh` first.

    Attributes:
        count: the current count.
        plan: execution plan of the draws.
    """

    def __init__(
        self,
        context: RunContext,
        name: str,
        fresh: Count,
        plan: ExecutionPlan,
        checks: Sequence[LeakCheck],
    ) -> None:
        self.plan = plan
        self._context, self._name, self._store = context, name, context.store
        self._analysis = context.settings.interim_analysis()
        # Everything that predictions may depend on; a checkpoint of another runtime is not used.
        self._runtime = {
            "provider": context.runtime.provider,
            "onnxruntime": context.runtime.version,
            "one_draw_per_pass": str(plan.one_draw_per_pass),
            "asked": hash_parameters(context.parameters),
        }
        self.count = self._resume(fresh, checks)
        self._last_checkpoint = time.monotonic()

    def _resume(self, fresh: Count, checks: Sequence[LeakCheck]) -> Count:
        """Return the count of the checkpoint, or `fresh`.

        Before the stop, the run may have used batches with a leak check or one draw per pass, since
        this depends on measured speed. Draws with their own pass cannot leak, so the combined count
        needs only the check of its batches.
        """
        for check in checks:
            resumed = self._store.resume(fresh, self._name, self._add_check(check))
            if resumed.done:
                resumed.check = check if checks[0].one_draw else checks[0]
                resumed.unit, resumed.kind = fresh.unit, fresh.kind
                self._context.progress.listener.report_status(
                    f"{self._name}: {resumed.done} of {resumed.total} draws are restored"
                )
                return resumed
        return fresh

    def _add_check(self, check: LeakCheck | None) -> dict[str, str]:
        return {**self._runtime, "leak_check": "" if check is None else check.key}

    def count_remaining(self, x: FloatArray) -> Tally:
        """Count the remaining draws of the input `x` in this process and return the tally.

        Raises:
            KeyboardInterrupt: stopped before the first interim look; after a look, the votes at the
                last look are returned instead.
        """

        def after_batch(count: Count) -> None:
            self.report_and_checkpoint()
            if self._context.stopping() and count.done < count.total:
                self.checkpoint()
                raise KeyboardInterrupt

        try:
            return sample(
                self._context.segmenter,
                x,
                self.count,
                batch_size=self.plan.batch.draws,
                on_batch=after_batch,
                on_look=self._look,
            )
        except KeyboardInterrupt as stop:
            if isinstance(stop, PassEnded):  # between two batches: the count is consistent
                self.checkpoint()
            tally = self.tally_at_stop()
            if tally is None:
                raise
            return tally

    def tally(self) -> Tally | None:
        """Return the tally if all draws are counted or a look ends it, else None.

        Call this after each part, because it takes the interim look that is due.
        """
        count = self.count
        if count.at_look and count.done < count.total:
            ended = self._look(count.tally_at_last_look(""))
            return count.tally_at_last_look(ended) if ended else None
        return count.tally() if count.done == count.total else None

    def report_and_checkpoint(self) -> None:
        """Report the number of draws, and write a checkpoint if one is due."""
        self._context.progress.advance(self._name, self.count.done)
        if time.monotonic() - self._last_checkpoint >= self._context.checkpoint_seconds:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write a checkpoint, unless no draws or all draws are counted."""
        if not 0 < self.count.done < self.count.total:
            return
        self._store.checkpoint(self._name, self.count, self._add_check(self.count.check))
        self._last_checkpoint = time.monotonic()

    def tally_at_stop(self) -> Tally | None:
        """Return the votes at the last interim look, or None if there was none."""
        if not self.count.path:
            return None
        return self.count.tally_at_last_look("interrupted")

    def _look(self, tally: Tally) -> Ended:
        if self._analysis is None:
            return ""
        if not self._store.has_votes:
            self.checkpoint()  # before anybody sees the votes
        ended = self._analysis.analyse(tally)
        if self._analysis.forecast is not None:
            self._context.progress.listener.report_status(self._analysis.forecast.describe())
        return ended
