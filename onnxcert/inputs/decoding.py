"""Opening files so that damage of any kind becomes one sentence naming the file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.bounds import MAX_PIXELS, check_file, check_pixels, check_work

if TYPE_CHECKING:
    from PIL import ImageFile

_MAX_TEXT: Final = 2**24

# Pillow logs some damage that it then raises; without a handler, Python prints such lines.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# How files begin that may be taken for a picture of ours: where, with what, and what they are.
_OTHERS: Final = (
    (0, b"GIF8", "it is a GIF, which may move and has no more than 256 colours"),
    (4, b"jP  ", "it is JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "it is JPEG 2000"),
    (4, b"JXL ", "it is JPEG XL"),
    (4, b"ftyp", "it is AVIF, HEIF or a film"),
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
def decoding(path: Path, expected: str) -> Iterator[None]:
    """Turn whatever goes wrong while `path` is read into an InputError.

    Args:
        path: the file being read.
        expected: what it should have been, with its article: ``a PNG picture``.

    Raises:
        InputError: for any exception inside the block; an InputError passes through unchanged.
    """
    try:
        # Decoders warn about damage that they then report, or that does not touch the pixels.
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
        # Damaged chunks make decoders raise nearly every built-in exception there is.
        raise InputError(
            f"{path}: expected {expected}, but {_reason(path, error)}: "
            "mend or convert the file, or leave it out."
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
def open_picture(path: Path, formats: tuple[str, ...]) -> Iterator[ImageFile.ImageFile]:
    """Open a picture without decoding its pixels; only inside `decoding`.

    Raises:
        InputError: it has several pages or frames, no pixels, too many, or takes too long.
    """
    from PIL import Image

    check_file(path)
    # Given a name, Pillow maps some files into memory, and then forgets to turn them upright.
    with path.open("rb") as file, Image.open(file, formats=formats) as image:
        check_pixels(path, image.width, image.height)
        _check_single(path, image)
        check_work(path, image)
        yield image


def _check_single(path: Path, image: ImageFile.ImageFile) -> None:
    # A JPEG of several pictures is a photograph with its previews.
    if image.format in ("PNG", "TIFF", "WEBP") and getattr(image, "is_animated", False):
        many = "a TIFF of several pages" if image.format == "TIFF" else f"a moving {image.format}"
        raise InputError(
            f"{path}: expected one picture, but it is {many}: "
            "save the pictures wanted in files of their own."
        )


def load_array(path: Path, *, mapped: bool = False) -> npt.NDArray[Any]:
    """The array in the `.npy` file at `path`; only inside `decoding`.

    Args:
        path: the file.
        mapped: map the file instead of reading it, for the sake of its shape.

    Raises:
        InputError: the file is none or too large, or holds several arrays.
    """
    check_file(path)
    # Mapped first: a header that names more than the file holds must not be given memory.
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(
            f"{path}: expected one array, but it is an archive of several: "
            "save each with numpy.save."
        )
    return array if mapped else np.load(path, allow_pickle=False)


def read_lines(path: Path, expected: str) -> list[str]:
    """The lines of a UTF-8 text file, blank ones too, without space at their ends.

    Raises:
        InputError: the file is missing, too large, or not UTF-8 text.
    """
    with decoding(path, expected):
        check_file(path, limit=_MAX_TEXT)
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
