"""Does a model answer for one draw alone, whatever else is in the batch?

The binomial test needs votes that are independent given the input. A model that lets batch mates
leak into each other (quantisation ranges over the batch, ties broken by position, random nodes)
breaks that without any visible sign, so it is tried before anything is certified. What only counted
draws show is found while they are counted (`onnxcert.sampling.leak_check`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Segmenter
from onnxcert.backend import NUMPY, Backend
from onnxcert.draws import Draws
from onnxcert.errors import ModelError
from onnxcert.model.running.answers import close
from onnxcert.model.running.session import LARGE_INPUT
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.sampling import checked

LEAKS: Final = (
    "the model's answer for one draw depends on the other draws of the batch, so it runs one draw "
    "per pass"
)

_ROWS: Final = 8  # draws, at least, whose answers in a batch and alone are compared


def _asked(segment: Segmenter, batch: FloatArray) -> IntArray:
    """Labels of `batch`, of which the segmenter gets a copy: a callable may overwrite it."""
    copy = batch if isinstance(segment, OnnxSegmenter) else np.array(batch, order="C")
    labels: IntArray = checked(segment(copy), len(batch))
    return labels


def _scored(segment: Segmenter) -> OnnxSegmenter | None:
    """The segmenter, if it has scores to look at."""
    return segment if isinstance(segment, OnnxSegmenter) and segment.scored else None


def _passes(batch: FloatArray, batch_size: int) -> Iterator[FloatArray]:
    return (batch[i : i + batch_size] for i in range(0, len(batch), batch_size))


def _alone(segment: Segmenter, batch: FloatArray, i: int) -> tuple[FloatArray, int]:
    """A pass in which row i of `batch` has no mates but itself, and its place there.

    On a device a pass of another number of rows may round otherwise.
    """
    if not getattr(segment, "on_device", False):
        return batch[i : i + 1], 0
    return np.repeat(batch[i : i + 1], len(batch), axis=0), i


def _same_labels(
    segment: Segmenter, batch: FloatArray, rows: Iterable[int], *answers: IntArray
) -> bool:
    """Whether these rows of `batch` have the same labels alone as in each of its answers."""
    for i in rows:
        noisy, place = _alone(segment, batch, i)
        alone = _asked(segment, noisy)[place]
        if not all(np.array_equal(alone, together[i]) for together in answers):
            return False
    return True


def repeatable(segment: Segmenter, batch: FloatArray) -> bool:
    """Whether each row, given alone, gets the same answer every time."""
    model = _scored(segment)
    return all(
        np.array_equal(_asked(segment, row), _asked(segment, row))
        and (model is None or close(model.scores(row), model.scores(row)))
        for row in _passes(batch, 1)
    )


def batch_invariant(segment: Segmenter, batch: FloatArray) -> bool:
    """Whether every row gets the same answer alone, inside `batch`, and at another place in it.

    On a device, where a row alone takes a whole pass, eight rows at most are tried.
    """
    rows = range(len(batch))
    if getattr(segment, "on_device", False):
        rows = rows[:: -(-len(batch) // _ROWS)]
    turned = _asked(segment, batch[::-1])[::-1]
    return _same_labels(segment, batch, rows, _asked(segment, batch), turned)


def leaks(segment: Segmenter, x: FloatArray, draws: Draws, *, batch_size: int) -> bool:
    """Whether a batch of draws of `x` shows that batch mates matter; a small probe for each input.

    The large one (`probed`) runs for the first input of each shape, at the full batch size, and
    finds what depends on the size of a batch or on places in it: both are the graph's, and do not
    change with the values. A model may still leak for some inputs only. Eight draws are shown in
    batches and alone, or more to fill the last batch. Their scores are compared, as labels mostly
    stay what they are where scores are disturbed; or where there are none their labels.
    """
    if batch_size == 1:
        return False
    size = min(batch_size, _ROWS)
    batch = rehearsed(segment, x, draws, size * -(-_ROWS // size))
    model = _scored(segment)
    if model is None:
        return not all(
            _same_labels(segment, part, range(size), _asked(segment, part))
            for part in _passes(batch, size)
        )
    for together in _passes(batch, size):
        passes = (_alone(model, together, i) for i in range(size))
        alone = np.stack([model.scores(noisy)[place] for noisy, place in passes])
        if not close(model.scores(together), alone):
            return True
    return False


def rehearsed(segment: Segmenter, x: FloatArray, draws: Draws, rows: int) -> FloatArray:
    """So many noisy copies of `x`, in memory, by draws that are never counted."""
    backend: Backend = getattr(segment, "backend", NUMPY)
    batch = backend.inputs(rows, x.shape)
    draws.rehearsal().write(backend.device(x), range(rows), batch, backend)
    host: FloatArray = backend.host(batch)
    return host if host is batch else np.array(host)


def probed(segment: Segmenter, x: FloatArray, draws: Draws, *, batch_size: int) -> tuple[int, str]:
    """Draws in one pass to count with, and a warning if they must be fewer than asked for.

    Uses draws that are never counted, so that the choice depends on none that are.

    Raises:
        ModelError: the model answers differently on the same input.
        ParameterError: the noise reached what must stay as it is.
    """
    draws.perturbation.check(x)
    # One draw a pass cannot leak, and two draws of a large input would be the largest pass.
    alone = batch_size == 1 and x.size > LARGE_INPUT
    batch = rehearsed(segment, x, draws, 1 if alone else max(2, batch_size))
    if isinstance(segment, OnnxSegmenter):
        segment.entry.check_noise(x, batch[0], draws.perturbation)
    if not repeatable(segment, batch[:2]):
        raise ModelError(
            "the model answers differently when it sees the same input again, so its votes prove "
            "nothing; remove what is random in it and export it again."
        )
    if alone:
        return 1, ""
    mixes = getattr(segment, "mixes_draws", False) or not batch_invariant(segment, batch)
    if mixes or leaks(segment, x, draws, batch_size=batch_size):
        return 1, LEAKS
    return batch_size, ""
