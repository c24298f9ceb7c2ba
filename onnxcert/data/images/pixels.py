"""Decode the pixels of an image in strips, upright, with the full bit depth of the file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.decoding import map_file, open_image, quiet
from onnxcert.errors import InputError

if TYPE_CHECKING:
    from PIL import Image, ImageFile

_WIDTH, _LENGTH, _BITS, _PHOTOMETRIC, _ORIENTATION = 256, 257, 258, 262, 274
_PLANAR, _FORMAT = 284, 339
_EXIF: Final = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")

_FORMATS: Final = {1: "unsigned", 2: "signed", 3: "floating"}


@dataclass(frozen=True)
class SampleFormat:
    """The sample format of an image file.

    Attributes:
        bits: bits of the widest sample.
        format: ``unsigned``, ``signed``, ``floating`` or ``unknown``.
        white_is_zero: grey runs from white to black; Pillow inverts it up to 8 bits.
        planar: one plane per channel, one after the other.
        lossy: compression may have changed the samples.
        swapped: the byte order is not that of this machine.
    """

    bits: int = 8
    format: str = "unsigned"
    white_is_zero: bool = False
    planar: bool = False
    lossy: bool = False
    swapped: bool = False


def read_sample_format(file: BinaryIO, image: ImageFile.ImageFile) -> SampleFormat:
    """Return the sample format of `image`, opened from `file`; call it inside `decoding_errors`."""
    if image.format == "PNG":
        file.seek(24)
        return SampleFormat(bits=file.read(1)[0])
    if image.format == "TIFF":
        tags: Any = image.tag_v2  # type: ignore[attr-defined]
        return SampleFormat(
            bits=max(_numbers(tags.get(_BITS, 1))),
            format=_FORMATS.get(max(_numbers(tags.get(_FORMAT, 1))), "unknown"),
            white_is_zero=tags.get(_PHOTOMETRIC, 0) == 0,
            planar=tags.get(_PLANAR, 1) == 2,
            lossy=image.info.get("compression") in ("jpeg", "tiff_jpeg", "webp"),
            swapped=(tags.prefix == b"MM") == (sys.byteorder == "little"),
        )
    return SampleFormat(lossy=image.format != "BMP")


def _numbers(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


@dataclass(frozen=True)
class Orientation:
    """Steps from the stored to the upright image: transpose, then flip."""

    transpose: bool = False
    flip_y: bool = False
    flip_x: bool = False

    def turn_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return upright (height, width) from the stored one."""
        return size[::-1] if self.transpose else size

    def view_as_stored(self, upright: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a view of `upright` [..., h, w] with rows and columns in stored order."""
        view = upright[..., :: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return view.swapaxes(-1, -2) if self.transpose else view


_UPRIGHT: Final = Orientation()
_TURNS: Final = {
    1: _UPRIGHT,
    2: Orientation(flip_x=True),
    3: Orientation(flip_y=True, flip_x=True),
    4: Orientation(flip_y=True),
    5: Orientation(transpose=True),
    6: Orientation(transpose=True, flip_x=True),
    7: Orientation(transpose=True, flip_y=True, flip_x=True),
    8: Orientation(transpose=True, flip_y=True),
}


def parse_orientation(orientation: int) -> Orientation:
    """Return the steps for an EXIF orientation number; none if it is invalid."""
    return _TURNS.get(orientation, _UPRIGHT)


def read_orientation(file: BinaryIO, image: ImageFile.ImageFile) -> Orientation:
    """Return the orientation of `image`, opened from `file`; call it inside `decoding_errors`."""
    if image.format == "PNG":
        # The orientation may follow the pixels, and Pillow decodes them all to find it. Most files
        # have no such chunk, so search for its name first.
        with map_file(file) as data:
            if all(data.find(mark) < 0 for mark in _EXIF):
                return _UPRIGHT
        from PIL import Image

        file.seek(0)
        with Image.open(file, formats=("PNG",)) as again:  # it would decode `image` to 8 bits
            return parse_orientation(again.getexif().get(_ORIENTATION, 1))
    return parse_orientation(image.getexif().get(_ORIENTATION, 1))


def get_stored_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Return (height, width) of `image` as stored; call it inside `decoding_errors`."""
    if image.format == "TIFF":
        # Versions of Pillow differ in whether the size is upright before decoding.
        tags: dict[int, Any] = image.tag_v2  # type: ignore[attr-defined]
        return tags[_LENGTH], tags[_WIDTH]
    return image.height, image.width


_EIGHT: Final = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK")
# Older versions of Pillow call 16-bit grey "I".
_SIXTEEN_GREY: Final = ("I;16", "I;16B", "I;16L", "I")
_SIXTEEN_COLOUR: Final = ("RGB", "RGBA", "RGBX")
_STRIP: Final = 2**20


def check_kind(path: Path, image: ImageFile.ImageFile, samples: SampleFormat) -> None:
    """Raise InputError unless `decode_strips` can read `image`."""
    reason = _explain_unreadable(image, samples)
    if reason is not None:
        raise InputError(
            f"{path}: expected grey, RGB, palette or CMYK of 8 bits per channel, or grey or RGB of "
            f"16, but the picture {reason}: convert it to RGB PNG, or to .npy of floats in [0, 1]."
        )


def decode_strips(
    path: Path, file: BinaryIO, image: ImageFile.ImageFile, samples: SampleFormat
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Decode `image`; call it inside `decoding_errors` and after `check_kind`.

    Transparency is dropped, so the colour stored under it counts. Grey becomes three equal
    channels, CMYK becomes RGB as Pillow converts it.

    Yields:
        (y, pixels): index of the first row, and [rows, W, 3], uint8 or uint16.
    """
    if samples.bits < 16:
        for y, part in _split_strips(image):
            # Convert to RGBA first: Pillow warns if a palette with transparency becomes RGB.
            mode = "RGB" if part.mode == "CMYK" else "RGBA"
            yield y, np.asarray(part.convert(mode))[..., :3]
    elif image.mode in _SIXTEEN_GREY:
        for y, part in _split_strips(image):
            grey = np.asarray(part).astype(np.uint16)
            grey = np.uint16(65535) - grey if samples.white_is_zero else grey
            yield y, grey[..., None].repeat(3, axis=2)
    elif _get_raw_mode(image).startswith("LA"):
        # Pillow has no mode for 16-bit grey with alpha, so read its four bytes as RGBA.
        _set_raw_mode(image, "RGBA")
        for y, part in _split_strips(image):
            halves = np.asarray(part).astype(np.uint16)
            yield y, (halves[..., :1] << 8 | halves[..., 1:2]).repeat(3, axis=2)
    else:
        # Pillow keeps the upper 8 bits per channel. Decode a second time with the byte order
        # swapped to get the lower 8 bits.
        raw, low = _get_raw_mode(image), _swap_byte_order(_get_raw_mode(image))
        assert image.format is not None
        with open_image(path, file, (image.format,)) as again:
            if again.mode != image.mode or _get_raw_mode(again) != raw:
                raise InputError(f"{path}: the file changed while it was read: try again.")
            _set_raw_mode(again, low)
            for (y, upper), (_, lower) in zip(
                _split_strips(image), _split_strips(again), strict=True
            ):
                high, rest = np.asarray(upper)[..., :3], np.asarray(lower)[..., :3]
                yield y, high.astype(np.uint16) << 8 | rest


def _explain_unreadable(image: ImageFile.ImageFile, samples: SampleFormat) -> str | None:
    """Return why `decode_strips` could not give the pixels exactly as stored, or None."""
    if samples.format != "unsigned":
        return f"has {samples.format} samples"
    if samples.bits not in (1, 2, 4, 8, 16):
        return f"has {samples.bits} bits per sample"
    if samples.bits < 16:
        if image.mode not in _EIGHT:
            return f"is of mode {image.mode}"
        if image.format in ("JPEG", "MPO") and image.mode == "CMYK" and "adobe" not in image.info:
            return "is a CMYK JPEG without a mark whether its inks are inverted"
        return None
    if image.mode in _SIXTEEN_GREY:
        return None
    if samples.planar:
        return "has 16 bits per channel in separate planes"
    raw = _get_raw_mode(image)
    name = raw.partition(";")[0]
    if image.format == "PNG" and raw == "LA;16B":
        return None
    if name not in _SIXTEEN_COLOUR or not raw.endswith((";16B", ";16L", ";16N")):
        return f"has 16 bits per channel in the mode {name}"
    return None


def _get_raw_mode(image: ImageFile.ImageFile) -> str:
    arguments = image.tile[0][3] if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _swap_byte_order(raw: str) -> str:
    big = raw.endswith("B") or (raw.endswith("N") and sys.byteorder == "big")
    return raw[:-1] + ("L" if big else "B")


def _set_raw_mode(image: ImageFile.ImageFile, raw: str) -> None:
    """Make Pillow read the bytes of `image`, opened but not decoded, in the raw mode `raw`."""
    tiles: list[Any] = image.tile
    image.tile = [
        type(tile)(*_replace_raw_mode(tile, raw))
        if hasattr(tile, "_fields")
        else _replace_raw_mode(tile, raw)
        for tile in tiles
    ]


def _replace_raw_mode(tile: Any, raw: str) -> Any:
    arguments = tile[3]
    return (*tile[:3], (raw, *arguments[1:]) if isinstance(arguments, tuple) else raw)


def load_pixels(image: ImageFile.ImageFile) -> None:
    """Decode `image`; call it inside `decoding_errors`."""
    if image.format == "TIFF":
        with quiet():
            image.load()
    else:
        image.load()


def _split_strips(image: ImageFile.ImageFile) -> Iterator[tuple[int, Image.Image]]:
    load_pixels(image)
    width, height = image.size
    rows = max(1, _STRIP // width)
    for y in range(0, height, rows):
        yield y, image.crop((0, y, width, min(y + rows, height)))
