"""Open untrusted files: with limits, and such that any damage becomes one InputError.

A header of a few bytes can ask for gigabytes or for minutes.
"""

from __future__ import annotations

import logging
import mmap
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

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
_MAX_TEXT: Final = 2**24
_STDERR: Final = 2

# Pillow logs some errors before it raises them; without a handler, Python would print them.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# Signatures of other files that users may pass as images: offset, bytes, description.
_OTHERS: Final = (
    (0, b"GIF8", "it is a GIF, which may be animated and has at most 256 colours"),
    (4, b"jP  ", "it is JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "it is JPEG 2000"),
    (4, b"JXL ", "it is JPEG XL"),
    (4, b"ftyp", "it is AVIF, HEIF or a video"),
    (0, b"8BPS", "it is a Photoshop document"),
    (0, b"%PDF", "it is a PDF"),
    (0, b"v/1\x01", "it is OpenEXR"),
    (0, b"II*\0", "it is a TIFF that is damaged or of a kind that is not read"),
    (0, b"MM\0*", "it is a TIFF that is damaged or of a kind that is not read"),
    (0, b"\x89PNG", "it is a PNG that is damaged or cut short"),
    (0, b"\xff\xd8\xff", "it is a JPEG that is damaged or cut short"),
    (8, b"WEBP", "it is a WebP that is damaged or cut short"),
)


@contextmanager
def decoding_errors(path: Path, expected: str) -> Iterator[None]:
    """Turn every error that occurs while `path` is read into an InputError.

    Args:
        path: the file being read.
        expected: the expected kind of file with its article, such as ``a PNG picture``.

    Raises:
        InputError: any exception was raised inside the block. An InputError passes unchanged.
    """
    try:
        # Decoders warn about damage that they then raise, or that does not affect the pixels.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(
            f"{path}: expected {expected}, but there is no such file: check its name."
        ) from None
    except Exception as error:
        # On damaged files, decoders raise nearly every built-in exception.
        raise InputError(
            f"{path}: expected {expected}, but {_reason(path, error)}: "
            "fix or convert the file, or leave it out."
        ) from error


def _reason(path: Path, error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as file:
            start = file.read(12)
        known = (what for at, magic, what in _OTHERS if start[at:].startswith(magic))
        return next(known, "its contents are none of these")
    if isinstance(error, Image.DecompressionBombError):
        return f"it has too many pixels, more than {MAX_PIXELS:,}"
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode it"
    if isinstance(error, OSError) and error.strerror:
        return f"the system says {error.strerror.lower()!r}"
    return "it is damaged or cut short"


@contextmanager
def open_file(path: Path, *, limit: int = 2**29) -> Iterator[BinaryIO]:
    """Open a regular file of at most `limit` bytes; see `check_file`."""
    check_file(path, limit=limit)
    with path.open("rb") as file:
        yield file


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


@contextmanager
def open_image(
    path: Path, file: BinaryIO, formats: tuple[str, ...]
) -> Iterator[ImageFile.ImageFile]:
    """Open the image in `file` without decoding its pixels; call it inside `decoding_errors`.

    Raises:
        InputError: the image has several pages or frames, no pixels or too many, or is too slow to
            decode.
    """
    from PIL import Image

    file.seek(0)
    # Pass an open file: given a name, Pillow maps some files and then does not turn them upright.
    with Image.open(file, formats=formats) as image:
        check_pixels(path, image.width, image.height)
        # Further images in a JPEG are only previews.
        if image.format in ("PNG", "TIFF", "WEBP") and getattr(image, "is_animated", False):
            many = "TIFF of several pages" if image.format == "TIFF" else f"animated {image.format}"
            raise InputError(
                f"{path}: expected one picture, but it is a{'n' * many.startswith('a')} {many}: "
                "save each picture in its own file."
            )
        _check_decoding_cost(path, file, image)
        yield image


def _check_decoding_cost(path: Path, file: BinaryIO, image: ImageFile.ImageFile) -> None:
    """Raise InputError for encodings in which a small file takes minutes to decode."""
    if image.format in ("JPEG", "MPO"):
        with map_file(file) as data:
            scans = _count_scans(data)
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


def map_file(file: BinaryIO) -> mmap.mmap:
    """Map a non-empty file into memory, so that only the parts that are read take memory."""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _count_scans(data: mmap.mmap) -> int:
    scans, at = 0, 2
    while match := _MARKER.search(data, at):
        at = match.end()
        marker = data[at - 1]
        if marker == 0xD9:  # end of this image
            break
        scans += marker == 0xDA
        at += int.from_bytes(data[at : at + 2])
    return scans


def read_lines(path: Path, expected: str) -> list[str]:
    """Return all lines of a UTF-8 text file, empty ones too, without whitespace at their ends.

    Raises:
        InputError: the file is missing, too large, or not UTF-8 text.
    """
    with decoding_errors(path, expected), open_file(path, limit=_MAX_TEXT) as file:
        return [line.strip() for line in file.read().decode("utf-8-sig").splitlines()]


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what the C libraries of this process write to standard error inside the block.

    libtiff prints details of damage there, before the caller can report it in one sentence. Keep
    the block short: output of other threads is lost as well.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(_STDERR)
    except (OSError, ValueError, AttributeError):  # no standard error
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
