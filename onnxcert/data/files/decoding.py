"""Open files such that any damage becomes one InputError that names the file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.files.limits import MAX_PIXELS, check_decoding_cost, check_file, check_pixels
from onnxcert.errors import InputError

if TYPE_CHECKING:
    from PIL import ImageFile

_MAX_TEXT: Final = 2**24

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
def open_image(path: Path, formats: tuple[str, ...]) -> Iterator[ImageFile.ImageFile]:
    """Open an image without decoding its pixels; call it inside `decoding_errors`.

    Raises:
        InputError: the image has several pages or frames, no pixels or too many, or is too slow to
            decode.
    """
    from PIL import Image

    check_file(path)
    # Pass an open file: given a name, Pillow maps some files and then does not turn them upright.
    with path.open("rb") as file, Image.open(file, formats=formats) as image:
        check_pixels(path, image.width, image.height)
        _check_single(path, image)
        check_decoding_cost(path, image)
        yield image


def _check_single(path: Path, image: ImageFile.ImageFile) -> None:
    # Further images in a JPEG are only previews.
    if image.format in ("PNG", "TIFF", "WEBP") and getattr(image, "is_animated", False):
        many = (
            "a TIFF of several pages" if image.format == "TIFF" else f"an animated {image.format}"
        )
        raise InputError(
            f"{path}: expected one picture, but it is {many}: save each picture in its own file."
        )


def load_array(path: Path, *, mapped: bool = False) -> npt.NDArray[Any]:
    """Return the array in the `.npy` file at `path`; call it inside `decoding_errors`.

    Args:
        path: the file.
        mapped: map the file into memory instead of reading it, to look at its shape only.

    Raises:
        InputError: the path is not a regular file, the file is too large, or it holds several
            arrays.
    """
    check_file(path)
    # Map it first: a damaged header could ask for more memory than the file holds.
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(
            f"{path}: expected one array, but it is an archive of several: "
            "save each with numpy.save."
        )
    return array if mapped else np.load(path, allow_pickle=False)


def read_lines(path: Path, expected: str) -> list[str]:
    """Return all lines of a UTF-8 text file, empty ones too, without whitespace at their ends.

    Raises:
        InputError: the file is missing, too large, or not UTF-8 text.
    """
    with decoding_errors(path, expected):
        check_file(path, limit=_MAX_TEXT)
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
