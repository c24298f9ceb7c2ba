"""One picture file as an array in the declared input unit: RGB or bands in [0, 1], upright."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.bounds import check_pixels
from onnxcert.inputs.decoding import decoding, open_picture
from onnxcert.inputs.pictures.array import SUFFIXES as ARRAYS
from onnxcert.inputs.pictures.array import array_size, read_array, scaled
from onnxcert.inputs.pictures.bands import other_bands
from onnxcert.inputs.pictures.orientation import stored_size, turn_of, upright_size
from onnxcert.inputs.pictures.pixels import check_kind, strips
from onnxcert.inputs.pictures.samples import samples_of
from onnxcert.inputs.pictures.tiff import floating_samples, is_tiff, read_tiff, tiff_size

if TYPE_CHECKING:
    from PIL import ImageFile

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", *ARRAYS)

_FORMATS: Final = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_EXPECTED: Final = "a PNG, JPEG, BMP, TIFF or WebP picture or a .npy or .npz array"
# Pillow's modes that are as many bands as they have channels.
_GREY: Final = ("1", "L", "I;16", "I;16B", "I;16L", "I")
_FLOATING: Final = {1: ("grey",), 3: ("red", "green", "blue")}  # by samples a pixel


def read_image(path: Path, bands: Sequence[str] = ()) -> npt.NDArray[np.float32]:
    """Read a picture at its own resolution.

    PNG, JPEG, BMP, TIFF and WebP: grey, palette, RGB or CMYK up to 8 bits a channel are divided
    by 255, PNG and TIFF of 16 bits, grey or RGB, by 65535; TIFF of floats, grey or RGB, holds
    values in [0, 1]. They are turned upright by their EXIF orientation; transparency is dropped,
    so the colour stored under it counts; CMYK becomes RGB by the plain formula, without a colour
    profile. A `.npy` file, or a `.npz` file of one array, holds [H, W], [H, W, 3] or [3, H, W],
    either uint8, which is divided by 255, or floats in [0, 1]. Grey becomes three equal channels.

    Bands are taken as they are: from arrays [H, W, C] or [C, H, W] of uint8, uint16 (divided by
    65535) or floats in [0, 1], from TIFF of the same types in any arrangement, and from grey or RGB
    pictures for one band or three. Nothing is added to them, dropped or mixed.

    Args:
        path: the file.
        bands: names of the model's bands; none for colour pictures.

    Returns:
        float32 [3, H, W], RGB, in [0, 1]; of bands [len(bands), H, W].

    Raises:
        InputError: the file is missing, damaged, empty, moving, of several pages, of more than
            `bounds.MAX_PIXELS` pixels, of another number of bands or of another kind.
    """
    with decoding(path, _EXPECTED):
        if path.suffix.lower() in ARRAYS:
            return read_array(path, bands)
        if named := _bands_of_tiff(path, bands):
            pixels = scaled(path, read_tiff(path, named))
            return pixels if bands or len(named) == 3 else pixels.repeat(3, axis=0)
        with open_picture(path, _FORMATS) as image:
            samples = samples_of(path, image)
            check_kind(path, image, samples)
            if bands:
                _check_bands(path, image, bands)
            turn = turn_of(path, image)
            upright = np.empty((3, *upright_size(path, image)), np.float32)
        # Opened again, as to ask for the orientation may have decoded the pixels, to 8 bits.
        with open_picture(path, _FORMATS) as image:
            stored = turn.as_stored(upright)
            for y, rows in strips(path, image, samples):
                full = np.float32(np.iinfo(rows.dtype).max)
                # float32 throughout: results are kept under a digest of these very values.
                np.divide(
                    rows.transpose(2, 0, 1),
                    full,
                    out=stored[:, y : y + len(rows)],
                    dtype=np.float32,
                )
        return upright[: len(bands)] if bands else upright


def image_size(path: Path, bands: Sequence[str] = ()) -> tuple[int, int]:
    """(height, width) of the array `read_image` would give, from the file's header.

    Raises:
        InputError: as for `read_image`, except for damage past the header.
    """
    with decoding(path, _EXPECTED):
        if path.suffix.lower() in ARRAYS:
            return array_size(path, bands)
        if named := _bands_of_tiff(path, bands):
            return tiff_size(path, named)
        with open_picture(path, _FORMATS) as image:
            check_kind(path, image, samples_of(path, image))
            if bands:
                _check_bands(path, image, bands)
            return upright_size(path, image)


def lies_on_its_side(path: Path) -> bool:
    """Return whether reading a picture swaps height and width because of its EXIF orientation.

    Raises:
        InputError: as for `image_size`.
    """
    if path.suffix.lower() in ARRAYS:
        return False
    with decoding(path, _EXPECTED), open_picture(path, _FORMATS) as image:
        return upright_size(path, image) != stored_size(image)


def _bands_of_tiff(path: Path, bands: Sequence[str]) -> Sequence[str]:
    """Return the bands with which to read a TIFF sample by sample, empty if Pillow is to read it.

    They are those of the model, or the colours of a TIFF of floats.

    Raises:
        InputError: it has floats that are neither grey nor RGB.
    """
    if not is_tiff(path):
        return ()
    if bands:
        return bands
    count = floating_samples(path)
    if count not in (0, *_FLOATING):
        raise InputError(
            f"{path}: expected a TIFF of floats that is grey or RGB, but it has {count} samples a "
            "pixel: save the colours alone, or pass --channels-are if the model takes these bands."
        )
    named = _FLOATING.get(count, ())
    if named:  # grey becomes three channels, as in any picture
        check_pixels(path, *tiff_size(path, named))
    return named


def _check_bands(path: Path, image: ImageFile.ImageFile, bands: Sequence[str]) -> None:
    """Raise InputError unless a photograph has as many channels as there are bands, none of them
    an alpha channel, a palette or inks."""
    channels = 1 if image.mode in _GREY else 3 if image.mode == "RGB" else 0
    if channels != len(bands):
        found = {0: f"is a picture of the kind {image.mode}", 1: "is grey", 3: "is RGB"}[channels]
        raise other_bands(path, bands, found)
