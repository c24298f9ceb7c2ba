"""How an image file stores its samples; Pillow hides this by converting them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from PIL import ImageFile

BITS, PHOTOMETRIC, PLANAR, FORMAT = 258, 262, 284, 339

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


def read_sample_format(path: Path, image: ImageFile.ImageFile) -> SampleFormat:
    """Return the sample format of `image`, opened from `path`; call it inside `decoding_errors`."""
    if image.format == "PNG":
        with path.open("rb") as file:
            return SampleFormat(bits=file.read(25)[24])
    if image.format == "TIFF":
        tags: Any = image.tag_v2  # type: ignore[attr-defined]
        return SampleFormat(
            bits=max(_numbers(tags.get(BITS, 1))),
            format=_FORMATS.get(max(_numbers(tags.get(FORMAT, 1))), "unknown"),
            white_is_zero=tags.get(PHOTOMETRIC, 0) == 0,
            planar=tags.get(PLANAR, 1) == 2,
            lossy=image.info.get("compression") in ("jpeg", "tiff_jpeg", "webp"),
            swapped=(tags.prefix == b"MM") == (sys.byteorder == "little"),
        )
    return SampleFormat(lossy=image.format != "BMP")


def _numbers(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
