"""What a model answers on noisy copies of one input, batch by batch, each batch checked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from onnxcert._typing import Array, FloatArray, Segmenter
from onnxcert.backend import NUMPY, Backend
from onnxcert.draws import Draws
from onnxcert.errors import ModelError, ParameterError
from onnxcert.kernels import Scores


def noisy_answers(
    segment: Segmenter,
    x: FloatArray,
    draws: Draws,
    indices: range,
    batch_size: int,
    backend: Backend = NUMPY,
) -> Iterator[Any]:
    """Labels of the draws `indices` in order, at most `batch_size` at a time; [b, *grid] each.

    A segmenter that can take and give arrays of a device says how, `bind`, see
    `onnxcert.model.segmenter.OnnxSegmenter`; instead of labels it may then give scores.

    Two buffers, whatever n is. In memory the noise of the next batch is drawn while the model
    runs; on a GPU everything waits in one queue and nothing is gained by a thread. An answer holds
    until the next one is asked for.
    """
    if batch_size < 1:
        raise ParameterError(f"the batch size must be at least 1, got {batch_size}.")
    x = np.ascontiguousarray(x, dtype=np.float32)
    bind = getattr(segment, "bind", None)
    if bind is not None and backend is not NUMPY:
        segment, backend = bind(x, draws.perturbation)
    rows = min(batch_size, max(1, len(indices)))
    buffers = [backend.inputs(rows, x.shape) for _ in range(2)]
    x = backend.device(x)

    def draw(start: int) -> tuple[Array, range]:
        part = range(start, min(start + batch_size, indices.stop))
        noisy = buffers[(start - indices.start) // batch_size % 2][: len(part)]
        if part:
            draws.write(x, part, noisy, backend)
        return noisy, part

    ahead: AbstractContextManager[Executor | None] = nullcontext()
    if backend.threaded and len(indices) > batch_size:
        ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="onnxcert-noise")
    with ahead as worker:
        noisy, part = draw(indices.start)
        while part:
            drawn: Future[tuple[Array, range]] | None = None
            if worker is not None:
                drawn = worker.submit(draw, part.stop)
            yield checked(segment(noisy), len(part), backend)
            noisy, part = draw(part.stop) if drawn is None else drawn.result()


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
