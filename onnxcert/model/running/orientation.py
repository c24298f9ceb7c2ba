"""Whether height and width have changed places where the lengths of the axes do not tell.

That is so for square pictures, and where there are as many classes as rows or columns. What is
changed in the upper half of a picture changes its labels there; if it changes them at the left, and
the left half those above, they are turned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from onnxcert._typing import FloatArray, IntArray

_ENOUGH: Final = 16  # labels changed, for the shares to tell
_FEWEST: Final = 4  # with fewer changed nothing is said
_MOST: Final = 4  # pictures tried, the later ones random
_MOST_SMALL: Final = 32  # of pictures so small that few labels change
_SMALL: Final = 1024  # pixels
_INSIDE: Final = 0.9  # share of the changed labels in the half that was not changed
_ACROSS: Final = 0.75  # and at most in the one that was


def turned(
    labels: Callable[[FloatArray], IntArray], x: FloatArray, *, in_doubt: bool = False
) -> bool:
    """Whether the labels of pictures like `x` [c, H, W] are plainly [width, height].

    Args:
        labels: of pictures [B, c, H, W]; [B, ..., h, w].
        in_doubt: whether labels that change in no plain order count as turned, too.
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
        return min(_upper(above), _upper(left.T)) <= _ACROSS
    return _across(above) and _across(left.T)


def _across(changed: IntArray) -> bool:
    """Whether labels changed at the left where the upper half of the picture did."""
    if changed.sum() < _FEWEST:
        return False
    return bool(_upper(changed.T) >= _INSIDE and _upper(changed) <= _ACROSS)


def _upper(changed: IntArray) -> float:
    """Share of the changed labels that lie in the upper half."""
    return float(changed[: len(changed) // 2].sum() / changed.sum())
