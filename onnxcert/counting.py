"""Count the draws of one input so that a stop, planned or not, loses little."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onnxcert._typing import FloatArray, Segmenter
from onnxcert.decision.stopping import Looking, Outlook
from onnxcert.model.running.passes import PassEnded
from onnxcert.result import Ended, Tally
from onnxcert.sampling import Count, LeakCheck, sample
from onnxcert.store import ResultStore


@dataclass(eq=False, kw_only=True)
class Counting:
    """The count of one input, gone on with where it was stopped and kept on the way.

    Attributes:
        store: keeps the count. name: of the input.
        count: one that has not begun; then the one under way.
        runtime: what the model's answers may depend on; a count made on another starts again.
        others: leak checks that the kept count may have been made with; see `_gone_on`.
        unit, kind: of the tally.
        checkpoint_seconds: how often the count is kept.
        looking: decides at each look whether to go on; None without looks.
        on_draws: told the number of draws done.
        on_look: told at every look how far the input has come.
    """

    store: ResultStore
    name: str
    count: Count
    runtime: Mapping[str, str]
    others: tuple[LeakCheck, ...]
    unit: str
    kind: str
    checkpoint_seconds: float
    looking: Looking | None
    on_draws: Callable[[int], None]
    on_look: Callable[[Outlook], None]

    def __post_init__(self) -> None:
        self.count = self._gone_on(self.count)
        self._kept = time.monotonic()

    def _gone_on(self, fresh: Count) -> Count:
        """The kept count, or `fresh`.

        Before the stop, the run may have chosen batches with a leak check or one draw per pass, as
        this depends on measured speed. A draw with its own pass cannot leak, so the combined count
        has the check of its batches.
        """
        assert fresh.check is not None
        for check in (fresh.check, *self.others):
            found = self.store.resume(fresh, self.name, self._made_with(check))
            if found.done:
                found.check = check if fresh.check.one_draw else fresh.check
                return found
        return fresh

    def _made_with(self, check: LeakCheck | None) -> dict[str, str]:
        return {**self.runtime, "leak_check": "" if check is None else check.key}

    def sampled(
        self, segment: Segmenter, x: FloatArray, batch_size: int, stopping: Callable[[], bool]
    ) -> Tally:
        """Count here what is missing; the tally.

        Args:
            segment: the model. x: the input.
            stopping: asked after every batch; True keeps the count and raises KeyboardInterrupt, or
                ends with the votes at the last look where there was one.
        """

        def after(count: Count) -> None:
            self.advanced()
            if stopping() and count.done < count.total:
                self.keep()
                raise KeyboardInterrupt

        try:
            return sample(
                segment,
                x,
                self.count,
                batch_size=batch_size,
                unit=self.unit,
                kind=self.kind,
                on_batch=after,
                on_look=self._look,
            )
        except KeyboardInterrupt as stop:
            if isinstance(stop, PassEnded):  # between two batches: the count is whole
                self.keep()
            tally = self.interrupted()
            if tally is None:
                raise
            return tally

    def tally(self) -> Tally | None:
        """The tally, once nothing is missing or a look says so; to be asked after each part."""
        count = self.count
        if count.at_look and count.done < count.total:
            ended = self._look(count.tally_at_last_look("", self.unit, self.kind))
            return count.tally_at_last_look(ended, self.unit, self.kind) if ended else None
        return count.tally(self.unit, self.kind) if count.done == count.total else None

    def advanced(self) -> None:
        """Draws were counted: tell of it, and keep them if it is time."""
        self.on_draws(self.count.done)
        if time.monotonic() - self._kept >= self.checkpoint_seconds:
            self.keep()

    def keep(self) -> None:
        """Keep the count on disk, where any draws are counted and more are to come."""
        if not 0 < self.count.done < self.count.total:
            return
        self.store.checkpoint(self.name, self.count, self._made_with(self.count.check))
        self._kept = time.monotonic()

    def interrupted(self) -> Tally | None:
        """The votes at the last look, if one was taken."""
        if not self.count.path:
            return None
        return self.count.tally_at_last_look("interrupted", self.unit, self.kind)

    def _look(self, tally: Tally) -> Ended:
        if self.looking is None:
            return ""
        if not self.store.begun:
            self.keep()  # before anybody sees how the votes fall
        ended = self.looking.at_look(tally)
        if self.looking.outlook is not None:
            self.on_look(self.looking.outlook)
        return ended
