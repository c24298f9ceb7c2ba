"""Counts of some draws of one input; disjoint parts add up to the whole.

Draw i is a pure function of seed, input and i, so it does not matter which worker counts it, when,
or after how many attempts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Segmenter
from onnxcert.errors import ParameterError
from onnxcert.sampling.backend import NUMPY, Backend
from onnxcert.sampling.batches import run_draws
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.hits import Hits, smallest_counter
from onnxcert.sampling.leak_check import LeakCheck


@dataclass(frozen=True, eq=False)
class Part:
    """Counts of the draws `indices`, in memory.

    Attributes:
        draws: draws of the input.
        indices: the counted draws.
        invalid: number of invalid labels.
        single: labels of the first of these draws, [*grid].
        votes: votes per class [classes, *grid], for selection draws.
        hits: votes for the candidate, for all other draws.
    """

    draws: Draws
    indices: range
    invalid: int
    single: IntArray
    votes: IntArray | None = None
    hits: Hits | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the components."""
        return self.single.shape


def count_part(
    segment: Segmenter,
    x: FloatArray,
    draws: Draws,
    indices: range,
    *,
    classes: int,
    candidate: IntArray | None = None,
    batch_size: int = 1,
    backend: Backend = NUMPY,
    check: LeakCheck | None = None,
) -> Part:
    """Run the draws `indices` and count them.

    Args:
        segment: the model.
        x: the input, float32, without a batch axis.
        draws: draws of this input.
        indices: at least one draw, in steps of 1.
        classes: number of classes.
        candidate: candidate classes [*grid]; None counts the votes for every class.
        batch_size: draws per pass; the counts do not depend on it.
        backend: draws noise and counts votes.
        check: the draws to run again alone.

    Raises:
        BatchLeak: such a draw then has other labels.
    """
    if not indices or indices.step != 1:
        raise ParameterError(
            f"a part must have at least one draw, and consecutive draws, got {indices}."
        )
    counter = smallest_counter(len(indices))
    single, votes, hits, invalid = None, None, None, 0
    if candidate is not None:
        hits = Hits.empty(draws, backend.device(candidate), len(indices), backend)
    done = indices.start
    for answer in run_draws(segment, x, draws, indices, batch_size, backend, check):
        if single is None:
            single = np.array(backend.host(backend.labels(answer[:1])[0]))
        if hits is not None:
            rows = range(done, done + answer.shape[0])
            invalid = invalid + hits.add(answer, rows, backend, classes)
        else:
            if votes is None:
                votes = backend.xp.zeros((classes, *answer.shape[1:]), dtype=counter)
            invalid = invalid + backend.select(answer, votes)
        done += answer.shape[0]
    assert single is not None
    return Part(
        draws,
        indices,
        int(invalid),
        single,
        votes=None if votes is None else backend.host(votes),
        hits=None if hits is None else hits.on(NUMPY, backend),
    )
