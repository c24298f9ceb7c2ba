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
from onnxcert.backend import NUMPY, Backend
from onnxcert.draws import Draws
from onnxcert.errors import ModelError
from onnxcert.model.running.memory import HostMemory, Memory
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.sampling.answers import noisy_answers, passes_at_most

# About 2 MB of pixels in a batch: more falls out of the processor's cache and mostly gains nothing.
_GUESSED_VALUES: Final = 2**19
_GUESSED_MOST: Final = 8
_TINY: Final = 2**11

_SHARE: Final = 0.03  # of the draws to come, at most this many are spent on trying
_WORTH: Final = 1.05  # times as long as in the best batch a draw alone may take, as nothing leaks
_GAIN: Final = 0.04  # of the time of a draw, that a batch of twice the size must save
_MEMORY: Final = 0.5  # of what is free, at most this much is taken by a larger batch
_PASS_SECONDS: Final = 1.0  # longer passes gain nothing, and a stop waits for the end of one
_TRIAL_SECONDS: Final = 0.02  # of timing, where passes are short
_PASSES_EACH: Final = 4  # fewer passes leave no noise to draw while the model runs
_PASSES_TIMED: Final = 100
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
    checked: int = 0,
    memory: Memory | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> BatchSize:
    """How many draws to give the model in one pass, for inputs like `x`.

    One, two, four, ... draws are timed until twice in a row a draw gets no cheaper by a few per
    cent. What is tried are rehearsal draws, which are never counted, and at most 3 % as many as
    are to come; with too few of these the number is guessed by the size of the input.

    A pass of twice as many draws takes at most as much again as the process holds by now; where
    that is more than half of what is free, it is not tried.

    Args:
        segment: the model, which has answered for such an input before.
        x: one declared input, float32, without a batch axis.
        draws: of the input.
        each: draws of one input; inputs: how many inputs like it are to come.
        checked: draws of one input that are run again alone where they are run in batches.
        memory: where the passes run; this machine's if not given.
        clock: seconds, from any start.
    """
    memory = memory or HostMemory()
    if checked >= each:
        return BatchSize(1, "all draws would be run again alone")
    rows = segment.rows if isinstance(segment, OnnxSegmenter) else None
    if rows is not None:
        return BatchSize(rows, "the model takes just so many")
    values = max(x.size, segment.values(x.shape) if isinstance(segment, OnnxSegmenter) else 0)
    most = max(1, min(_MOST, each // _PASSES_EACH))
    trial = _Trial(segment, x, draws.rehearsal(), int(_SHARE * each * inputs), clock)
    if getattr(segment, "mixes_draws", False) or not (trial.affords(1) and trial.affords(2, 1)):
        # What is run again alone costs more than a batch of all but tiny inputs gains.
        few = guessed(values) if values < _TINY or not checked else 1
        return BatchSize(min(few, most), "by the size of the input")
    alone = trial.seconds_a_draw(1)
    best, seconds, size, missed = 1, alone, 1, False
    while True:
        size *= 2
        if size > most:
            why = "an input has too few draws for more"
        elif not trial.affords(size):
            why = "too few draws are to come to try more"
        elif size * seconds > _PASS_SECONDS:
            why = "a pass of more would take long"
        elif not _fits(memory, 3 * size * x.nbytes):  # two batches of noise, and answers
            why = "memory may not do for more"
        else:
            try:
                now = trial.seconds_a_draw(size)
            except ModelError:
                return BatchSize(best, "the model fails on more")
            better = now <= (1.0 - _GAIN) * seconds
            if better:
                best, seconds = size, now
            if better or not missed:  # one size that does not gain may be a hiccup
                missed = not better
                continue
            why = "with more none gets cheaper"
        if best > 1 and alone <= max(_WORTH, each / (each - checked)) * seconds:
            why = f"batch size {best} with a leak check is not faster"
            best, seconds = 1, alone
        return BatchSize(best, f"{1e3 * seconds:.3g} ms a draw; {why}")


def _fits(memory: Memory, buffers: int) -> bool:
    """Whether a pass of twice as many draws as the last one stays within the memory."""
    free, held = memory.free(), memory.held()
    if free is None:
        return buffers <= 16 * _GUESSED_VALUES  # nobody says: a few times what would be guessed
    return max(buffers, held or 0) <= _MEMORY * free


class _Trial:
    """Times passes over rehearsal draws, as many as there may be."""

    def __init__(
        self,
        segment: Segmenter,
        x: FloatArray,
        draws: Draws,
        left: int,
        clock: Callable[[], float],
    ) -> None:
        self._segment, self._x, self._draws, self._clock = segment, x, draws, clock
        self._left = left
        self._at_once = passes_at_most(segment)
        # Passes of each size tried: some that run at once warm up, and one more is timed.
        self._fewest = self._at_once + 1

    def affords(self, size: int, before: int = 0) -> bool:
        """Whether draws are left to try this size, and one `before` it."""
        return self._fewest * (size + before) <= self._left

    def seconds_a_draw(self, size: int) -> float:
        """Of passes of `size` draws as a run makes them; the first ones warm up."""
        backend: Backend = getattr(self._segment, "backend", NUMPY)
        passes = max(self._fewest, min(_PASSES_TIMED, self._left // (2 * size)))
        draws = range(passes * size)
        stamps: list[float] = []
        for _ in noisy_answers(self._segment, self._x, self._draws, draws, size, backend):
            stamps.append(self._clock())
            self._left -= size
            if len(stamps) >= self._fewest and stamps[-1] - stamps[0] > _TRIAL_SECONDS:
                break
        # What else runs on the machine makes passes longer, so the shorter ones tell; not the very
        # shortest, for which the noise may have been ready. Passes that run at once end together:
        # between one and the next there may be nothing, but never between one and its successor in
        # the same thread.
        found, threads = np.array(stamps), self._at_once
        spans = found[threads:] - found[:-threads]
        return float(np.quantile(spans, 0.25)) / (threads * size)
