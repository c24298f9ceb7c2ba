"""Pictures saved as NumPy arrays, in files of one (`.npy`) or of several with names (`.npz`)."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.archive import Header, header_of, load_member, members_of
from onnxcert.inputs.bounds import MAX_PIXELS, check_file, check_pixels
from onnxcert.inputs.decoding import load_array
from onnxcert.inputs.pictures.bands import other_bands

SUFFIXES: Final = (".npy", ".npz")

_COLOURS: Final = 3
_Stored = tuple[Header, Callable[[], npt.NDArray[Any]]]


def read_array(path: Path, bands: Sequence[str] = ()) -> npt.NDArray[np.float32]:
    """The picture in a file of arrays as float32 [C, H, W] in [0, 1]; only inside `decoding`.

    An archive holds one array, or one [H, W] under the name of each band.

    Args:
        path: the file.
        bands: names of the model's bands, and C is their number; without any the picture is RGB or
            grey, and C is 3.

    Raises:
        InputError: the array has another shape or type, or values outside [0, 1].
    """
    array_size(path, bands)  # refused by the header, before anything is read
    stored = _stored(path, bands)
    parts = []
    for header, load in stored:
        spatial = _spatial_axes(path, header, bands if len(stored) == 1 else bands[:1])
        pixels = load()
        if pixels.ndim == 2:
            pixels = pixels[None].repeat(1 if bands else _COLOURS, axis=0)
        elif spatial == (0, 1):
            pixels = pixels.transpose(2, 0, 1)
        parts.append(scaled(path, pixels))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def array_size(path: Path, bands: Sequence[str] = ()) -> tuple[int, int]:
    """(height, width) of the picture in a file of arrays; only inside `decoding`.

    Raises:
        InputError: the array has another shape or type.
    """
    stored = _stored(path, bands)
    sizes = []
    for header, _ in stored:
        spatial = _spatial_axes(path, header, bands if len(stored) == 1 else bands[:1])
        sizes.append(tuple(header[0][axis] for axis in spatial))
    if len(set(sizes)) > 1:
        raise InputError(
            f"{path}: expected bands of one size, but they have {' and '.join(map(str, sizes))}: "
            "resample them to one grid."
        )
    height, width = sizes[0]
    limit = MAX_PIXELS * _COLOURS // (len(bands) or _COLOURS)
    # Wider numbers count for more, as they are in memory next to the float32 made of them.
    widest = max(dtype.itemsize for (_, dtype), _ in stored)
    check_pixels(path, width, height, limit=limit * 4 // max(4, widest))
    return height, width


def _stored(path: Path, bands: Sequence[str]) -> list[_Stored]:
    """The arrays that make the picture: one, or one for each band."""
    if path.suffix.lower() == ".npy":
        mapped = load_array(path, mapped=True)
        return [((mapped.shape, mapped.dtype), partial(load_array, path))]
    check_file(path)
    with zipfile.ZipFile(path) as archive:
        members = members_of(path, archive)
        names = list(bands) if len(bands) > 1 and set(bands) <= set(members) else list(members)
        if names != list(bands) and len(names) != 1:
            wanted = " or one for each band under its name" if bands else ""
            came = ", ".join(repr(name[:40]) for name in sorted(members)[:8]) or "none"
            raise InputError(
                f"{path}: expected one array{wanted}, but it holds {came}: save the picture alone."
            )
        return [(header_of(archive, members[n]), partial(_member, path, n)) for n in names]


def _member(path: Path, name: str) -> npt.NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
        member = members_of(path, archive)[name]
        return load_member(path, archive, name, member, limit=MAX_PIXELS * _COLOURS)


def scaled(path: Path, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Float32 in [0, 1]: floats as they are, whole numbers by the largest that their type holds."""
    if pixels.dtype.kind == "u":
        full = np.float32(np.iinfo(pixels.dtype).max)
        scaled: npt.NDArray[np.float32] = np.divide(pixels, full, dtype=np.float32, order="C")
        return scaled
    # Written so that NaN fails as well.
    if not (pixels.min() >= 0 and pixels.max() <= 1):
        raise InputError(
            f"{path}: expected floats in [0, 1], but some lie outside or are not finite: "
            "divide by the largest value a pixel can have, or save uint8, and say with --range "
            "what 0 and 1 are to the model."
        )
    return np.ascontiguousarray(pixels, dtype=np.float32)


def _spatial_axes(path: Path, header: Header, bands: Sequence[str]) -> tuple[int, int]:
    """The axes of height and width, by where the channels are."""
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
        raise other_bands(path, bands, f"is {found}")
    raise InputError(
        f"{path}: expected [H, W], [H, W, 3] or [3, H, W], but it is {found}: reshape it."
    )
