"""Test whether height and width are swapped where the lengths of the axes cannot show it.

That is so for square images, and if there are as many classes as rows or columns. A change of the
upper half of an image changes labels in the upper half. If it changes labels at the left, and a
change of the left half changes labels above, the axes are swapped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from onnxcert._typing import FloatArray, IntArray

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
