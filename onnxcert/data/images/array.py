"""Images saved as NumPy arrays: one array (`.npy`) or several named ones (`.npz`)."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.files.archive import Header, list_members, read_array_header, read_member
from onnxcert.data.files.decoding import load_array
from onnxcert.data.files.limits import MAX_PIXELS, check_file, check_pixels
from onnxcert.data.images.bands import band_mismatch_error
from onnxcert.errors import InputError

SUFFIXES: Final = (".npy", ".npz")

_COLOURS: Final = 3
_StoredArray = tuple[Header, Callable[[], npt.NDArray[Any]]]


def read_array(path: Path, bands: Sequence[str] = ()) -> npt.NDArray[np.float32]:
    """Read an image from a file of arrays, in [0, 1]; call it inside `decoding_errors`.

    An archive holds one array, or one array [H, W] under the name of each band.

    Args:
        path: the file.
        bands: names of the model's bands; without any, the image is RGB or grey.

    Returns:
        float32 [C, H, W] in [0, 1]; C is the number of bands, or 3 without bands.

    Raises:
        InputError: the array has another shape or type, or values outside [0, 1].
    """
    read_array_size(path, bands)  # check the header before reading the pixels
    stored = _list_arrays(path, bands)
    parts = []
    for header, load in stored:
        spatial = _find_spatial_axes(path, header, bands if len(stored) == 1 else bands[:1])
        pixels = load()
        if pixels.ndim == 2:
            pixels = pixels[None].repeat(1 if bands else _COLOURS, axis=0)
        elif spatial == (0, 1):
            pixels = pixels.transpose(2, 0, 1)
        parts.append(scale_to_unit(path, pixels))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def read_array_size(path: Path, bands: Sequence[str] = ()) -> tuple[int, int]:
    """Return (height, width) of an image in a file of arrays; call it inside `decoding_errors`.

    Raises:
        InputError: the array has another shape or type.
    """
    stored = _list_arrays(path, bands)
    sizes = []
    for header, _ in stored:
        spatial = _find_spatial_axes(path, header, bands if len(stored) == 1 else bands[:1])
        sizes.append(tuple(header[0][axis] for axis in spatial))
    if len(set(sizes)) > 1:
        raise InputError(
            f"{path}: expected bands of one size, but they have {' and '.join(map(str, sizes))}: "
            "resample them to one grid."
        )
    height, width = sizes[0]
    limit = MAX_PIXELS * _COLOURS // (len(bands) or _COLOURS)
    # Wider types get a smaller limit, as they are in memory together with their float32 copy.
    widest = max(dtype.itemsize for (_, dtype), _ in stored)
    check_pixels(path, width, height, limit=limit * 4 // max(4, widest))
    return height, width


def _list_arrays(path: Path, bands: Sequence[str]) -> list[_StoredArray]:
    """Return the header and a loader of each array of the image: one, or one for each band."""
    if path.suffix.lower() == ".npy":
        mapped = load_array(path, mapped=True)
        return [((mapped.shape, mapped.dtype), partial(load_array, path))]
    check_file(path)
    with zipfile.ZipFile(path) as archive:
        members = list_members(path, archive)
        names = list(bands) if len(bands) > 1 and set(bands) <= set(members) else list(members)
        if names != list(bands) and len(names) != 1:
            wanted = " or one for each band under its name" if bands else ""
            found = ", ".join(repr(name[:40]) for name in sorted(members)[:8]) or "none"
            raise InputError(
                f"{path}: expected one array{wanted}, but it holds {found}: save only the picture."
            )
        return [
            (read_array_header(archive, members[n]), partial(_load_member, path, n)) for n in names
        ]


def _load_member(path: Path, name: str) -> npt.NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
        member = list_members(path, archive)[name]
        return read_member(path, archive, name, member, limit=MAX_PIXELS * _COLOURS)


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


def _find_spatial_axes(path: Path, header: Header, bands: Sequence[str]) -> tuple[int, int]:
    """Return the axes of height and width, given where the channels are."""
    shape, dtype = header
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
