"""How many draws a model is shown in one pass, found by trying.

Small batches are the fastest for many networks on a processor, as activations stay in its cache;
for tiny inputs and on a GPU what a pass costs by itself counts for more, and large batches win.
Only a trial tells. Tallies do not depend on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from onnxcert._typing import FloatArray, Segmenter
from onnxcert.draws import Draws
from onnxcert.errors import ModelError
from onnxcert.labelling import checked
from onnxcert.model.memory import HostMemory, Memory
from onnxcert.model.segmenter import OnnxSegmenter

# About 2 MB of pixels in a batch: more falls out of the processor's cache and mostly gains nothing.
_GUESSED_VALUES: Final = 2**19
_GUESSED_MOST: Final = 8

_SHARE: Final = 0.03  # of the draws to come, at most this many are spent on trying
_GAIN: Final = 0.04  # of the time of a draw, that a batch of twice the size must save
_MEMORY: Final = 0.5  # of what is free, at most this much is taken by a larger batch
_PASS_SECONDS: Final = 1.0  # longer passes gain nothing, and a stop waits for the end of one
_TRIAL_SECONDS: Final = 0.01  # of timing, where passes are short
_PASSES_EACH: Final = 4  # fewer passes leave no noise to draw while the model runs
_MOST: Final = 512


@final
@dataclass(frozen=True)
class BatchSize:
    """Draws in one pass, and why so many, in a few words."""

    draws: int
    why: str


def guessed(values: int) -> int:
    """Draws per pass where the model sees so many values: 1 for large inputs, 8 for small."""
    return int(min(_GUESSED_MOST, max(1, _GUESSED_VALUES // values)))


def batch_size_for(
    segment: Segmenter,
    x: FloatArray,
    draws: Draws,
    *,
    each: int,
    inputs: int = 1,
    memory: Memory | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> BatchSize:
    """How many draws to give the model in one pass, for inputs like `x`.

    One, two, four, ... draws are timed while a draw gets cheaper by a few per cent. What is tried
    are rehearsal draws, which are never counted. Trying takes at most 3 % as many draws as there
    are to come, so with few it is not tried but guessed by the size of the input.

    A pass of twice as many draws takes at most twice of all the memory that is taken now; where
    that is more than half of what is free, it is not tried.

    Args:
        segment: the model, which has answered for such an input before.
        x: one declared input, float32, without a batch axis.
        draws: of the input.
        each: draws of one input; inputs: how many inputs like it are to come.
        memory: where the passes run; this machine's if not given.
        clock: seconds, from any start.
    """
    memory = memory or HostMemory()
    rows = segment.rows if isinstance(segment, OnnxSegmenter) else None
    if rows is not None:
        return BatchSize(rows, "the model takes just so many")
    values = max(x.size, segment.values(x.shape) if isinstance(segment, OnnxSegmenter) else 0)
    most = max(1, min(_MOST, each // _PASSES_EACH))
    guess = BatchSize(min(guessed(values), most), "by the size of the input")
    if getattr(segment, "mixes_draws", False):
        return guess
    left = int(_SHARE * each * inputs)
    if left < _spent(1) + _spent(2):
        return guess
    trial = _Trial(segment, x, draws.rehearsal(), clock)
    best, seconds = 1, trial.seconds_a_draw(1, left)
    left -= trial.spent
    size = 2
    why = "more do not make a draw cheaper"
    while True:
        if size > most:
            why = "an input has too few draws for more"
        elif left < _spent(size):
            why = "too few draws are to come to try more"
        elif 2 * best * seconds > _PASS_SECONDS:
            why = "a pass of more would take long"
        elif not _fits(memory, trial.bytes(size)):
            why = "memory may not do for more"
        else:
            try:
                now = trial.seconds_a_draw(size, left)
            except ModelError:
                return BatchSize(best, "the model fails on more")
            left -= trial.spent
            if now <= (1.0 - _GAIN) * seconds:
                best, seconds, size = size, now, 2 * size
                continue
        return BatchSize(best, f"{1e3 * seconds:.3g} ms a draw; {why}")


def _spent(size: int) -> int:
    """The fewest draws that a trial of this size takes: one pass to warm up, one to time."""
    return 2 * size


def _fits(memory: Memory, buffers: int) -> bool:
    """Whether a pass of twice as many draws as the last one stays within the memory."""
    free, held = memory.free(), memory.held()
    if free is None:
        return buffers <= 16 * _GUESSED_VALUES  # nobody says: a few times what was guessed
    return max(buffers, held or buffers) <= _MEMORY * free


class _Trial:
    """Times passes over rehearsal draws.

    Attributes:
        spent: draws that the last timing took.
    """

    def __init__(
        self, segment: Segmenter, x: FloatArray, draws: Draws, clock: Callable[[], float]
    ) -> None:
        self._segment, self._x, self._draws, self._clock = segment, x, draws, clock
        self.spent = 0

    def bytes(self, size: int) -> int:
        """Of the arrays that such a batch itself needs: two of noise, and as much for answers."""
        return 3 * size * self._x.nbytes

    def seconds_a_draw(self, size: int, left: int) -> float:
        """The shortest of a few passes, over `size`; takes at most `left` draws, or two passes."""
        batch = np.empty((size, *self._x.shape), dtype=np.float32)
        self._draws.write(self._x, range(size), batch)
        self._pass(batch)
        took = [self._pass(batch)]
        while sum(took) < _TRIAL_SECONDS and (len(took) + 2) * size <= left // 2:
            took.append(self._pass(batch))
        self.spent = (1 + len(took)) * size
        return min(took) / size

    def _pass(self, batch: FloatArray) -> float:
        start = self._clock()
        checked(self._segment(batch), len(batch))
        return self._clock() - start
