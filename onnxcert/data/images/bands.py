"""Bands: channels of multispectral and medical images that are not colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray
from onnxcert.errors import InputError

_SHOWN: Final = 8


def number_bands(count: int) -> tuple[str, ...]:
    """Return default names for unnamed bands: their indices from 0."""
    return tuple(f"band {i}" for i in range(count))


def join_band_names(bands: Sequence[str]) -> str:
    """Return the names of bands as text; of many, only the first."""
    more = len(bands) - _SHOWN
    shown = ", ".join(bands[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


def band_mismatch_error(path: Path, bands: Sequence[str], found: str) -> InputError:
    """Return the error for a file without the model's bands; `found` describes what it has."""
    return InputError(
        f"{path}: expected the {len(bands)} bands of the model ({join_band_names(bands)}), but it "
        f"{found}: "
        "give a .npy, .npz or TIFF file with exactly these bands, in this order."
    )


def grey(image: FloatArray) -> FloatArray:
    """Return an image [3, H, W] in grey, float32 [1, H, W], with the weights of ITU-R BT.601.

    An image whose channels are equal keeps its values exactly.
    """
    red, green, blue = image
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.ascontiguousarray(red[None])
    return np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, dtype=np.float32)[None]
