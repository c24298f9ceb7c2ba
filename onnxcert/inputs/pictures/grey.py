"""A colour picture as a model of one grey channel gets it."""

from __future__ import annotations

import numpy as np

from onnxcert._typing import FloatArray


def grey(picture: FloatArray) -> FloatArray:
    """The picture [3, H, W] in grey, float32 [1, H, W], by the weights of ITU-R 601.

    A picture whose channels are equal keeps its values exactly.
    """
    red, green, blue = picture
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.ascontiguousarray(red[None])
    return np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, dtype=np.float32)[None]
