"""Limits for one input file: a header of a few bytes can ask for gigabytes or for minutes."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onnxcert.errors import InputError
from onnxcert.files.regular import describe_irregular

if TYPE_CHECKING:
    from PIL import ImageFile

#: Largest image that is read, slightly above 8192 x 8192. As float32 RGB it takes 960 MB.
MAX_PIXELS: Final = 80_000_000

_MAX_SCANS: Final = 100
# Pillow decodes run-length BMP in Python; older versions do not check a jump of 255 rows.
_MAX_RUN_LENGTH: Final = 4_000_000
_MAX_RUN_LENGTH_WIDTH: Final = 2**16
# A JPEG marker that is not a stuffed zero, a restart or padding.
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")


def check_file(path: Path, *, limit: int = 2**29) -> None:
    """Raise InputError unless `path` is a regular file (no pipe) of at most `limit` bytes."""
    status = path.stat()
    kind = describe_irregular(status.st_mode)
    if kind:
        raise InputError(f"{path}: expected a file, but it is {kind}: name the file itself.")
    if status.st_size > limit:
        raise InputError(
            f"{path}: expected a file of at most {limit >> 20} MiB, but it has "
            f"{status.st_size:,} bytes: split it."
        )


def check_pixels(path: Path, width: int, height: int, *, limit: int = MAX_PIXELS) -> None:
    """Raise InputError unless the image has at least one pixel and at most `limit`."""
    if width < 1 or height < 1:
        raise InputError(f"{path}: expected a picture, but it has no pixels: leave it out.")
    if width * height > limit:
        raise InputError(
            f"{path}: expected at most {limit:,} pixels, but it has {width * height:,} "
            f"({width} x {height}): cut the picture into tiles or make it smaller."
        )


def check_decoding_cost(path: Path, image: ImageFile.ImageFile) -> None:
    """Raise InputError for encodings in which a small file takes minutes to decode."""
    if image.format in ("JPEG", "MPO"):
        with map_file(path) as data:
            scans = _scans(data)
        if scans > _MAX_SCANS:
            raise InputError(
                f"{path}: expected a JPEG of at most {_MAX_SCANS} scans, but it has {scans}, "
                "and each takes a pass over all pixels: save it again."
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
def map_file(path: Path) -> Iterator[mmap.mmap]:
    """Map a non-empty file into memory, so that only the parts that are read take memory."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _scans(data: mmap.mmap) -> int:
    scans, at = 0, 2
    while match := _MARKER.search(data, at):
        at = match.end()
        marker = data[at - 1]
        if marker == 0xD9:  # end of this image
            break
        scans += marker == 0xDA
        at += int.from_bytes(data[at : at + 2])
    return scans
