"""Checks of a model's output: its shape, and whether two outputs agree."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.adapter.base import Adapter

_ROUNDING: Final = 1e-5
_LEAK: Final = 1e-2


def check_labels(labels: IntArray, batch: FloatArray, entry: Adapter, path: Path) -> IntArray:
    """Return `labels` if they cover every row and every component of `batch`.

    Raises:
        ModelError: they do not.
    """
    if entry.contract.classifies:
        fits, what = labels.ndim == 2, f"give one answer for each {entry.contract.modality.whole}"
    else:
        wanted = entry.label_grid(batch.shape[1:])
        fits = wanted is None or labels.shape[-len(wanted) :] == wanted
        what = f"label every {entry.parts.removesuffix('s')}"
    if len(labels) != len(batch) or not fits:
        raise ModelError(
            f"{path} must {what} of {list(batch.shape)}, got labels of shape {list(labels.shape)}."
        )
    return labels


def scores_agree(scores: FloatArray, others: FloatArray) -> bool:
    """Return whether two computations of the same rows [B, C, ...] differ by rounding only.

    Labels may agree although the scores differ. A difference counts as rounding below 1e-5 of the
    largest score, or below 1 % of the range of a score over the rows: values that one row took over
    from another are larger.
    """
    if scores.shape != others.shape:
        return False
    if scores.size == 0:
        return True
    # Class by class: copies of all scores of a large image may not fit in memory.
    allowed = 0.0
    for c in range(scores.shape[1]):
        finite = np.isfinite(scores[:, c])
        if not np.array_equal(finite, np.isfinite(others[:, c])):
            return False
        first = np.where(finite, scores[:, c], np.float32(0.0))
        spread, largest = float(np.ptp(first, axis=0).max()), float(abs(first).max())
        allowed = max(allowed, _LEAK * spread, _ROUNDING * largest)
    return all(_within(allowed, scores[:, c], others[:, c]) for c in range(scores.shape[1]))


def _within(allowed: float, scores: FloatArray, others: FloatArray) -> bool:
    """Return whether finite scores differ by at most `allowed`."""
    finite = np.isfinite(scores)
    first, second = (np.where(finite, s, np.float32(0.0)) for s in (scores, others))
    return bool((abs(first - second) <= allowed).all())
