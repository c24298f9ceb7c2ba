"""Counting the draws of one input with checkpoints, so that little is lost by a stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onnxcert._typing import FloatArray
from onnxcert.model.runtime.passes import PassEnded
from onnxcert.results import ResultStore
from onnxcert.sampling import Count, LeakCheck, Segmenter, sample
from onnxcert.sampling.tally import Ended, Tally
from onnxcert.statistics.stopping import Forecast, InterimAnalysis


@dataclass(eq=False, kw_only=True)
class CheckpointedCount:
    """The count of one input, resumed from its checkpoint and saved regularly.

    Attributes:
        store: holds the checkpoint.
        name: name of the input.
        count: an empty count; then the current one.
        runtime: everything that predictions may depend on; a checkpoint of another is not used.
        others: other leak checks that the checkpoint may have; see `_resume`.
        checkpoint_seconds: seconds between checkpoints.
        looking: decides at each interim look whether to continue; None without looks.
        on_draws: receives the number of draws done.
        on_look: receives the conditional power at each interim look.
    """

    store: ResultStore
    name: str
    count: Count
    runtime: Mapping[str, str]
    other_checks: tuple[LeakCheck, ...]
    checkpoint_seconds: float
    interim_analysis: InterimAnalysis | None
    on_draws: Callable[[int], None]
    on_look: Callable[[Forecast], None]

    def __post_init__(self) -> None:
        self.count = self._resume(self.count)
        self._last_checkpoint = time.monotonic()

    def _resume(self, fresh: Count) -> Count:
        """Return the count of the checkpoint, or `fresh`.

        Before the stop, the run may have used batches with a leak check or one draw per pass, since
        this depends on measured speed. Draws with their own pass cannot leak, so the combined count
        needs only the check of its batches.
        """
        assert fresh.check is not None
        for check in (fresh.check, *self.other_checks):
            resumed = self.store.resume(fresh, self.name, self._add_check(check))
            if resumed.done:
                resumed.check = check if fresh.check.one_draw else fresh.check
                resumed.unit, resumed.kind = fresh.unit, fresh.kind
                return resumed
        return fresh

    def _add_check(self, check: LeakCheck | None) -> dict[str, str]:
        return {**self.runtime, "leak_check": "" if check is None else check.key}

    def count_remaining(
        self, segment: Segmenter, x: FloatArray, batch_size: int, stopping: Callable[[], bool]
    ) -> Tally:
        """Count the remaining draws in this process and return the tally.

        Args:
            segment: the model.
            x: the input.
            batch_size: draws per forward pass.
            stopping: called after every batch; True writes a checkpoint and stops.

        Raises:
            KeyboardInterrupt: stopped before the first interim look; after a look, the votes at the
                last look are returned instead.
        """

        def after_batch(count: Count) -> None:
            self.report_and_checkpoint()
            if stopping() and count.done < count.total:
                self.checkpoint()
                raise KeyboardInterrupt

        try:
            return sample(
                segment,
                x,
                self.count,
                batch_size=batch_size,
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
        self.on_draws(self.count.done)
        if time.monotonic() - self._last_checkpoint >= self.checkpoint_seconds:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write a checkpoint, unless no draws or all draws are counted."""
        if not 0 < self.count.done < self.count.total:
            return
        self.store.checkpoint(self.name, self.count, self._add_check(self.count.check))
        self._last_checkpoint = time.monotonic()

    def tally_at_stop(self) -> Tally | None:
        """Return the votes at the last interim look, or None if there was none."""
        if not self.count.path:
            return None
        return self.count.tally_at_last_look("interrupted")

    def _look(self, tally: Tally) -> Ended:
        if self.interim_analysis is None:
            return ""
        if not self.store.has_votes:
            self.checkpoint()  # before anybody sees the votes
        ended = self.interim_analysis.analyse(tally)
        if self.interim_analysis.forecast is not None:
            self.on_look(self.interim_analysis.forecast)
        return ended
