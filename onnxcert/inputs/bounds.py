"""What one file may ask for: a few bytes can name a picture of gigabytes, or of minutes."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onnxcert.errors import InputError
from onnxcert.regular import irregular

if TYPE_CHECKING:
    from PIL import ImageFile

#: Largest picture that is read: 8192 x 8192, and somewhat more. As float32 RGB it takes 960 MB.
MAX_PIXELS: Final = 80_000_000

_MAX_SCANS: Final = 100
# Pillow unpacks these in Python and, in older versions, follows one jump of 255 rows blindly.
_MAX_RUN_LENGTH: Final = 4_000_000
_MAX_RUN_LENGTH_WIDTH: Final = 2**16
# A JPEG marker: neither a stuffed zero, nor a restart, nor padding.
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")


def check_file(path: Path, *, limit: int = 2**29) -> None:
    """Raise InputError unless `path` is a file, as no pipe is, of at most `limit` bytes."""
    status = path.stat()
    kind = irregular(status.st_mode)
    if kind:
        raise InputError(f"{path}: expected a file, but it is {kind}: name the file itself.")
    if status.st_size > limit:
        raise InputError(
            f"{path}: expected a file of at most {limit >> 20} MiB, but it has "
            f"{status.st_size:,} bytes: cut it into parts."
        )


def check_pixels(path: Path, width: int, height: int, *, limit: int = MAX_PIXELS) -> None:
    """Raise InputError where width x height are none or more than `limit` pixels."""
    if width < 1 or height < 1:
        raise InputError(f"{path}: expected a picture, but it has no pixels: leave it out.")
    if width * height > limit:
        raise InputError(
            f"{path}: expected at most {limit:,} pixels, but it has {width * height:,} "
            f"({width} x {height}): cut the picture into tiles or make it smaller."
        )


def check_work(path: Path, image: ImageFile.ImageFile) -> None:
    """Raise InputError for the encodings in which a small file costs minutes."""
    if image.format in ("JPEG", "MPO"):
        with mapped(path) as data:
            scans = _scans(data)
        if scans > _MAX_SCANS:
            raise InputError(
                f"{path}: expected a JPEG of at most {_MAX_SCANS} scans, but it has {scans}, "
                "each of which passes over all pixels: save it again."
            )
    elif image.format == "BMP" and image.tile and image.tile[0][0] == "bmp_rle":
        pixels = image.width * image.height
        if pixels > _MAX_RUN_LENGTH or image.width > _MAX_RUN_LENGTH_WIDTH:
            raise InputError(
                f"{path}: expected a run-length encoded BMP of at most {_MAX_RUN_LENGTH:,} pixels "
                f"and {_MAX_RUN_LENGTH_WIDTH:,} in width, but it has {image.width} x "
                f"{image.height}: save it as PNG."
            )


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """Map a file that is not empty, so that only the parts that are read take memory."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _scans(data: mmap.mmap) -> int:
    scans, at = 0, 2
    while match := _MARKER.search(data, at):
        at = match.end()
        marker = data[at - 1]
        if marker == 0xD9:  # what follows is another picture, or none
            break
        scans += marker == 0xDA
        at += int.from_bytes(data[at : at + 2])
    return scans
