"""One picture file as an array in the declared input unit: RGB in [0, 1], upright."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from onnxcert.inputs.decoding import decoding, open_picture
from onnxcert.inputs.pictures.array import array_size, read_array
from onnxcert.inputs.pictures.orientation import turn_of, upright_size
from onnxcert.inputs.pictures.pixels import check_kind, strips
from onnxcert.inputs.pictures.samples import samples_of

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".npy")

_FORMATS: Final = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_EXPECTED: Final = "a PNG, JPEG, BMP, TIFF or WebP picture or a .npy array"


def read_image(path: Path) -> npt.NDArray[np.float32]:
    """Read a picture at its own resolution.

    PNG, JPEG, BMP, TIFF and WebP: grey, palette, RGB or CMYK up to 8 bits a channel are divided
    by 255, PNG and TIFF of 16 bits, grey or RGB, by 65535. They are turned upright by their EXIF
    orientation; transparency is dropped, so the colour stored under it counts; CMYK becomes RGB
    by the plain formula, without a colour profile. A `.npy` file holds [H, W], [H, W, 3] or
    [3, H, W], either uint8, which is divided by 255, or floats in [0, 1]. Grey becomes three
    equal channels.

    Returns:
        float32 [3, H, W], RGB, in [0, 1].

    Raises:
        InputError: the file is missing, damaged, empty, moving, of several pages, of more than
            `bounds.MAX_PIXELS` pixels, or of another kind.
    """
    with decoding(path, _EXPECTED):
        if path.suffix.lower() == ".npy":
            return read_array(path)
        with open_picture(path, _FORMATS) as image:
            samples = samples_of(path, image)
            check_kind(path, image, samples)
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
        return upright


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of the array `read_image` would give, from the file's header.

    Raises:
        InputError: as for `read_image`, except for damage past the header.
    """
    with decoding(path, _EXPECTED):
        if path.suffix.lower() == ".npy":
            return array_size(path)
        with open_picture(path, _FORMATS) as image:
            check_kind(path, image, samples_of(path, image))
            return upright_size(path, image)
