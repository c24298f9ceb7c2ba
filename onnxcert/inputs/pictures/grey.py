"""Conversion of colour images for models with one grey channel."""

from __future__ import annotations

import numpy as np

from onnxcert._typing import FloatArray


def grey(image: FloatArray) -> FloatArray:
    """Return an image [3, H, W] in grey, float32 [1, H, W], with the weights of ITU-R BT.601.

    An image whose channels are equal keeps its values exactly.
    """
    red, green, blue = image
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.ascontiguousarray(red[None])
    return np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, dtype=np.float32)[None]
