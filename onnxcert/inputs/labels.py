"""Label maps, one class index a pixel, and the names of the classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import InputError
from onnxcert.inputs.decoding import decoding, load_array, open_picture, png_bit_depth

SUFFIXES: Final = (".png", ".npy", ".bmp")

_FORMATS: Final = ("PNG", "BMP")
_EXPECTED: Final = "a label map as index PNG, BMP or .npy"


def read_labels(
    path: Path, *, size: tuple[int, int], classes: int, ignore_label: int | None
) -> npt.NDArray[np.int32]:
    """Read the true class of every pixel.

    An index picture is grey, 8 or 16 bits, or has a palette, whose indices count and whose
    colours do not. A `.npy` file holds integers [H, W]. EXIF orientation is not applied.

    Args:
        path: the label map.
        size: (height, width) of its photograph.
        classes: number of classes of the model.
        ignore_label: the index of pixels that nobody labelled, or None.

    Returns:
        int32 [H, W], each 0 .. classes - 1 or `ignore_label`.

    Raises:
        InputError: the file is missing, damaged, a colour picture, of another size than the
            photograph, or holds another index.
    """
    labels = _decode(path)
    if labels.shape != size:
        raise InputError(
            f"{path}: expected a label map as large as its photograph, {size[1]} x {size[0]} "
            f"pixels wide and high, but it has {labels.shape[1]} x {labels.shape[0]}: "
            "resize the labels by nearest neighbour, or pass the photograph they belong to."
        )
    known = (labels >= 0) & (labels < classes)
    if ignore_label is not None:
        known |= labels == ignore_label
    if not known.all():
        value = int(labels[~known].min())
        raise InputError(
            f"{path}: expected class indices 0 to {classes - 1}, but {value} occurs: "
            f"if it marks unlabelled pixels, pass --ignore-label {value}, "
            "else use labels made for this model."
        )
    return labels.astype(np.int32)


def label_size(path: Path) -> tuple[int, int]:
    """(height, width) of a label map, from the file's header.

    Raises:
        InputError: as for `read_labels`, except for damage past the header and bad indices.
    """
    with decoding(path, _EXPECTED):
        if path.suffix.lower() == ".npy":
            height, width = _checked(path, load_array(path, mapped=True)).shape
            return height, width
        with open_picture(path, _FORMATS) as image:
            _check_mode(path, image.mode)
            return image.height, image.width


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read one class name a line, in the order of the indices; blank lines are dropped.

    Raises:
        InputError: the file is missing, not UTF-8 text, empty, or names a class twice.
    """
    with decoding(path, "a UTF-8 text file with one class name a line"):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise InputError(f"{path}: expected one class name a line, but it has none: add them.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"{path}: expected a name of its own for each class, but {twice!r} occurs twice: "
            "rename one."
        )
    return names


def _decode(path: Path) -> npt.NDArray[Any]:
    with decoding(path, _EXPECTED):
        if path.suffix.lower() == ".npy":
            return _checked(path, load_array(path))
        with open_picture(path, _FORMATS) as image:
            _check_mode(path, image.mode)
            labels = np.asarray(image)
            # Pillow spreads grey of 2 and 4 bits over 0 .. 255, but here each step is a class.
            if image.format == "PNG" and image.mode == "L":
                labels = labels // {2: 85, 4: 17}.get(png_bit_depth(path), 1)
        return _checked(path, labels.astype(np.uint8) if labels.dtype == np.bool_ else labels)


def _check_mode(path: Path, mode: str) -> None:
    # "I" is what older versions of Pillow call 16-bit grey.
    if mode not in ("1", "L", "P", "I") and not mode.startswith("I;16"):
        raise InputError(
            f"{path}: expected a label map with one class index a pixel, but it is a colour "
            f"picture of the kind {mode}: convert its colours to indices."
        )


def _checked(path: Path, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if labels.ndim != 2 or labels.dtype.kind not in "iu" or labels.size == 0:
        raise InputError(
            f"{path}: expected integers [H, W], but it is {labels.dtype} of shape "
            f"{labels.shape}: convert it."
        )
    return labels
