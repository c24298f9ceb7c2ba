"""Count the draws of one input so that a stop, planned or not, loses little."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from onnxcert._typing import FloatArray, Segmenter
from onnxcert.result import Tally
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
    on_batch: Callable[[int], None],
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
        on_batch: told the number of draws done after every batch.
        stopping: asked after every batch; True keeps the count and raises KeyboardInterrupt.
    """
    kept = time.monotonic()

    def after(count: Count) -> None:
        nonlocal kept
        on_batch(count.done)
        stop = stopping()
        due = time.monotonic() - kept >= checkpoint_seconds
        if (due or stop) and count.done < count.total:
            store.checkpoint(name, count, runtime)
            kept = time.monotonic()
        if stop:
            raise KeyboardInterrupt

    return sample(
        segment,
        x,
        store.resume(fresh, name, runtime),
        batch_size=batch_size,
        unit=unit,
        kind=kind,
        on_batch=after,
    )
