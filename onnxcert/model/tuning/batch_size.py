"""Autotuning of the batch size: the number of draws per forward pass.

On a CPU small batches are often fastest, because activations stay in the cache. On a GPU, and for
tiny inputs, the fixed cost of a pass dominates and large batches win. Only a measurement tells.
Tallies do not depend on the batch size.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from onnxcert._typing import FloatArray
from onnxcert.errors import ModelError
from onnxcert.model.runtime.machine import HostMemory
from onnxcert.sampling import Segmenter, run_draws
from onnxcert.sampling.draws import Draws

# About 2 MB of pixels in a batch: larger batches leave the CPU cache and are rarely faster.
_DEFAULT_VALUES: Final = 2**19
_DEFAULT_LARGEST: Final = 8
_TINY: Final = 2**11

_SHARE: Final = 0.03  # largest share of the remaining draws to spend on autotuning
_LEAK_CHECK_COST: Final = 1.05  # batch size 1 may be slower by this factor: it needs no leak check
_GAIN: Final = 0.04  # least share of time per draw that doubling the batch must save
_MEMORY: Final = 0.5  # largest share of the free memory for a larger batch
_PASS_SECONDS: Final = 1.0  # longer passes are not faster, and delay an interrupt
_TRIAL_SECONDS: Final = 0.02  # least time to measure, where passes are short
_PASSES_EACH: Final = 4  # with fewer passes no noise is drawn while the model runs
_PASSES_TIMED: Final = 100
_MOST: Final = 512


@final
@dataclass(frozen=True)
class BatchSize:
    """A batch size in draws per pass, and the reason for it, as text."""

    draws: int
    why: str


def guess_batch_size(values: int) -> int:
    """Return a batch size for inputs of `values` values: 1 for large inputs, 8 for small ones."""
    return int(min(_DEFAULT_LARGEST, max(1, _DEFAULT_VALUES // values)))


def tune_batch_size(
    segment: Segmenter,
    x: FloatArray,
    draws: Draws,
    *,
    each: int,
    inputs: int = 1,
    checked: int = 0,
    memory: HostMemory | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> BatchSize:
    """Return the batch size for inputs like `x`.

    Batches of 1, 2, 4, ... draws are timed until the time per draw twice in a row does not fall by
    a few per cent. Only warm-up draws are used, which are never counted, and at most 3 % as many as
    there are draws to come. If these are too few, the size of the input decides.

    A batch of twice the size needs at most as much memory again as the process holds now. If that
    is more than half of the free memory, it is not tried.

    Args:
        segment: the model, after at least one pass over such an input.
        x: one declared input, float32, without a batch axis.
        draws: the draws of the input.
        each: draws per input.
        inputs: number of inputs like `x` to come.
        checked: draws per input that the leak check runs again alone, if they run in batches.
        memory: the memory for the passes; None for this machine's.
        clock: returns seconds, from any start.
    """
    memory = memory or HostMemory()
    if checked >= each:
        return BatchSize(1, "the leak check would run all draws again alone")
    if segment.rows is not None:
        return BatchSize(segment.rows, "the model has a fixed batch size")
    values = max(x.size, segment.values(x.shape))
    most = max(1, min(_MOST, each // _PASSES_EACH))
    trial = _Trial(segment, x, draws.warm_up_draws(), int(_SHARE * each * inputs), clock)
    if segment.mixes_draws or not (trial.can_time(1) and trial.can_time(2, 1)):
        # The leak check costs more than a batch saves, except for tiny inputs.
        few = guess_batch_size(values) if values < _TINY or not checked else 1
        return BatchSize(min(few, most), "by the size of the input")
    alone = trial.seconds_per_draw(1)
    best, seconds, size, missed = 1, alone, 1, False
    while True:
        size *= 2
        if size > most:
            why = "too few draws per input for larger batches"
        elif not trial.can_time(size):
            why = "too few draws to try larger batches"
        elif size * seconds > _PASS_SECONDS:
            why = "a larger batch would take too long"
        elif not _fits(memory, 3 * size * x.nbytes):  # two batches of noise, and the output
            why = "memory may not suffice for larger batches"
        else:
            try:
                now = trial.seconds_per_draw(size)
            except ModelError:
                return BatchSize(best, "the model fails on larger batches")
            better = now <= (1.0 - _GAIN) * seconds
            if better:
                best, seconds = size, now
            if better or not missed:  # a single slower size may be measurement noise
                missed = not better
                continue
            why = "larger batches are not faster"
        if best > 1 and alone <= max(_LEAK_CHECK_COST, each / (each - checked)) * seconds:
            why = f"batch size {best} with its leak check is not faster"
            best, seconds = 1, alone
        return BatchSize(best, f"{1e3 * seconds:.3g} ms per draw; {why}")


def _fits(memory: HostMemory, buffers: int) -> bool:
    """Return whether a batch of twice the last size fits in memory."""
    free, held = memory.free(), memory.held()
    if free is None:
        return buffers <= 16 * _DEFAULT_VALUES  # unknown: a few times the default batch
    return max(buffers, held or 0) <= _MEMORY * free


class _Trial:
    """Timing of passes over a limited number of warm-up draws."""

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
        self._at_once = segment.at_once
        # Least passes per size: the concurrent ones are warm-up, and one more is timed.
        self._fewest = self._at_once + 1

    def can_time(self, size: int, before: int = 0) -> bool:
        """Return whether enough draws are left to time this size, and size `before` first."""
        return self._fewest * (size + before) <= self._left

    def seconds_per_draw(self, size: int) -> float:
        """Return the seconds per draw with batches of `size`, run as a run does, after warm-up."""
        passes = max(self._fewest, min(_PASSES_TIMED, self._left // (2 * size)))
        draws = range(passes * size)
        stamps: list[float] = []
        segment = self._segment
        for _ in run_draws(segment, self._x, self._draws, draws, size, segment.backend):
            stamps.append(self._clock())
            self._left -= size
            if len(stamps) >= self._fewest and stamps[-1] - stamps[0] > _TRIAL_SECONDS:
                break
        # Other processes on the machine make passes longer, so a low quantile counts; not the
        # minimum, because the noise of the shortest passes may have been ready. Concurrent passes
        # end together, so the time runs from a pass to its successor in the same thread.
        found, threads = np.array(stamps), self._at_once
        spans = found[threads:] - found[:-threads]
        return float(np.quantile(spans, 0.25)) / (threads * size)
