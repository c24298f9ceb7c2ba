"""Bringing pictures upright by the orientation that cameras write into them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt

from onnxcert.inputs.bounds import mapped

if TYPE_CHECKING:
    from PIL import ImageFile

_ORIENTATION, _WIDTH, _LENGTH = 0x0112, 256, 257


@dataclass(frozen=True)
class Turn:
    """From the picture as stored to the picture upright: first transposed, then flipped."""

    transpose: bool = False
    flip_y: bool = False
    flip_x: bool = False

    def as_stored(self, upright: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View of `upright` [..., h, w] whose rows and columns are those stored."""
        view = upright[..., :: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return view.swapaxes(-1, -2) if self.transpose else view


_UPRIGHT: Final = Turn()
_TURNS: Final = {
    1: _UPRIGHT,
    2: Turn(flip_x=True),
    3: Turn(flip_y=True, flip_x=True),
    4: Turn(flip_y=True),
    5: Turn(transpose=True),
    6: Turn(transpose=True, flip_x=True),
    7: Turn(transpose=True, flip_y=True, flip_x=True),
    8: Turn(transpose=True, flip_y=True),
}


def turn_of(path: Path, image: ImageFile.ImageFile) -> Turn:
    """What is left to do once `image` is decoded; only inside `decoding`."""
    # Pillow turns TIFF itself, where the orientation is part of the format.
    return _UPRIGHT if image.format == "TIFF" else _stored_turn(path, image)


def upright_size(path: Path, image: ImageFile.ImageFile) -> tuple[int, int]:
    """(height, width) of `image` upright, before it is decoded; only inside `decoding`."""
    height, width = stored_size(image)
    return (width, height) if _stored_turn(path, image).transpose else (height, width)


def stored_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Return (height, width) of `image` as stored; only inside `decoding`."""
    if image.format == "TIFF":
        # Versions of Pillow differ in whether the size is upright before decoding.
        tags: dict[int, Any] = image.tag_v2  # type: ignore[attr-defined]
        return tags[_LENGTH], tags[_WIDTH]
    return image.height, image.width


def stored_turn(orientation: int) -> Turn:
    """What the number of an orientation asks for; nothing where it is none."""
    return _TURNS.get(orientation, _UPRIGHT)


def _stored_turn(path: Path, image: ImageFile.ImageFile) -> Turn:
    # PNG may tell its orientation behind the pixels, and Pillow decodes them all to look there;
    # most pictures have no such chunk at all.
    if image.format == "PNG":
        marks = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
        with mapped(path) as data:
            if all(data.find(mark) < 0 for mark in marks):
                return _UPRIGHT
    return stored_turn(image.getexif().get(_ORIENTATION, 1))
