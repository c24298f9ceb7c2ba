"""Pictures saved as NumPy arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.bounds import MAX_PIXELS, check_pixels
from onnxcert.inputs.decoding import load_array


def read_array(path: Path) -> npt.NDArray[np.float32]:
    """The picture in a `.npy` file as float32 [3, H, W] in [0, 1]; only inside `decoding`.

    Raises:
        InputError: the array has another shape or type, or values outside [0, 1].
    """
    spatial = _spatial_axes(path, load_array(path, mapped=True))
    array = load_array(path)
    pixels = array[None].repeat(3, axis=0) if array.ndim == 2 else array
    if array.ndim == 3 and spatial == (0, 1):
        pixels = array.transpose(2, 0, 1)
    if array.dtype == np.uint8:
        scaled: npt.NDArray[np.float32]
        scaled = np.divide(pixels, np.float32(255), dtype=np.float32, order="C")
        return scaled
    # Written so that NaN fails as well.
    if not (array.min() >= 0 and array.max() <= 1):
        raise InputError(
            f"{path}: expected floats in [0, 1], but some lie outside or are not finite: "
            "divide by the largest value a pixel can have, or save uint8."
        )
    return np.ascontiguousarray(pixels, dtype=np.float32)


def array_size(path: Path) -> tuple[int, int]:
    """(height, width) of the picture in a `.npy` file; only inside `decoding`.

    Raises:
        InputError: the array has another shape or type.
    """
    array = load_array(path, mapped=True)
    height, width = (array.shape[axis] for axis in _spatial_axes(path, array))
    return height, width


def _spatial_axes(path: Path, array: npt.NDArray[Any]) -> tuple[int, int]:
    shape = array.shape
    found = f"{array.dtype} of shape {shape}"
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise InputError(f"{path}: expected uint8 or floats, but it is {found}: convert it.")
    if 0 in shape:
        raise InputError(f"{path}: expected a picture, but it is {found}: leave it out.")
    if array.ndim == 3 and shape[0] == 3 and shape[2] == 3:
        raise InputError(
            f"{path}: expected channels on one side only, but {found} could be [3, H, W] or "
            "[H, W, 3]: save it as a picture file."
        )
    if array.ndim == 2 or (array.ndim == 3 and shape[2] == 3):
        axes = 0, 1
    elif array.ndim == 3 and shape[0] == 3:
        axes = 1, 2
    else:
        raise InputError(
            f"{path}: expected [H, W], [H, W, 3] or [3, H, W], but it is {found}: reshape it."
        )
    # Wider numbers count for more, as they are in memory next to the float32 made of them.
    limit = MAX_PIXELS * 4 // max(4, array.dtype.itemsize)
    check_pixels(path, shape[axes[1]], shape[axes[0]], limit=limit)
    return axes
