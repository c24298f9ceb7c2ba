"""Does a model answer for one draw alone, whatever else is in the batch?

The binomial test needs votes that are independent given the input. A model that lets batch mates
leak into each other (quantisation ranges over the batch, ties broken by position, random nodes)
breaks that without any visible sign, so it is tried before anything is certified.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from onnxcert._typing import Array, FloatArray, IntArray, Perturbation, Segmenter
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

_FEW: Final = 4  # draws in the probe of each input


class OneDrawPerPass:
    """A segmenter that shows the model one draw at a time."""

    def __init__(self, segment: Segmenter) -> None:
        self.segment = segment

    @property
    def at_once(self) -> int:
        """How many threads may call it at once."""
        return getattr(self.segment, "at_once", 1)

    @property
    def backend(self) -> Backend:
        """That of the model."""
        return getattr(self.segment, "backend", NUMPY)

    def bind(self, x: FloatArray, perturbation: Perturbation) -> tuple[Segmenter, Backend]:
        """See `onnxcert.model.segmenter.OnnxSegmenter`."""
        segment, backend = self.segment, self.backend
        if hasattr(segment, "bind"):
            segment, backend = segment.bind(x, perturbation)

        def one_by_one(batch: Array) -> Array:
            rows = [batch[i : i + 1] for i in range(batch.shape[0])]
            return backend.xp.concatenate([backend.labels(segment(row)) for row in rows])

        return one_by_one, backend

    def __call__(self, batch: FloatArray) -> IntArray:
        rows = [batch[i : i + 1] for i in range(len(batch))]
        return np.concatenate([checked(self.segment(row), 1) for row in rows])


def _scores(segment: Segmenter, batch: FloatArray, *, together: bool) -> FloatArray:
    """Of a classifier the scores [B, C] of all rows, in one pass or in one each; else none [0, 0].

    A classifier's draw has one label, which mostly stays what it is where scores are disturbed.
    """
    if isinstance(segment, OneDrawPerPass):
        segment, together = segment.segment, False
    if not isinstance(segment, OnnxSegmenter) or not segment.classifies:
        return np.empty((0, 0), dtype=np.float32)
    if together:
        return segment.scores(batch)
    return np.concatenate([segment.scores(batch[i : i + 1]) for i in range(len(batch))])


def _asked(segment: Segmenter, batch: FloatArray) -> IntArray:
    """Labels of `batch`, of which the segmenter gets a copy: a callable may overwrite it."""
    labels: IntArray = checked(segment(np.array(batch, order="C")), len(batch))
    return labels


def repeatable(segment: Segmenter, batch: FloatArray) -> bool:
    """Whether each row, given alone, gets the same answer every time."""
    rows = [batch[i : i + 1] for i in range(len(batch))]
    first, second = (_scores(segment, batch, together=False) for _ in range(2))
    return close(first, second) and all(
        np.array_equal(_asked(segment, row), _asked(segment, row)) for row in rows
    )


def batch_invariant(segment: Segmenter, batch: FloatArray) -> bool:
    """Whether every row gets the same answer alone, inside `batch`, and at another place in it."""
    alone = np.concatenate([_asked(segment, batch[i : i + 1]) for i in range(len(batch))])
    together = _asked(segment, batch)
    reordered = _asked(segment, batch[::-1])
    same = np.array_equal(together, alone) and np.array_equal(reordered[::-1], alone)
    scores = (_scores(segment, batch, together=together) for together in (True, False))
    return same and close(*scores)


def leaks(segment: Segmenter, x: FloatArray, draws: Draws, *, batch_size: int) -> bool:
    """Whether a batch of draws of `x` shows that batch mates matter; a small probe for each input.

    The large one (`probed`) runs for the first input of each shape, at the full batch size, and
    finds what depends on the size of a batch or on places in it: both are the graph's, and do not
    change with the values. A model may still leak for some inputs only. What then leaks are
    values of one draw into another (a range, a mean, a tie among rows), and any mate with other
    values shows it, before or behind it: three do, and the first and the last row are compared, so
    the probe costs six draws however large the batches are.
    """
    if batch_size == 1:
        return False
    rows = min(batch_size, _FEW)
    batch = rehearsed(segment, x, draws, rows)
    together = _asked(segment, batch)
    scores = _scores(segment, batch, together=True)
    alone = scores.copy()
    same = True
    for i in (0, rows - 1):  # the last has no mates behind it, the first none before it
        row = batch[i : i + 1]
        same &= np.array_equal(together[i : i + 1], _asked(segment, row))
        alone[i : i + 1] = _scores(segment, row, together=True)
    return not (same and close(scores, alone))


def rehearsed(segment: Segmenter, x: FloatArray, draws: Draws, rows: int) -> FloatArray:
    """So many noisy copies of `x`, in memory, by draws that are never counted."""
    backend: Backend = getattr(segment, "backend", NUMPY)
    batch = backend.inputs(rows, x.shape)
    draws.rehearsal().write(backend.device(x), range(rows), batch, backend)
    return np.array(backend.host(batch))


def probed(
    segment: Segmenter, x: FloatArray, draws: Draws, *, batch_size: int
) -> tuple[Segmenter, str]:
    """The segmenter to count with, and a warning if it must be slower than asked for.

    Uses draws that are never counted, so that the choice depends on none that are.

    Raises:
        ModelError: the model answers differently on the same input.
        ParameterError: the noise reached what must stay as it is.
    """
    draws.perturbation.check(x)
    batch = rehearsed(segment, x, draws, max(2, batch_size))
    if isinstance(segment, OnnxSegmenter):
        segment.entry.check_noise(x, batch[0], draws.perturbation)
    mixes = getattr(segment, "mixes_draws", False)
    if not mixes and batch_invariant(segment, batch) and repeatable(segment, batch[:2]):
        return segment, ""
    single = OneDrawPerPass(segment)
    if not repeatable(single, batch[:2]):
        raise ModelError(
            "the model answers differently when it sees the same input again, so its votes prove "
            "nothing; remove what is random in it and export it again."
        )
    return single, LEAKS
