"""Outputs of a model for noisy copies of one input, checked batch by batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from onnxcert._typing import Array, FloatArray, Segmenter
from onnxcert.errors import ModelError, ParameterError
from onnxcert.sampling.backend import NUMPY, Backend
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.kernels import Scores
from onnxcert.sampling.leak_check import BatchLeak, LeakCheck

_MOST_VALUES: Final = 2**30  # in all buffers together: 4 GiB


def run_draws(
    segment: Segmenter,
    x: FloatArray,
    draws: Draws,
    indices: range,
    batch_size: int,
    backend: Backend = NUMPY,
    check: LeakCheck | None = None,
) -> Iterator[Any]:
    """Yield labels [b, *grid] of the draws `indices` in order, at most `batch_size` at a time.

    A segmenter may set `at_once`, the number of threads that may call it; each then also draws its
    noise. With one thread, the next noise is drawn while the model runs. On a GPU all work is in
    one queue, and threads gain nothing. There is one buffer more than threads, whatever n is. An
    output is valid until the next one is requested.

    A segmenter for arrays of a device has `bind`, see `onnxcert.model.segmenter.OnnxSegmenter`; it
    may give scores instead of labels.

    Args:
        segment: the model.
        x: the input, float32, without a batch axis.
        draws: draws of the input.
        indices: the draws to run.
        batch_size: draws per pass.
        backend: draws the noise.
        check: the draws to run again alone, before the output of their batch is given.

    Raises:
        BatchLeak: such a draw then has other labels.
    """
    if batch_size < 1:
        raise ParameterError(f"the batch size must be at least 1, got {batch_size}.")
    x = np.ascontiguousarray(x, dtype=np.float32)
    model, bind = segment, getattr(segment, "bind", None)
    if bind is not None and backend is not NUMPY:
        segment, backend = bind(x, draws.perturbation)
    batches = -(-len(indices) // batch_size)
    threads = min(max_concurrent_passes(segment), batches) if backend.threaded else 0
    if threads > 1:  # limit the memory of the noise
        threads = max(1, min(threads, _MOST_VALUES // (batch_size * x.size) - 1))
    rows = min(batch_size, max(1, len(indices)))
    buffers = [backend.inputs(rows, x.shape) for _ in range(threads + 1)]
    write = draws.writer(backend.device(x), backend)

    def draw(k: int) -> Array:
        part = indices[k * batch_size : (k + 1) * batch_size]
        noisy = buffers[k % len(buffers)][: len(part)]
        write(part, noisy)
        return noisy

    def answer(k: int, noisy: Array) -> Any:
        found = check_output(segment(noisy), len(noisy), backend)
        start, many = indices.start + k * batch_size, len(noisy)
        if check is not None and many > 1:
            for i in check.among(range(start, start + many)):
                if not same_labels_alone(i, many, i - start, backend.labels(found)[i - start]):
                    raise BatchLeak
        return found

    def same_labels_alone(i: int, many: int, row: int, labels: Array) -> bool:
        """Return whether draw i has the same labels alone.

        On a device a batch of another size may round differently, so the batch is filled with
        copies of this draw. No difference counts as rounding: scores may have a scale at which a
        leak is as small, and one draw per pass is always correct.
        """
        alone = backend.inputs(many if on_device(model, backend) else 1, x.shape)
        row = row if len(alone) > 1 else 0
        write(range(i, i + 1), alone[row : row + 1])
        alone[:] = backend.xp.array(alone[row : row + 1])
        answered = backend.labels(check_output(segment(alone), len(alone), backend))[row]
        return np.array_equal(backend.host(answered), backend.host(labels))

    if threads == 0:
        yield from (answer(k, draw(k)) for k in range(batches))
    elif threads == 1:
        yield from map(answer, range(batches), _prefetch(draw, batches, 1))
    else:
        yield from _prefetch(lambda k: answer(k, draw(k)), batches, threads)


def on_device(model: Segmenter, backend: Backend) -> bool:
    """Return whether a pass of another batch size may use other algorithms."""
    return backend is not NUMPY or bool(getattr(model, "on_device", False))


def max_concurrent_passes(segment: Segmenter) -> int:
    """Return the number of threads that may call a segmenter concurrently.

    Raises:
        ParameterError: its `at_once` is not a number of threads.
    """
    threads = getattr(segment, "at_once", 1)
    if not isinstance(threads, int) or threads < 1:
        raise ParameterError(
            f"at_once of a model must be a whole number from 1 (threads), got {threads!r}."
        )
    return threads


def _prefetch(work: Callable[[int], Any], count: int, threads: int) -> Iterator[Any]:
    """Yield work(0), work(1), ... in order, computed in `threads` threads ahead of time."""
    workers = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="onnxcert-draws")
    try:
        first = min(threads, count)
        waiting = deque(workers.submit(work, k) for k in range(first))
        for k in range(first, count + first):
            done = waiting.popleft().result()
            if k < count:
                waiting.append(workers.submit(work, k))
            yield done
    finally:
        workers.shutdown(cancel_futures=True)


def check_output(found: Any, rows: int, backend: Backend = NUMPY) -> Any:
    """Return a model's output if it is valid: labels, or on a device scores.

    Raises:
        ModelError: not integers, not one row per input, or no components.
    """
    answer = backend.answer(found)
    if not isinstance(answer, Scores) and not np.issubdtype(answer.dtype, np.integer):
        raise ModelError(f"the model must return integer labels, got {answer.dtype}.")
    shape = tuple(answer.shape)
    if len(shape) < 1 or shape[0] != rows or 0 in shape:
        raise ModelError(
            f"the model must return labels for each of the {rows} inputs, got an array of shape "
            f"{shape}."
        )
    return answer
