"""Labels of noisy copies of one input, batch by batch, each batch checked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Segmenter
from onnxcert.draws import Draws
from onnxcert.errors import ModelError, ParameterError


def noisy_labels(
    segment: Segmenter, x: FloatArray, draws: Draws, indices: range, batch_size: int
) -> Iterator[IntArray]:
    """Labels of the draws `indices` in order, at most `batch_size` at a time; [b, *grid] each.

    The noise of the next batch is drawn while the model runs: two buffers, whatever n is.
    """
    if batch_size < 1:
        raise ParameterError(f"the batch size must be at least 1, got {batch_size}.")
    x = np.ascontiguousarray(x, dtype=np.float32)
    shape = (min(batch_size, max(1, len(indices))), *x.shape)
    buffers = [np.empty(shape, dtype=np.float32) for _ in range(2)]

    def draw(start: int) -> tuple[FloatArray, range]:
        part = range(start, min(start + batch_size, indices.stop))
        noisy = buffers[(start - indices.start) // batch_size % 2][: len(part)]
        if part:
            draws.write(x, part, noisy)
        return noisy, part

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="onnxcert-noise") as worker:
        drawn = worker.submit(draw, indices.start)
        while True:
            noisy, part = drawn.result()
            if not part:
                return
            drawn = worker.submit(draw, part.stop)
            yield checked(segment(noisy), len(part))


def checked(labels: IntArray, rows: int) -> IntArray:
    """`labels` if they are what a `Segmenter` promises.

    Raises:
        ModelError: not integers, not one row per input, or no components.
    """
    labels = np.array(labels)  # a copy, as a model may fill one buffer again and again
    if not np.issubdtype(labels.dtype, np.integer):
        raise ModelError(f"the model must return integer labels, got {labels.dtype}.")
    if labels.ndim < 1 or labels.shape[0] != rows or labels.size == 0:
        raise ModelError(
            f"the model must return labels for each of the {rows} inputs, got an array of shape "
            f"{labels.shape}."
        )
    return labels


def withheld(labels: IntArray, classes: int) -> int:
    """How many of `labels` are no vote: outside 0 .. classes - 1."""
    count = int(np.count_nonzero(labels >= classes))
    if np.issubdtype(labels.dtype, np.signedinteger):
        count += int(np.count_nonzero(labels < 0))
    return count
