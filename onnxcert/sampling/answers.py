"""What a model answers on noisy copies of one input, batch by batch, each batch checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from onnxcert._typing import Array, FloatArray, IntArray, Segmenter
from onnxcert.backend import NUMPY, Backend
from onnxcert.draws import Draws
from onnxcert.errors import ModelError, ParameterError

_MOST_VALUES: Final = 2**30  # of all buffers together, 4 GiB


def noisy_answers(
    segment: Segmenter,
    x: FloatArray,
    draws: Draws,
    indices: range,
    batch_size: int,
    backend: Backend = NUMPY,
) -> Iterator[Any]:
    """Labels of the draws `indices` in order, at most `batch_size` at a time; [b, *grid] each.

    A segmenter that may be called from several threads at once says from how many, `at_once`; each
    of them then draws its noise, too. With one the noise of the next batch is drawn while the model
    runs; on a GPU everything waits in one queue and nothing is gained by a thread. So many buffers
    and one more, whatever n is. An answer holds until the next one is asked for.
    """
    if batch_size < 1:
        raise ParameterError(f"the batch size must be at least 1, got {batch_size}.")
    x = backend.device(np.ascontiguousarray(x, dtype=np.float32))
    batches = -(-len(indices) // batch_size)
    threads = min(getattr(segment, "at_once", 1), batches) if backend.threaded else 0
    if threads > 1:  # not more noise at once than fits an ordinary memory
        threads = max(1, min(threads, _MOST_VALUES // (batch_size * x.size) - 1))
    shape = (min(batch_size, max(1, len(indices))), *x.shape)
    buffers = [backend.empty(shape, np.float32) for _ in range(threads + 1)]

    def draw(k: int) -> Array:
        part = indices[k * batch_size : (k + 1) * batch_size]
        noisy = buffers[k % len(buffers)][: len(part)]
        draws.write(x, part, noisy, backend)
        return noisy

    def answer(noisy: Array) -> IntArray:
        return checked(segment(noisy), len(noisy))

    if threads == 0:
        yield from (answer(draw(k)) for k in range(batches))
    elif threads == 1:
        yield from map(answer, _ahead(draw, batches, 1))
    else:
        yield from _ahead(lambda k: answer(draw(k)), batches, threads)


def _ahead(work: Callable[[int], Any], count: int, threads: int) -> Iterator[Any]:
    """work(0), work(1), ... in order, done in threads, with `threads` of them on the way."""
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


def checked(labels: Any, rows: int) -> IntArray:
    """`labels` if they are what a `Segmenter` promises.

    Raises:
        ModelError: not integers, not one row per input, or no components.
    """
    # A copy, as a model may fill one buffer again and again.
    labels = np.array(labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise ModelError(f"the model must return integer labels, got {labels.dtype}.")
    if labels.ndim < 1 or labels.shape[0] != rows or labels.size == 0:
        raise ModelError(
            f"the model must return labels for each of the {rows} inputs, got an array of shape "
            f"{labels.shape}."
        )
    found: IntArray = labels
    return found
