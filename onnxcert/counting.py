"""Count the draws of one input so that a stop, planned or not, loses little."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from onnxcert._typing import FloatArray, Segmenter
from onnxcert.decision.stopping import Looking, Outlook
from onnxcert.result import Ended, Tally
from onnxcert.sampling import Count, sample
from onnxcert.store import ResultStore


def counted(
    store: ResultStore,
    name: str,
    segment: Segmenter,
    x: FloatArray,
    fresh: Count,
    *,
    runtime: Mapping[str, str],
    batch_size: int,
    unit: str,
    kind: str,
    checkpoint_seconds: float,
    looking: Looking | None,
    on_batch: Callable[[int], None],
    on_look: Callable[[Outlook], None],
    stopping: Callable[[], bool],
) -> Tally:
    """The tally of the input `name`, gone on with where it was stopped.

    Args:
        store: keeps the count on the way.
        segment: the model.
        x: the input.
        fresh: a count that has not begun.
        runtime: what the model's answers may depend on; a count made on another starts again.
        batch_size: draws per pass.
        unit, kind: of the tally.
        checkpoint_seconds: how often the count is kept.
        looking: decides at each look whether to go on; None without looks.
        on_batch: told the number of draws done after every batch.
        on_look: told at every look how far the input has come.
        stopping: asked after every batch; True keeps the count and raises KeyboardInterrupt, or
            ends with the votes at the last look where there was one.
    """
    kept = time.monotonic()
    count = store.resume(fresh, name, runtime)

    def after(count: Count) -> None:
        nonlocal kept
        on_batch(count.done)
        stop = stopping()
        due = time.monotonic() - kept >= checkpoint_seconds
        if (due or stop) and count.done < count.total:
            store.checkpoint(name, count, runtime)
            kept = time.monotonic()
        if stop and count.done < count.total:
            raise KeyboardInterrupt

    def look(tally: Tally) -> Ended:
        if looking is None:
            return ""
        if not store.begun:
            store.checkpoint(name, count, runtime)  # before anybody sees how the votes fall
        ended = looking.at_look(tally)
        if looking.outlook is not None:
            on_look(looking.outlook)
        return ended

    try:
        return sample(
            segment,
            x,
            count,
            batch_size=batch_size,
            unit=unit,
            kind=kind,
            on_batch=after,
            on_look=look,
        )
    except KeyboardInterrupt:
        if not count.path:
            raise
        return count.tally_at_last_look("interrupted", unit, kind)
