"""Read an image file as an array in the input unit: RGB or bands in [0, 1], upright."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, final

import numpy as np
import numpy.typing as npt

from onnxcert.data.decoding import decoding_errors, open_file, open_image
from onnxcert.data.images import array, tiff
from onnxcert.data.images.bands import band_mismatch_error
from onnxcert.data.images.pixels import (
    Orientation,
    check_kind,
    decode_strips,
    get_stored_size,
    read_orientation,
    read_sample_format,
)

if TYPE_CHECKING:
    from PIL import ImageFile

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", *array.SUFFIXES)

_FORMATS: Final = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_EXPECTED: Final = "a PNG, JPEG, BMP, TIFF or WebP picture or a .npy or .npz array"
# Pillow modes of one grey channel.
_GREY: Final = ("1", "L", "I;16", "I;16B", "I;16L", "I")


@final
@dataclass(frozen=True)
class OpenImage:
    """An image file whose header was read and whose pixels were not.

    Attributes:
        size: (height, width) of the upright image.
        rotated: height and width are swapped because of the orientation in the file.
        read: decodes the pixels; see `read_image`.
    """

    size: tuple[int, int]
    rotated: bool
    read: Callable[[], npt.NDArray[np.float32]]


@contextmanager
def open_image_file(path: Path, bands: Sequence[str] = ()) -> Iterator[OpenImage]:
    """Open the image at `path`; all that is read of it comes from this one open file.

    Args:
        path: the file.
        bands: names of the model's bands; empty for colour images.

    Raises:
        InputError: as for `read_image`; damage past the header only when the pixels are read.
    """
    with decoding_errors(path, _EXPECTED):
        if path.suffix.lower() in array.SUFFIXES:
            with array.open_arrays(path, bands) as arrays:
                size = array.read_array_size(arrays, bands)
                yield OpenImage(size, False, partial(array.read_arrays, arrays, bands))
            return
        with open_file(path) as file:
            if layouts := tiff.find_layouts(path, file, bands):
                stored = layouts[0].height, layouts[0].width
                read = partial(_read_tiff, path, file, layouts, len(bands) or 3)
                yield OpenImage(layouts[0].upright, layouts[0].upright != stored, read)
                return
            with open_image(path, file, _FORMATS) as image:
                check_kind(path, image, read_sample_format(file, image))
                if bands:
                    _check_bands(path, image, bands)
                turn, stored = read_orientation(file, image), get_stored_size(image)
                size = turn.turn_size(stored)
                read = partial(_decode, path, file, image, turn, size, len(bands) or 3)
                yield OpenImage(size, size != stored, read)


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
            `decoding.MAX_PIXELS` pixels, of another number of bands or of another kind.
    """
    with open_image_file(path, bands) as opened:
        return opened.read()


def read_image_size(path: Path, bands: Sequence[str] = ()) -> tuple[int, int]:
    """Return (height, width) of what `read_image` would give, from the file's header.

    Raises:
        InputError: as for `read_image`, except for damage past the header.
    """
    with open_image_file(path, bands) as opened:
        return opened.size


def _read_tiff(
    path: Path, file: BinaryIO, layouts: Sequence[tiff.Layout], channels: int
) -> npt.NDArray[np.float32]:
    pixels = array.scale_to_unit(path, tiff.read_tiff(file, layouts))
    return pixels if len(pixels) == channels else pixels.repeat(channels, axis=0)


def _decode(
    path: Path,
    file: BinaryIO,
    image: ImageFile.ImageFile,
    turn: Orientation,
    size: tuple[int, int],
    channels: int,
) -> npt.NDArray[np.float32]:
    upright = np.empty((3, *size), np.float32)
    # Pillow applies the orientation of TIFF, where it is part of the format.
    stored = upright if image.format == "TIFF" else turn.view_as_stored(upright)
    for y, rows in decode_strips(path, file, image, read_sample_format(file, image)):
        full = np.float32(np.iinfo(rows.dtype).max)
        # Use float32 throughout: stored results depend on the digest of these values.
        np.divide(rows.transpose(2, 0, 1), full, out=stored[:, y : y + len(rows)], dtype=np.float32)
    return upright[:channels]


def _check_bands(path: Path, image: ImageFile.ImageFile, bands: Sequence[str]) -> None:
    """Raise InputError unless the image has one plain channel for each band.

    An alpha channel, a palette or CMYK inks are refused.
    """
    channels = 1 if image.mode in _GREY else 3 if image.mode == "RGB" else 0
    if channels != len(bands):
        found = {0: f"is a picture of mode {image.mode}", 1: "is grey", 3: "is RGB"}[channels]
        raise band_mismatch_error(path, bands, found)
