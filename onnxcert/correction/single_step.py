"""Single-step testing: one level for all components."""

from __future__ import annotations

import numpy as np

from onnxcert._typing import LevelArray


def first_rejected(p_values: LevelArray, level: float) -> int:
    """Return the smallest number of hits whose p-value is at most `level`; n + 1 if none is.

    >>> first_rejected(np.array([1.0, 0.3, 0.01]), 0.3)
    1
    """
    rejected = p_values <= level
    return int(np.argmax(rejected)) if rejected.any() else len(p_values)
