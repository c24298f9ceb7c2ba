"""Does a model answer for one draw alone, whatever else is in the batch?

The binomial test needs votes that are independent given the input. A model that lets batch mates
leak into each other (quantisation ranges over the batch, ties broken by position, random nodes)
breaks that without any visible sign, so it is tried before anything is certified. What only counted
draws show is found while they are counted (`onnxcert.sampling.leak_check`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Segmenter
from onnxcert.backend import NUMPY, Backend
from onnxcert.draws import Draws
from onnxcert.errors import ModelError
from onnxcert.model.running.answers import close
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.sampling import checked

LEAKS: Final = (
    "the model's answer for one draw depends on the other draws of the batch, so it runs one draw "
    "per pass"
)

_ROWS: Final = 8  # draws, at least, whose answers in a batch and alone are compared


def _asked(segment: Segmenter, batch: FloatArray) -> IntArray:
    """Labels of `batch`, of which the segmenter gets a copy: a callable may overwrite it."""
    labels: IntArray = checked(segment(np.array(batch, order="C")), len(batch))
    return labels


def _scores(segment: Segmenter, batch: FloatArray) -> FloatArray:
    """Scores of `batch`; where there are none, [B, 0]."""
    if isinstance(segment, OnnxSegmenter) and segment.scored:
        return segment.scores(batch)
    return np.empty((len(batch), 0), dtype=np.float32)


def _passes(batch: FloatArray, batch_size: int) -> Iterator[FloatArray]:
    return (batch[i : i + batch_size] for i in range(0, len(batch), batch_size))


def repeatable(segment: Segmenter, batch: FloatArray) -> bool:
    """Whether each row, given alone, gets the same answer every time."""
    return all(
        close(_scores(segment, row), _scores(segment, row))
        and np.array_equal(_asked(segment, row), _asked(segment, row))
        for row in _passes(batch, 1)
    )


def batch_invariant(segment: Segmenter, batch: FloatArray) -> bool:
    """Whether every row gets the same answer alone, inside `batch`, and at another place in it."""
    alone = np.concatenate([_asked(segment, row) for row in _passes(batch, 1)])
    together = _asked(segment, batch)
    reordered = _asked(segment, batch[::-1])
    return np.array_equal(together, alone) and np.array_equal(reordered[::-1], alone)


def scores_invariant(segment: Segmenter, batch: FloatArray, batch_size: int) -> bool:
    """Whether every row has the same scores alone and in passes of `batch_size`.

    Labels mostly stay what they are where scores are disturbed.
    """
    return all(
        close(
            _scores(segment, together),
            np.concatenate([_scores(segment, row) for row in _passes(together, 1)]),
        )
        for together in _passes(batch, batch_size)
    )


def leaks(segment: Segmenter, x: FloatArray, draws: Draws, *, batch_size: int) -> bool:
    """Whether a batch of draws of `x` shows that batch mates matter; a small probe for each input.

    The large one (`probed`) runs for the first input of each shape, at the full batch size, and
    finds what depends on the size of a batch or on places in it: both are the graph's, and do not
    change with the values. A model may still leak for some inputs only. Eight draws are shown in
    batches and alone, or more to fill the last batch; their scores are compared, or where there are
    none their labels.
    """
    if batch_size == 1:
        return False
    size = min(batch_size, _ROWS)
    batch = rehearsed(segment, x, draws, size * -(-_ROWS // size))
    if isinstance(segment, OnnxSegmenter) and segment.scored:
        return not scores_invariant(segment, batch, size)
    alone = np.concatenate([_asked(segment, row) for row in _passes(batch, 1)])
    together = np.concatenate([_asked(segment, part) for part in _passes(batch, size)])
    return not np.array_equal(together, alone)


def rehearsed(segment: Segmenter, x: FloatArray, draws: Draws, rows: int) -> FloatArray:
    """So many noisy copies of `x`, in memory, by draws that are never counted."""
    backend: Backend = getattr(segment, "backend", NUMPY)
    batch = backend.inputs(rows, x.shape)
    draws.rehearsal().write(backend.device(x), range(rows), batch, backend)
    return np.array(backend.host(batch))


def probed(segment: Segmenter, x: FloatArray, draws: Draws, *, batch_size: int) -> tuple[int, str]:
    """Draws in one pass to count with, and a warning if they must be fewer than asked for.

    Uses draws that are never counted, so that the choice depends on none that are.

    Raises:
        ModelError: the model answers differently on the same input.
        ParameterError: the noise reached what must stay as it is.
    """
    draws.perturbation.check(x)
    batch = rehearsed(segment, x, draws, max(2, batch_size))
    if isinstance(segment, OnnxSegmenter):
        segment.entry.check_noise(x, batch[0], draws.perturbation)
    if not repeatable(segment, batch[:2]):
        raise ModelError(
            "the model answers differently when it sees the same input again, so its votes prove "
            "nothing; remove what is random in it and export it again."
        )
    mixes = getattr(segment, "mixes_draws", False) or not batch_invariant(segment, batch)
    if mixes or leaks(segment, x, draws, batch_size=batch_size):
        return 1, LEAKS
    return batch_size, ""
