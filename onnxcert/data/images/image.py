"""Read an image file as an array in the input unit: RGB or bands in [0, 1], upright."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.files.decoding import decoding_errors, open_image
from onnxcert.data.files.limits import check_pixels
from onnxcert.data.images.array import SUFFIXES as ARRAYS
from onnxcert.data.images.array import read_array, read_array_size, scale_to_unit
from onnxcert.data.images.bands import band_mismatch_error
from onnxcert.data.images.orientation import (
    get_pending_orientation,
    get_stored_size,
    get_upright_size,
)
from onnxcert.data.images.pixels import check_kind, decode_strips, read_sample_format
from onnxcert.data.images.tiff import count_float_samples, is_tiff, read_tiff, read_tiff_size
from onnxcert.errors import InputError

if TYPE_CHECKING:
    from PIL import ImageFile

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", *ARRAYS)

_FORMATS: Final = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_EXPECTED: Final = "a PNG, JPEG, BMP, TIFF or WebP picture or a .npy or .npz array"
# Pillow modes of one grey channel.
_GREY: Final = ("1", "L", "I;16", "I;16B", "I;16L", "I")
_FLOATING: Final = {1: ("grey",), 3: ("red", "green", "blue")}  # by samples per pixel


def read_image(path: Path, bands: Sequence[str] = ()) -> npt.NDArray[np.float32]:
    """Read an image at its own resolution.

    PNG, JPEG, BMP, TIFF and WebP: grey, palette, RGB or CMYK of up to 8 bits per channel are
    divided by 255; PNG and TIFF of 16 bits, grey or RGB, by 65535; TIFF of floats, grey or RGB,
    holds values in [0, 1]. Images are turned upright by their EXIF orientation. Transparency is
    dropped, so the colour stored under it counts. CMYK becomes RGB by the plain formula, without a
    colour profile. A `.npy` file, or a `.npz` file of one array, holds [H, W], [H, W, 3] or [3, H,
    W], as uint8, which is divided by 255, or as floats in [0, 1]. Grey becomes three equal
    channels.

    Bands are read unchanged: from arrays [H, W, C] or [C, H, W] of uint8, uint16 (divided by 65535)
    or floats in [0, 1], from TIFF of the same types in any arrangement, and from grey or RGB images
    for one band or three. No band is added, dropped or mixed.

    Args:
        path: the file.
        bands: names of the model's bands; empty for colour images.

    Returns:
        float32 [3, H, W], RGB, in [0, 1]; of bands [len(bands), H, W].

    Raises:
        InputError: the file is missing, damaged, empty, animated, of several pages, of more than
            `bounds.MAX_PIXELS` pixels, of another number of bands or of another kind.
    """
    with decoding_errors(path, _EXPECTED):
        if path.suffix.lower() in ARRAYS:
            return read_array(path, bands)
        if named := _select_tiff_bands(path, bands):
            pixels = scale_to_unit(path, read_tiff(path, named))
            return pixels if bands or len(named) == 3 else pixels.repeat(3, axis=0)
        with open_image(path, _FORMATS) as image:
            samples = read_sample_format(path, image)
            check_kind(path, image, samples)
            if bands:
                _check_bands(path, image, bands)
            turn = get_pending_orientation(path, image)
            upright = np.empty((3, *get_upright_size(path, image)), np.float32)
        # Open it again: reading the orientation may have decoded the pixels, to 8 bits.
        with open_image(path, _FORMATS) as image:
            stored = turn.view_as_stored(upright)
            for y, rows in decode_strips(path, image, samples):
                full = np.float32(np.iinfo(rows.dtype).max)
                # Use float32 throughout: stored results depend on the digest of these values.
                np.divide(
                    rows.transpose(2, 0, 1),
                    full,
                    out=stored[:, y : y + len(rows)],
                    dtype=np.float32,
                )
        return upright[: len(bands)] if bands else upright


def read_image_size(path: Path, bands: Sequence[str] = ()) -> tuple[int, int]:
    """Return (height, width) of what `read_image` would give, from the file's header.

    Raises:
        InputError: as for `read_image`, except for damage past the header.
    """
    with decoding_errors(path, _EXPECTED):
        if path.suffix.lower() in ARRAYS:
            return read_array_size(path, bands)
        if named := _select_tiff_bands(path, bands):
            return read_tiff_size(path, named)
        with open_image(path, _FORMATS) as image:
            check_kind(path, image, read_sample_format(path, image))
            if bands:
                _check_bands(path, image, bands)
            return get_upright_size(path, image)


def is_rotated(path: Path) -> bool:
    """Return whether reading an image swaps height and width because of its EXIF orientation.

    Raises:
        InputError: as for `read_image_size`.
    """
    if path.suffix.lower() in ARRAYS:
        return False
    with decoding_errors(path, _EXPECTED), open_image(path, _FORMATS) as image:
        return get_upright_size(path, image) != get_stored_size(image)


def _select_tiff_bands(path: Path, bands: Sequence[str]) -> Sequence[str]:
    """Return the bands with which to read a TIFF sample by sample; empty if Pillow can read it.

    They are the bands of the model, or the colours of a TIFF of floats.

    Raises:
        InputError: the TIFF has floats that are neither grey nor RGB.
    """
    if not is_tiff(path):
        return ()
    if bands:
        return bands
    count = count_float_samples(path)
    if count not in (0, *_FLOATING):
        raise InputError(
            f"{path}: expected a TIFF of floats, grey or RGB, but it has {count} samples per "
            "pixel: save only the colours, or pass --channels-are if the model takes these bands."
        )
    named = _FLOATING.get(count, ())
    if named:  # grey becomes three channels, as in any image
        check_pixels(path, *read_tiff_size(path, named))
    return named


def _check_bands(path: Path, image: ImageFile.ImageFile, bands: Sequence[str]) -> None:
    """Raise InputError unless the image has one plain channel for each band.

    An alpha channel, a palette or CMYK inks are refused.
    """
    channels = 1 if image.mode in _GREY else 3 if image.mode == "RGB" else 0
    if channels != len(bands):
        found = {0: f"is a picture of mode {image.mode}", 1: "is grey", 3: "is RGB"}[channels]
        raise band_mismatch_error(path, bands, found)
