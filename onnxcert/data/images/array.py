"""Images saved as NumPy arrays: one array (`.npy`) or several named ones (`.npz`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.arrays import StoredArray, open_archive, open_array
from onnxcert.data.decoding import MAX_PIXELS, check_pixels
from onnxcert.data.images.bands import band_mismatch_error
from onnxcert.errors import InputError

SUFFIXES: Final = (".npy", ".npz")

_COLOURS: Final = 3


@contextmanager
def open_arrays(path: Path, bands: Sequence[str]) -> Iterator[Sequence[StoredArray]]:
    """Open the arrays of an image: one, or in an archive also one [H, W] for each band.

    Raises:
        InputError: the archive has other arrays.
    """
    if path.suffix.lower() == ".npy":
        with open_array(path) as array:
            yield [array]
        return
    with open_archive(path) as arrays:
        names = list(bands) if len(bands) > 1 and set(bands) <= set(arrays) else list(arrays)
        if names != list(bands) and len(names) != 1:
            wanted = " or one for each band under its name" if bands else ""
            found = ", ".join(repr(name[:40]) for name in sorted(arrays)[:8]) or "none"
            raise InputError(
                f"{path}: expected one array{wanted}, but it holds {found}: save only the picture."
            )
        yield [arrays[name] for name in names]


def read_arrays(arrays: Sequence[StoredArray], bands: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return the image in opened arrays, whose headers `read_array_size` has checked.

    Returns:
        float32 [C, H, W] in [0, 1]; C is the number of bands, or 3 without bands.

    Raises:
        InputError: a value is outside [0, 1], or the file is cut short.
    """
    each = bands if len(arrays) == 1 else bands[:1]
    parts = []
    for array in arrays:
        pixels = array.read(limit=MAX_PIXELS * _COLOURS)
        if pixels.ndim == 2:
            pixels = pixels[None].repeat(1 if bands else _COLOURS, axis=0)
        elif _find_spatial_axes(array, each) == (0, 1):
            pixels = pixels.transpose(2, 0, 1)
        parts.append(scale_to_unit(array.path, pixels))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def read_array_size(arrays: Sequence[StoredArray], bands: Sequence[str]) -> tuple[int, int]:
    """Return (height, width) of an image in opened arrays, from their headers.

    Raises:
        InputError: an array has another shape or type, or too many pixels.
    """
    each, path, sizes = bands if len(arrays) == 1 else bands[:1], arrays[0].path, []
    for array in arrays:
        sizes.append(tuple(array.shape[axis] for axis in _find_spatial_axes(array, each)))
    if len(set(sizes)) > 1:
        raise InputError(
            f"{path}: expected bands of one size, but they have {' and '.join(map(str, sizes))}: "
            "resample them to one grid."
        )
    height, width = sizes[0]
    limit = MAX_PIXELS * _COLOURS // (len(bands) or _COLOURS)
    # Wider types get a smaller limit, as they are in memory together with their float32 copy.
    widest = max(array.dtype.itemsize for array in arrays)
    check_pixels(path, width, height, limit=limit * 4 // max(4, widest))
    return height, width


def scale_to_unit(path: Path, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return float32 pixels in [0, 1]: divide unsigned integers by their type's maximum.

    Floats are not scaled. Raise InputError if one is outside [0, 1] or not finite.
    """
    if pixels.dtype.kind == "u":
        full = np.float32(np.iinfo(pixels.dtype).max)
        scaled: npt.NDArray[np.float32] = np.divide(pixels, full, dtype=np.float32, order="C")
        return scaled
    # Written so that NaN fails as well.
    if not (pixels.min() >= 0 and pixels.max() <= 1):
        raise InputError(
            f"{path}: expected floats in [0, 1], but some lie outside or are not finite: "
            "divide by the largest possible pixel value, or save uint8, and pass --range if the "
            "model expects another range."
        )
    return np.ascontiguousarray(pixels, dtype=np.float32)


def _find_spatial_axes(array: StoredArray, bands: Sequence[str]) -> tuple[int, int]:
    """Return the axes of height and width, given where the channels are."""
    path, shape, dtype = array.path, array.shape, array.dtype
    found = f"{dtype} of shape {shape}"
    whole = (np.uint8, np.uint16) if bands else (np.uint8,)
    if dtype.newbyteorder("=") not in whole and dtype.kind != "f":
        kinds = "uint8, uint16" if bands else "uint8"
        raise InputError(f"{path}: expected {kinds} or floats, but it is {found}: convert it.")
    if 0 in shape:
        raise InputError(f"{path}: expected a picture, but it is {found}: leave it out.")
    channels = len(bands) or _COLOURS
    if len(shape) == 3 and shape[0] == shape[2] == channels:
        kind = "TIFF" if bands else "picture"
        raise InputError(
            f"{path}: expected channels on one side only, but {found} could be "
            f"[{channels}, H, W] or [H, W, {channels}]: save it as a {kind} file."
        )
    if len(shape) == 2 and len(bands) < 2:
        return 0, 1
    if len(shape) == 3 and shape[2] == channels:
        return 0, 1
    if len(shape) == 3 and shape[0] == channels:
        return 1, 2
    if bands:
        raise band_mismatch_error(path, bands, f"is {found}")
    raise InputError(
        f"{path}: expected [H, W], [H, W, 3] or [3, H, W], but it is {found}: reshape it."
    )
