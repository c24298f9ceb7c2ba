"""The decoded pixels of a picture, strip by strip, with all the bits that its file holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.decoding import open_picture
from onnxcert.inputs.pictures.quiet import quiet
from onnxcert.inputs.pictures.samples import Samples

if TYPE_CHECKING:
    from PIL import Image, ImageFile

_EIGHT: Final = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK")
# "I" is what older versions of Pillow call 16-bit grey.
_SIXTEEN_GREY: Final = ("I;16", "I;16B", "I;16L", "I")
_SIXTEEN_COLOUR: Final = ("RGB", "RGBA", "RGBX")
_STRIP: Final = 2**20


def check_kind(path: Path, image: ImageFile.ImageFile, samples: Samples) -> None:
    """Raise InputError unless `strips` can read `image`."""
    reason = _unreadable(image, samples)
    if reason is not None:
        raise InputError(
            f"{path}: expected grey, RGB, palette or CMYK of 8 bits a channel, or grey or RGB of "
            f"16, but the picture {reason}: convert it to RGB PNG, or to a .npy of floats in "
            "[0, 1]."
        )


def strips(
    path: Path, image: ImageFile.ImageFile, samples: Samples
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Decode `image`; only inside `decoding`, and after `check_kind`.

    Transparency is dropped, so the colour stored under it counts. Grey becomes three equal
    channels, CMYK becomes RGB as Pillow converts it.

    Yields:
        (y, pixels): number of the first row, and [rows, W, 3], uint8 or uint16.
    """
    if samples.bits < 16:
        for y, part in _parts(image):
            # By way of RGBA, as a palette with transparency cannot go to RGB without a warning.
            mode = "RGB" if part.mode == "CMYK" else "RGBA"
            yield y, np.asarray(part.convert(mode))[..., :3]
    elif image.mode in _SIXTEEN_GREY:
        for y, part in _parts(image):
            grey = np.asarray(part).astype(np.uint16)
            grey = np.uint16(65535) - grey if samples.white_is_zero else grey
            yield y, grey[..., None].repeat(3, axis=2)
    elif _raw_mode(image).startswith("LA"):
        # Pillow has no such mode, but four bytes a pixel are four bytes a pixel.
        _decode_as(image, "RGBA")
        for y, part in _parts(image):
            halves = np.asarray(part).astype(np.uint16)
            yield y, (halves[..., :1] << 8 | halves[..., 1:2]).repeat(3, axis=2)
    else:
        # Pillow keeps 8 bits a channel, but lets one say which: the same bytes, read as if of
        # the other byte order, give the lower halves.
        raw, low = _raw_mode(image), _other_half(_raw_mode(image))
        assert image.format is not None
        with open_picture(path, (image.format,)) as again:
            if again.mode != image.mode or _raw_mode(again) != raw:
                raise InputError(f"{path}: changed while it was read: try again.")
            _decode_as(again, low)
            for (y, upper), (_, lower) in zip(_parts(image), _parts(again), strict=True):
                high, rest = np.asarray(upper)[..., :3], np.asarray(lower)[..., :3]
                yield y, high.astype(np.uint16) << 8 | rest


def _unreadable(image: ImageFile.ImageFile, samples: Samples) -> str | None:
    """Why `strips` would not give the pixels as they were saved."""
    if samples.format != "unsigned":
        return f"has {samples.format} samples"
    if samples.bits not in (1, 2, 4, 8, 16):
        return f"has {samples.bits} bits a sample"
    if samples.bits < 16:
        if image.mode not in _EIGHT:
            return f"is of the kind {image.mode}"
        if image.format in ("JPEG", "MPO") and image.mode == "CMYK" and "adobe" not in image.info:
            return "is a CMYK JPEG that does not say whether its inks are inverted"
        return None
    if image.mode in _SIXTEEN_GREY:
        return None
    if samples.planar:
        return "has 16 bits a channel and keeps the channels apart"
    raw = _raw_mode(image)
    name = raw.partition(";")[0]
    if image.format == "PNG" and raw == "LA;16B":
        return None
    if name not in _SIXTEEN_COLOUR or not raw.endswith((";16B", ";16L", ";16N")):
        return f"has 16 bits a channel of the kind {name}"
    return None


def _raw_mode(image: ImageFile.ImageFile) -> str:
    arguments = image.tile[0][3] if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _other_half(raw: str) -> str:
    big = raw.endswith("B") or (raw.endswith("N") and sys.byteorder == "big")
    return raw[:-1] + ("L" if big else "B")


def _decode_as(image: ImageFile.ImageFile, raw: str) -> None:
    """Have `image`, opened and not yet decoded, read its bytes as of the kind `raw`."""
    tiles: list[Any] = image.tile
    image.tile = [
        type(tile)(*_with_raw(tile, raw)) if hasattr(tile, "_fields") else _with_raw(tile, raw)
        for tile in tiles
    ]


def _with_raw(tile: Any, raw: str) -> Any:
    arguments = tile[3]
    return (*tile[:3], (raw, *arguments[1:]) if isinstance(arguments, tuple) else raw)


def load(image: ImageFile.ImageFile) -> None:
    """Decode `image`; only inside `decoding`."""
    if image.format == "TIFF":
        with quiet():
            image.load()
    else:
        image.load()


def _parts(image: ImageFile.ImageFile) -> Iterator[tuple[int, Image.Image]]:
    load(image)
    width, height = image.size
    rows = max(1, _STRIP // width)
    for y in range(0, height, rows):
        yield y, image.crop((0, y, width, min(y + rows, height)))
