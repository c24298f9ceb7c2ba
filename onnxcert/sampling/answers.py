"""What a model answers on noisy copies of one input, batch by batch, each batch checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from onnxcert._typing import Array, FloatArray, Segmenter
from onnxcert.backend import NUMPY, Backend
from onnxcert.draws import Draws
from onnxcert.errors import ModelError, ParameterError
from onnxcert.kernels import Scores
from onnxcert.sampling.leak_check import BatchLeak, LeakCheck

_MOST_VALUES: Final = 2**30  # of all buffers together, 4 GiB


def noisy_answers(
    segment: Segmenter,
    x: FloatArray,
    draws: Draws,
    indices: range,
    batch_size: int,
    backend: Backend = NUMPY,
    check: LeakCheck | None = None,
) -> Iterator[Any]:
    """Labels of the draws `indices` in order, at most `batch_size` at a time; [b, *grid] each.

    A segmenter that may be called from several threads at once says from how many, `at_once`; each
    of them then draws its noise, too. With one the noise of the next batch is drawn while the model
    runs; on a GPU everything waits in one queue and nothing is gained by a thread. So many buffers
    and one more, whatever n is. An answer holds until the next one is asked for.

    A segmenter that can take and give arrays of a device says how, `bind`, see
    `onnxcert.model.segmenter.OnnxSegmenter`; instead of labels it may then give scores.

    Args:
        check: which draws are run again without their batch mates, before their batch is answered.

    Raises:
        BatchLeak: one of them then has other labels.
    """
    if batch_size < 1:
        raise ParameterError(f"the batch size must be at least 1, got {batch_size}.")
    x = np.ascontiguousarray(x, dtype=np.float32)
    model, bind = segment, getattr(segment, "bind", None)
    if bind is not None and backend is not NUMPY:
        segment, backend = bind(x, draws.perturbation)
    batches = -(-len(indices) // batch_size)
    threads = min(passes_at_most(segment), batches) if backend.threaded else 0
    if threads > 1:  # not more noise at once than fits an ordinary memory
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
        found = checked(segment(noisy), len(noisy), backend)
        start, many = indices.start + k * batch_size, len(noisy)
        if check is not None and many > 1:
            for i in check.among(range(start, start + many)):
                if not again(i, many, i - start, backend.labels(found)[i - start]):
                    raise BatchLeak
        return found

    def again(i: int, many: int, row: int, labels: Array) -> bool:
        """Whether draw i has the same labels without its batch mates.

        On a device a pass of another number of rows may round otherwise: there the mates give way
        to copies of this draw. No difference is put down to rounding: scores may be so scaled that
        a leak is no larger, and one draw a pass is always right.
        """
        alone = backend.inputs(many if on_device(model, backend) else 1, x.shape)
        row = row if len(alone) > 1 else 0
        write(range(i, i + 1), alone[row : row + 1])
        alone[:] = backend.xp.array(alone[row : row + 1])
        answered = backend.labels(checked(segment(alone), len(alone), backend))[row]
        return np.array_equal(backend.host(answered), backend.host(labels))

    if threads == 0:
        yield from (answer(k, draw(k)) for k in range(batches))
    elif threads == 1:
        yield from map(answer, range(batches), _ahead(draw, batches, 1))
    else:
        yield from _ahead(lambda k: answer(k, draw(k)), batches, threads)


def on_device(model: Segmenter, backend: Backend) -> bool:
    """Whether a pass of another number of rows may choose other algorithms."""
    return backend is not NUMPY or bool(getattr(model, "on_device", False))


def passes_at_most(segment: Segmenter) -> int:
    """From how many threads at once a segmenter may be called.

    Raises:
        ParameterError: it says something that is no number of threads.
    """
    said = getattr(segment, "at_once", 1)
    if not isinstance(said, int) or said < 1:
        raise ParameterError(
            f"at_once of a model must be a whole number of threads from 1, got {said!r}."
        )
    return said


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


def checked(found: Any, rows: int, backend: Backend = NUMPY) -> Any:
    """What a model returned, if it is what a `Segmenter` promises: labels, or on a device scores.

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
