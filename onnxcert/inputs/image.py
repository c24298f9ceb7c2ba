"""One picture file as an array in the declared input unit: RGB in [0, 1], upright."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.decoding import decoding, load_array, open_picture, png_bit_depth

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".npy")

_FORMATS: Final = ("PNG", "JPEG", "BMP")
_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA")
_EXPECTED: Final = "a PNG, JPEG or BMP picture or a .npy array"

# Flips and quarter turns that bring each EXIF orientation upright: (transpose, flip y, flip x).
_UPRIGHT: Final = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def read_image(path: Path) -> npt.NDArray[np.float32]:
    """Read a picture at its own resolution.

    PNG, JPEG and BMP of 8 bits a channel (grey, palette or RGB) are divided by 255 and turned
    upright by their EXIF orientation; transparency is dropped, so the colour stored under it
    counts. A `.npy` file holds [H, W], [H, W, 3] or [3, H, W], either uint8, which is divided by
    255, or floats in [0, 1]. Grey becomes three equal channels.

    Returns:
        float32 [3, H, W], RGB, in [0, 1].

    Raises:
        InputError: the file is missing, damaged, empty or of another kind.
    """
    with decoding(path, _EXPECTED):
        if path.suffix.lower() == ".npy":
            return _from_array(path, load_array(path))
        with open_picture(path, _FORMATS) as image:
            _check_picture(path, image)
            transpose, flip_y, flip_x = _UPRIGHT[_orientation(path, image)]
            # By way of RGBA, as a palette with transparency cannot go to RGB without a warning.
            pixels = np.asarray(image.convert("RGBA"))[..., :3]
        if transpose:
            pixels = pixels.swapaxes(0, 1)
        pixels = pixels[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
        return _scaled(pixels.transpose(2, 0, 1))


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of the array `read_image` would give, from the file's header.

    Raises:
        InputError: as for `read_image`, except for damage past the header.
    """
    with decoding(path, _EXPECTED):
        if path.suffix.lower() == ".npy":
            array = load_array(path, mapped=True)
            height, width = (array.shape[axis] for axis in _spatial_axes(path, array))
            return height, width
        with open_picture(path, _FORMATS) as image:
            _check_picture(path, image)
            transpose, _, _ = _UPRIGHT[_orientation(path, image)]
            return image.size if transpose else (image.height, image.width)


def _check_picture(path: Path, image: Image.Image) -> None:
    if 0 in image.size:
        raise InputError(f"{path}: expected a picture, but it has no pixels: leave it out.")
    deep = image.format == "PNG" and png_bit_depth(path) == 16
    if deep or image.mode not in _MODES:
        kind = "has 16 bits a channel" if deep else f"is of the kind {image.mode}"
        raise InputError(
            f"{path}: expected 8 bits a channel, grey or RGB, but the picture {kind}: "
            "convert it to RGB PNG, or to a .npy of floats in [0, 1]."
        )


def _orientation(path: Path, image: Image.Image) -> int:
    # PNG may tell its orientation behind the pixels, and Pillow decodes them all to look there;
    # most pictures have no such chunk at all.
    if image.format == "PNG":
        data = path.read_bytes()
        marks = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
        if not any(mark in data for mark in marks):
            return 1
    value = image.getexif().get(0x0112, 1)
    return value if value in _UPRIGHT else 1


def _from_array(path: Path, array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    height, width = _spatial_axes(path, array)
    pixels = array[None].repeat(3, axis=0) if array.ndim == 2 else array
    if array.ndim == 3 and (height, width) == (0, 1):
        pixels = array.transpose(2, 0, 1)
    if array.dtype != np.uint8:
        # Written so that NaN fails as well.
        if not bool(np.all((array >= 0) & (array <= 1))):
            raise InputError(
                f"{path}: expected floats in [0, 1], but some lie outside or are not finite: "
                "divide by the largest value a pixel can have, or save uint8."
            )
        return np.ascontiguousarray(pixels, dtype=np.float32)
    return _scaled(pixels)


def _spatial_axes(path: Path, array: npt.NDArray[Any]) -> tuple[int, int]:
    shape = array.shape
    found = f"{array.dtype} of shape {shape}"
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise InputError(f"{path}: expected uint8 or floats, but it is {found}: convert it.")
    if 0 in shape:
        raise InputError(f"{path}: expected a picture, but it is {found}: leave it out.")
    if array.ndim == 2:
        return 0, 1
    if array.ndim == 3 and shape[0] == 3 and shape[2] == 3:
        raise InputError(
            f"{path}: expected channels on one side only, but {found} could be [3, H, W] or "
            "[H, W, 3]: save it as a picture file."
        )
    if array.ndim == 3 and shape[0] == 3:
        return 1, 2
    if array.ndim == 3 and shape[2] == 3:
        return 0, 1
    raise InputError(
        f"{path}: expected [H, W], [H, W, 3] or [3, H, W], but it is {found}: reshape it."
    )


def _scaled(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.divide(pixels, np.float32(255), dtype=np.float32, order="C")
