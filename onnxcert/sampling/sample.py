"""Perturb, run the model, count votes; independent of ONNX, images and statistics."""

from __future__ import annotations

from collections.abc import Callable

from onnxcert._typing import FloatArray, Segmenter
from onnxcert.errors import ParameterError
from onnxcert.sampling.batches import run_draws
from onnxcert.sampling.count import Count
from onnxcert.sampling.draws import digest
from onnxcert.sampling.tally import PIXELS, UNIT, Ended, Tally


def sample(
    segment: Segmenter,
    x: FloatArray,
    count: Count,
    *,
    batch_size: int = 1,
    unit: str = UNIT,
    kind: str = PIXELS,
    on_batch: Callable[[Count], None] | None = None,
    on_look: Callable[[Tally], Ended] | None = None,
) -> Tally:
    """Run the draws that `count` still lacks and return the tally.

    Args:
        segment: the model.
        x: one input, float32, without a batch axis.
        count: a new count, or one to resume; its backend draws and counts.
        batch_size: draws per pass; the tally does not depend on it.
        unit: unit of `x`, as text.
        kind: name of the components.
        on_batch: called after every batch, for progress or a checkpoint.
        on_look: called at every look with the votes so far; returns a reason to stop, or nothing.

    Raises:
        BatchLeak: a draw of `count.check` has other labels when it is run alone.
    """
    if digest(x) != count.draws.digest:
        raise ParameterError("the count belongs to another input; use one count per input.")

    def look() -> Ended:
        return "" if on_look is None else on_look(count.tally_at_last_look("", unit, kind))

    if count.at_look and count.done < count.total and (ended := look()):
        return count.tally_at_last_look(ended, unit, kind)  # interrupted just before this look
    while count.done < count.total:
        indices = range(count.done, count.next_stop)
        for answer in run_draws(
            segment, x, count.draws, indices, batch_size, count.backend, count.check
        ):
            count.add(answer)
            if on_batch is not None:
                on_batch(count)
        if count.at_look and (ended := look()):
            return count.tally_at_last_look(ended, unit, kind)
    return count.tally(unit, kind)
