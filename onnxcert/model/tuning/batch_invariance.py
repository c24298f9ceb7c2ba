"""Batch-invariance check: whether a model's output for one draw depends on the rest of its batch.

The binomial test needs votes that are independent given the input. A model whose rows influence
each other (quantisation ranges over the batch, ties broken by position, random nodes) violates this
without a visible sign, so it is checked before anything is certified. What only counted draws show
is found while they are counted (`onnxcert.sampling.leak_check`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.network.output_checks import scores_agree
from onnxcert.model.runtime.session import LARGE_INPUT
from onnxcert.sampling import Segmenter, check_output
from onnxcert.sampling.draws import Draws

LEAK_WARNING: Final = (
    "the model's output for one draw depends on the other draws of the batch, so it runs one draw "
    "per pass"
)

_ROWS: Final = 8  # least number of draws to compare in a batch and alone


def _label(segment: Segmenter, batch: FloatArray) -> IntArray:
    labels: IntArray = check_output(segment(batch), len(batch))
    return labels


def _passes(batch: FloatArray, batch_size: int) -> Iterator[FloatArray]:
    return (batch[i : i + batch_size] for i in range(0, len(batch), batch_size))


def _alone(segment: Segmenter, batch: FloatArray, i: int) -> tuple[FloatArray, int]:
    """Return a batch in which row i of `batch` is alone, and its row there.

    On a device a batch of another size may round differently, so the row is repeated.
    """
    if not segment.on_device:
        return batch[i : i + 1], 0
    return np.repeat(batch[i : i + 1], len(batch), axis=0), i


def _same_labels(
    segment: Segmenter, batch: FloatArray, rows: Iterable[int], *answers: IntArray
) -> bool:
    """Return whether these rows of `batch` have the same labels alone as in each of `answers`."""
    for i in rows:
        noisy, row = _alone(segment, batch, i)
        alone = _label(segment, noisy)[row]
        if not all(np.array_equal(alone, together[i]) for together in answers):
            return False
    return True


def is_repeatable(segment: Segmenter, batch: FloatArray) -> bool:
    """Return whether each row, run alone, gets the same output every time."""
    return all(
        np.array_equal(_label(segment, row), _label(segment, row))
        and (not segment.scored or scores_agree(segment.scores(row), segment.scores(row)))
        for row in _passes(batch, 1)
    )


def is_batch_invariant(segment: Segmenter, batch: FloatArray) -> bool:
    """Return whether every row gets the same labels alone, in `batch`, and at another position.

    On a device, where a row alone takes a whole pass, at most eight rows are tried.
    """
    rows = range(len(batch))
    if segment.on_device:
        rows = rows[:: -(-len(batch) // _ROWS)]
    turned = _label(segment, batch[::-1])[::-1]
    return _same_labels(segment, batch, rows, _label(segment, batch), turned)


def is_batch_dependent(segment: Segmenter, x: FloatArray, draws: Draws, *, batch_size: int) -> bool:
    """Return whether the output for a draw of `x` depends on its batch; a short check per input.

    The full check (`check_batch_invariance`) runs for the first input of each shape, with the full
    batch size. It finds dependence on the batch size or on positions, which are properties of the
    graph and not of the values. A model may still be batch-dependent for some inputs only. At
    least eight draws, up to a full last batch, are run in batches and alone. Scores are compared,
    because labels often stay the same when scores change; without scores, labels are compared.
    """
    if batch_size == 1:
        return False
    size = min(batch_size, _ROWS)
    batch = draw_warm_up(segment, x, draws, size * -(-_ROWS // size))
    if not segment.scored:
        return not all(
            _same_labels(segment, part, range(size), _label(segment, part))
            for part in _passes(batch, size)
        )
    for together in _passes(batch, size):
        passes = (_alone(segment, together, i) for i in range(size))
        alone = np.stack([segment.scores(noisy)[row] for noisy, row in passes])
        if not scores_agree(segment.scores(together), alone):
            return True
    return False


def check_stateless(
    segment: Segmenter, batch: FloatArray, before: IntArray | None = None
) -> IntArray:
    """Check that each row of `batch` keeps its labels, whatever ran before it; return the labels.

    An ONNX graph keeps no state between passes. A function may, and then its votes depend on each
    other even with one draw per pass.

    Args:
        segment: the model.
        batch: noisy inputs.
        before: labels of an earlier check of the same batch, e.g. before the count.

    Raises:
        ModelError: a row got other labels.
    """
    rows = list(_passes(batch, 1))
    first = np.concatenate([_label(segment, row) for row in rows])
    again = np.concatenate([_label(segment, row) for row in rows[::-1]])[::-1]
    for other in (again, first if before is None else before):
        if not np.array_equal(first, other):
            raise ModelError(
                "the model gives different outputs for the same input: it keeps state between "
                "calls or is random, so its votes prove nothing; pass a function of its input "
                "alone."
            )
    return first


def draw_warm_up(segment: Segmenter, x: FloatArray, draws: Draws, rows: int) -> FloatArray:
    """Return `rows` noisy copies of `x` in memory, from warm-up draws, which are never counted."""
    backend = segment.backend
    batch = backend.inputs(rows, x.shape)
    draws.warm_up_draws().write(backend.device(x), range(rows), batch, backend)
    host: FloatArray = backend.host(batch)
    return host if host is batch else np.array(host)


def check_batch_invariance(
    segment: Segmenter, x: FloatArray, draws: Draws, *, batch_size: int
) -> tuple[int, str]:
    """Check batch invariance; return the batch size to count with, and a warning if it is reduced.

    Uses warm-up draws only, so that the result does not depend on counted draws.

    Raises:
        ModelError: the model gives different outputs for the same input.
        ParameterError: the noise changed a channel that must stay unchanged.
    """
    # Batch size 1 cannot leak, and two draws of a large input would be the largest pass.
    alone = batch_size == 1 and x.size > LARGE_INPUT
    batch = draw_warm_up(segment, x, draws, 1 if alone else max(2, batch_size))
    segment.check_noise(x, batch[0], draws.perturbation)
    if not is_repeatable(segment, batch[:2]):
        raise ModelError(
            "the model gives different outputs for the same input, so its votes prove nothing; "
            "remove random operators and export it again."
        )
    if alone:
        return 1, ""
    mixes = segment.mixes_draws or not is_batch_invariant(segment, batch)
    if mixes or is_batch_dependent(segment, x, draws, batch_size=batch_size):
        return 1, LEAK_WARNING
    return batch_size, ""
