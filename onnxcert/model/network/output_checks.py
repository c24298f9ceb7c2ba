"""Checks of a model's output: its shape, whether two outputs agree, and the order of its axes.

Height and width may be swapped where the lengths of the axes cannot show it: for square images, and
if there are as many classes as rows or columns. A change of the upper half of an image changes
labels in the upper half. If it changes labels at the left, and a change of the left half changes
labels above, the axes are swapped.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

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
        what = f"label every {entry.element.name.lower()}"
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


_ENOUGH: Final = 16  # changed labels that suffice
_FEWEST: Final = 4  # with fewer changed labels there is no decision
_MOST: Final = 4  # images to try; the later ones are random
_MOST_SMALL: Final = 32  # the same for small images, in which few labels change
_SMALL: Final = 1024  # pixels
_INSIDE: Final = 0.9  # least share of changed labels in the wrong half
_ACROSS: Final = 0.75  # largest share of changed labels in the right half


def is_transposed(
    labels: Callable[[FloatArray], IntArray], x: FloatArray, *, in_doubt: bool = False
) -> bool:
    """Return whether the labels of images like `x` are clearly [width, height].

    Args:
        labels: maps images [B, c, H, W] to labels [B, ..., h, w].
        x: an image [c, H, W].
        in_doubt: also return True if labels change without a clear direction.
    """
    rng = np.random.default_rng(0)
    height, width = (side // 2 for side in x.shape[1:])
    found: list[Any] = []
    for i in range(_MOST if height * width > _SMALL // 4 else _MOST_SMALL):
        base = x if i == 0 else rng.random(x.shape, dtype=np.float32)
        batch = np.stack([base] * 3)
        batch[1, :, :height] = rng.random(batch[1, :, :height].shape, dtype=np.float32)
        batch[2, :, :, :width] = rng.random(batch[2, :, :, :width].shape, dtype=np.float32)
        same, above, left = (labels(row[None])[0] for row in batch)
        grid = same.shape[-2:]
        changed = [(same != other).reshape(-1, *grid).sum(axis=0) for other in (above, left)]
        found = changed if i == 0 else [a + b for a, b in zip(found, changed, strict=True)]
        if min(each.sum() for each in found) >= _ENOUGH:
            break
    above, left = found
    if in_doubt and min(above.sum(), left.sum()) >= _FEWEST:
        return min(_share_above(above), _share_above(left.T)) <= _ACROSS
    return _is_across(above) and _is_across(left.T)


def _is_across(changed: IntArray) -> bool:
    """Return whether labels changed at the left where the upper half of the image changed."""
    if changed.sum() < _FEWEST:
        return False
    return bool(_share_above(changed.T) >= _INSIDE and _share_above(changed) <= _ACROSS)


def _share_above(changed: IntArray) -> float:
    """Return the share of changed labels in the upper half."""
    return float(changed[: len(changed) // 2].sum() / changed.sum())
