"""Perturb, run the model, count votes: batch by batch; independent of ONNX and statistics.

Draw i is a pure function of seed, input and i, so it does not matter which worker counts it, when,
or after how many attempts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from onnxcert._typing import Array, FloatArray, IntArray
from onnxcert.errors import ModelError, ParameterError
from onnxcert.sampling.backend import NUMPY, Backend
from onnxcert.sampling.count import Count
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.hits import Hits, Part, smallest_counter
from onnxcert.sampling.kernels import Scores
from onnxcert.sampling.leak_check import BatchLeak, LeakCheck
from onnxcert.sampling.protocol import Function, Segmenter, as_segmenter
from onnxcert.sampling.tally import Ended, Tally

_MOST_VALUES: Final = 2**30  # in all buffers together: 4 GiB


def sample(
    segment: Segmenter | Function,
    x: FloatArray,
    count: Count,
    *,
    batch_size: int = 1,
    on_batch: Callable[[Count], None] | None = None,
    on_look: Callable[[Tally], Ended] | None = None,
) -> Tally:
    """Run the draws that `count` still lacks and return the tally.

    Args:
        segment: the model.
        x: one input, float32, without a batch axis.
        count: a new count, or one to resume; its backend draws and counts.
        batch_size: draws per pass; the tally does not depend on it.
        on_batch: called after every batch, for progress or a checkpoint.
        on_look: called at every look with the votes so far; returns a reason to stop, or nothing.

    Raises:
        BatchLeak: a draw of `count.check` has other labels when it is run alone.
    """
    if digest(x) != count.draws.digest:
        raise ParameterError("the count belongs to another input; use one count per input.")

    def look() -> Ended:
        return "" if on_look is None else on_look(count.tally_at_last_look(""))

    if count.at_look and count.done < count.total and (ended := look()):
        return count.tally_at_last_look(ended)  # interrupted just before this look
    while count.done < count.total:
        indices = range(count.done, count.next_stop)
        for answer in run_draws(
            segment, x, count.draws, indices, batch_size, count.backend, count.check
        ):
            count.add(answer)
            if on_batch is not None:
                on_batch(count)
        if count.at_look and (ended := look()):
            return count.tally_at_last_look(ended)
    return count.tally()


def count_part(
    segment: Segmenter | Function,
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


def run_draws(
    segment: Segmenter | Function,
    x: FloatArray,
    draws: Draws,
    indices: range,
    batch_size: int,
    backend: Backend = NUMPY,
    check: LeakCheck | None = None,
) -> Iterator[Any]:
    """Yield labels [b, *grid] of the draws `indices` in order, at most `batch_size` at a time.

    Each of the `Segmenter.at_once` threads that call the model also draws its noise. With one
    thread, the next noise is drawn while the model runs. On a GPU all work is in one queue, and
    threads gain nothing. There is one buffer more than threads, whatever n is. An output is valid
    until the next one is requested; on a device it may be scores instead of labels.

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
    model = as_segmenter(segment)
    function, backend = model.bind(x, draws.perturbation, backend)
    batches = -(-len(indices) // batch_size)
    threads = min(model.at_once, batches) if backend.threaded else 0
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
        found = check_output(function(noisy), len(noisy), backend)
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
        alone = backend.inputs(many if model.on_device or backend is not NUMPY else 1, x.shape)
        row = row if len(alone) > 1 else 0
        write(range(i, i + 1), alone[row : row + 1])
        alone[:] = backend.xp.array(alone[row : row + 1])
        answered = backend.labels(check_output(function(alone), len(alone), backend))[row]
        return np.array_equal(backend.host(answered), backend.host(labels))

    if threads == 0:
        yield from (answer(k, draw(k)) for k in range(batches))
    elif threads == 1:
        yield from map(answer, range(batches), _prefetch(draw, batches, 1))
    else:
        yield from _prefetch(lambda k: answer(k, draw(k)), batches, threads)


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
        raise ModelError(
            f"the model must return integer labels, got {answer.dtype}; pass a function that "
            "returns scores through onnxcert.wrap."
        )
    shape = tuple(answer.shape)
    if len(shape) < 1 or shape[0] != rows or 0 in shape:
        raise ModelError(
            f"the model must return labels for each of the {rows} inputs, got an array of shape "
            f"{shape}."
        )
    return answer
