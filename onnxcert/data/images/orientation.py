"""Turn images upright by the EXIF orientation that cameras write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt

from onnxcert.data.files.limits import map_file

if TYPE_CHECKING:
    from PIL import ImageFile

_ORIENTATION, _WIDTH, _LENGTH = 0x0112, 256, 257


@dataclass(frozen=True)
class Orientation:
    """Steps from the stored to the upright image: transpose, then flip."""

    transpose: bool = False
    flip_y: bool = False
    flip_x: bool = False

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


def get_pending_orientation(path: Path, image: ImageFile.ImageFile) -> Orientation:
    """Return what is left to apply after decoding; call it inside `decoding_errors`."""
    # Pillow applies the orientation of TIFF, where it is part of the format.
    return _UPRIGHT if image.format == "TIFF" else _read_orientation(path, image)


def get_upright_size(path: Path, image: ImageFile.ImageFile) -> tuple[int, int]:
    """Return upright (height, width) before decoding; call it inside `decoding_errors`."""
    height, width = get_stored_size(image)
    return (width, height) if _read_orientation(path, image).transpose else (height, width)


def get_stored_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Return (height, width) of `image` as stored; call it inside `decoding_errors`."""
    if image.format == "TIFF":
        # Versions of Pillow differ in whether the size is upright before decoding.
        tags: dict[int, Any] = image.tag_v2  # type: ignore[attr-defined]
        return tags[_LENGTH], tags[_WIDTH]
    return image.height, image.width


def parse_orientation(orientation: int) -> Orientation:
    """Return the steps for an EXIF orientation number; none if it is invalid."""
    return _TURNS.get(orientation, _UPRIGHT)


def _read_orientation(path: Path, image: ImageFile.ImageFile) -> Orientation:
    # In PNG the orientation may follow the pixels, and Pillow decodes them all to find it. Most
    # files have no such chunk, so search for its name first.
    if image.format == "PNG":
        marks = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
        with map_file(path) as data:
            if all(data.find(mark) < 0 for mark in marks):
                return _UPRIGHT
    return parse_orientation(image.getexif().get(_ORIENTATION, 1))
