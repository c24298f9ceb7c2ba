"""Opening files so that damage of any kind becomes one sentence naming the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError

if TYPE_CHECKING:
    from PIL import Image


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
    except Exception as error:
        # Damaged chunks make decoders raise nearly every built-in exception there is.
        raise InputError(
            f"{path}: expected {expected}, but {_reason(error)}: mend the file or leave it out."
        ) from error


def _reason(error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "its contents are none of these"
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels to be opened safely"
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode it"
    if isinstance(error, OSError) and error.strerror:
        return f"the system says {error.strerror.lower()!r}"
    return "it is damaged or cut short"


def open_picture(path: Path, formats: tuple[str, ...]) -> Image.Image:
    """Open a picture without decoding its pixels; only inside `decoding`."""
    from PIL import Image

    return Image.open(path, formats=formats)


def png_bit_depth(path: Path) -> int:
    """Bits a sample in the PNG file at `path`, which Pillow hides by widening or narrowing."""
    with path.open("rb") as file:
        return file.read(25)[24]


def load_array(path: Path, *, mapped: bool = False) -> npt.NDArray[Any]:
    """The array in the `.npy` file at `path`; only inside `decoding`.

    Args:
        path: the file.
        mapped: map the file instead of reading it, for the sake of its shape.

    Raises:
        InputError: the file holds several arrays.
    """
    array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(
            f"{path}: expected one array, but it is an archive of several: "
            "save each with numpy.save."
        )
    return array
