"""Label maps (one class index per pixel) and class names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.arrays import StoredArray, open_array
from onnxcert.data.decoding import (
    MAX_PIXELS,
    check_pixels,
    decoding_errors,
    open_file,
    open_image,
    read_lines,
)
from onnxcert.data.images.pixels import (
    SampleFormat,
    check_kind,
    decode_strips,
    get_stored_size,
    load_pixels,
    read_orientation,
    read_sample_format,
)
from onnxcert.data.labels.encoding import INDEX, LabelEncoding
from onnxcert.errors import InputError

if TYPE_CHECKING:
    from PIL import ImageFile

SUFFIXES: Final = (".png", ".npy", ".bmp", ".tif", ".tiff")

_FORMATS: Final = ("PNG", "BMP", "TIFF")
_EXPECTED: Final = "a label map as PNG, BMP, TIFF or .npy"
# Pillow scales grey of 2 or 4 bits to 0 .. 255; divide by the step to restore class indices.
_STEP: Final = {2: 85, 4: 17}
_EITHER_ORDER: Final = (*((bits, "unsigned") for bits in (1, 2, 4, 8, 16)), (8, "signed"))


def read_labels(
    path: Path,
    *,
    size: tuple[int, int],
    classes: int,
    ignore_label: int | None,
    also_ignored: Sequence[int] = (),
    label_encoding: LabelEncoding = INDEX,
) -> npt.NDArray[np.int32]:
    """Read the ground truth class of every pixel.

    Images of numbers are greyscale of up to 16 bits, or have a palette: then the palette indices
    are the numbers and its colours are ignored. If `label_encoding` uses colours, only the colours
    are read. A `.npy` file holds integers [H, W]. EXIF orientation is ignored, except in TIFF,
    where it is part of the format.

    Args:
        path: the label map.
        size: (height, width) of the image that it labels.
        classes: number of classes of the model.
        ignore_label: index of unlabelled pixels, or None.
        also_ignored: further indices of unlabelled pixels; they become `ignore_label`.
        label_encoding: the label encoding.

    Returns:
        int32 [H, W], each 0 .. classes - 1 or `ignore_label`.

    Raises:
        InputError: the file is missing, damaged, of the wrong kind or size, or holds another number
            or colour.
    """
    with _open_labels(path, label_encoding) as opened:
        labels = unify_ignored(
            label_encoding.decode(path, opened.read()), ignore_label, also_ignored
        )
    if labels.shape != size:
        raise InputError(
            f"{path}: expected a label map as large as its picture, {size[1]} x {size[0]} "
            f"pixels (width x height), but it has {labels.shape[1]} x {labels.shape[0]}: "
            "resize the labels by nearest neighbour, or pass the picture they belong to."
        )
    known = (labels >= 0) & (labels < classes)
    if ignore_label is not None:
        known |= labels == ignore_label
    if not known.all():
        value = int(labels[~known].min())
        raise InputError(
            f"{path}: expected class indices 0 to {classes - 1}, but {value} occurs: "
            f"if it marks unlabelled pixels, pass --ignore-label {value}, "
            "otherwise use labels made for this model."
        )
    return labels.astype(np.int32, copy=False)


def unify_ignored(
    labels: npt.NDArray[Any], ignore_label: int | None, also_ignored: Sequence[int]
) -> npt.NDArray[Any]:
    """Return `labels` with `ignore_label` in place of each label in `also_ignored`."""
    if ignore_label is None or not also_ignored:
        return labels
    return np.where(np.isin(labels, also_ignored), ignore_label, labels)


def read_label_size(path: Path, *, label_encoding: LabelEncoding = INDEX) -> tuple[int, int]:
    """Return (height, width) of a label map from the file's header.

    Raises:
        InputError: as for `read_labels`, except for damage past the header and invalid indices.
    """
    with _open_labels(path, label_encoding) as opened:
        return opened.size


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read one class name per line, in index order; empty lines are skipped.

    Raises:
        InputError: the file is missing, not UTF-8 text, empty, or names a class twice.
    """
    lines = read_lines(path, "a UTF-8 text file with one class name per line")
    names = tuple(line for line in lines if line)
    if not names:
        raise InputError(f"{path}: expected one class name per line, but it has none: add them.")
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputError(
            f"{path}: expected different class names, but {twice!r} occurs twice: rename one."
        )
    return names


@dataclass(frozen=True)
class _OpenLabels:
    """A label file whose header was read: (height, width), and what decodes its numbers."""

    size: tuple[int, int]
    read: Callable[[], npt.NDArray[Any]]


@contextmanager
def _open_labels(path: Path, label_encoding: LabelEncoding) -> Iterator[_OpenLabels]:
    colours = label_encoding.colours
    with decoding_errors(path, _EXPECTED):
        if path.suffix.lower() == ".npy":
            with open_array(path) as array:
                size = _check_array(path, array, colours=colours)
                yield _OpenLabels(size, partial(array.read, limit=MAX_PIXELS))
            return
        with open_file(path) as file, open_image(path, file, _FORMATS) as image:
            samples = read_sample_format(file, image)
            _check_kind(path, image, samples, colours=colours)
            size = image.height, image.width
            if image.format == "TIFF":
                size = read_orientation(file, image).turn_size(get_stored_size(image))
            if colours:
                read = partial(_decode_colours, path, file, image, samples, size)
            else:
                read = partial(_decode_numbers, image, samples)
            yield _OpenLabels(size, read)


def _decode_colours(
    path: Path,
    file: BinaryIO,
    image: ImageFile.ImageFile,
    samples: SampleFormat,
    size: tuple[int, int],
) -> npt.NDArray[np.int32]:
    values = np.empty(size, np.int32)
    for y, rows in decode_strips(path, file, image, samples):
        wide = rows.astype(np.int32)
        values[y : y + len(rows)] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return values


def _decode_numbers(image: ImageFile.ImageFile, samples: SampleFormat) -> npt.NDArray[Any]:
    load_pixels(image)
    numbers = np.asarray(image)
    if image.mode == "L":
        numbers = numbers // _STEP.get(samples.bits, 1)
    if samples.format == "signed" and numbers.dtype == np.uint8:
        numbers = numbers.view(np.int8)
    return numbers.astype(np.uint8) if numbers.dtype == np.bool_ else numbers


def _check_kind(
    path: Path, image: ImageFile.ImageFile, samples: SampleFormat, *, colours: bool
) -> None:
    if samples.lossy:
        raise InputError(
            f"{path}: expected a lossless label map, but its compression is lossy, which creates "
            "wrong classes along edges: save the original labels as PNG."
        )
    if colours:
        check_kind(path, image, samples)
        if samples.bits == 16:
            raise InputError(
                f"{path}: expected labels in colours of 8 bits per channel, but it has 16: "
                "convert it to RGB PNG."
            )
        return
    mode = image.mode
    # Older versions of Pillow call 16-bit grey "I".
    if mode not in ("1", "L", "P", "I") and not mode.startswith("I;16"):
        raise InputError(
            f"{path}: expected a label map with one class index per pixel, but it is a colour "
            f"picture of mode {mode}: give its colours with --palette FILE, or convert them to "
            "indices."
        )
    # Pillow swaps the bytes of these wrongly, compressed or not.
    confused = samples.swapped and (samples.bits, samples.format) not in _EITHER_ORDER
    if samples.white_is_zero or samples.bits not in (1, 2, 4, 8, 16, 32) or confused:
        found = "has 0 as white" if samples.white_is_zero else f"has {samples.bits} bits"
        raise InputError(
            f"{path}: expected integers of up to 16 bits with 0 as black, but it {found}"
            f"{' in a byte order that cannot be read' if confused else ''}: convert it to PNG."
        )


def _check_array(path: Path, labels: StoredArray, *, colours: bool) -> tuple[int, int]:
    if colours:
        raise InputError(
            f"{path}: expected a PNG, BMP or TIFF picture with the colours of the palette, but it "
            "is an array: save it as PNG, or leave --palette out."
        )
    if len(labels.shape) != 2 or labels.dtype.kind not in "iu" or 0 in labels.shape:
        raise InputError(
            f"{path}: expected integers [H, W], but it is {labels.dtype} of shape "
            f"{labels.shape}: convert it."
        )
    height, width = labels.shape
    check_pixels(path, width, height)
    return height, width
