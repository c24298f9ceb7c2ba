"""Label maps (one class index per pixel) and class names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.data.files.decoding import decoding_errors, load_array, open_image, read_lines
from onnxcert.data.files.limits import check_pixels
from onnxcert.data.images.orientation import get_upright_size
from onnxcert.data.images.pixels import (
    SampleFormat,
    check_kind,
    decode_strips,
    load_pixels,
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
        label_encoding: the label encoding.

    Returns:
        int32 [H, W], each 0 .. classes - 1 or `ignore_label`.

    Raises:
        InputError: the file is missing, damaged, of the wrong kind or size, or holds another number
            or colour.
    """
    with decoding_errors(path, _EXPECTED):
        labels = label_encoding.decode(path, _decode(path, colours=label_encoding.colours))
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


def read_label_size(path: Path, *, label_encoding: LabelEncoding = INDEX) -> tuple[int, int]:
    """Return (height, width) of a label map from the file's header.

    Raises:
        InputError: as for `read_labels`, except for damage past the header and invalid indices.
    """
    with decoding_errors(path, _EXPECTED):
        if path.suffix.lower() == ".npy":
            array = load_array(path, mapped=True)
            height, width = _check_array(path, array, colours=label_encoding.colours).shape
            return height, width
        with open_image(path, _FORMATS) as image:
            _check_kind(
                path, image, read_sample_format(path, image), colours=label_encoding.colours
            )
            return _get_size(path, image)


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


def _decode(path: Path, *, colours: bool) -> npt.NDArray[Any]:
    if path.suffix.lower() == ".npy":
        _check_array(path, load_array(path, mapped=True), colours=colours)
        return load_array(path)
    with open_image(path, _FORMATS) as image:
        samples = read_sample_format(path, image)
        _check_kind(path, image, samples, colours=colours)
        if colours:
            values = np.empty(_get_size(path, image), np.int32)
            for y, rows in decode_strips(path, image, samples):
                wide = rows.astype(np.int32)
                values[y : y + len(rows)] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
            return values
        load_pixels(image)
        numbers = np.asarray(image)
        if image.mode == "L":
            numbers = numbers // _STEP.get(samples.bits, 1)
        if samples.format == "signed" and numbers.dtype == np.uint8:
            numbers = numbers.view(np.int8)
    return numbers.astype(np.uint8) if numbers.dtype == np.bool_ else numbers


def _get_size(path: Path, image: ImageFile.ImageFile) -> tuple[int, int]:
    return get_upright_size(path, image) if image.format == "TIFF" else (image.height, image.width)


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


def _check_array(path: Path, labels: npt.NDArray[Any], *, colours: bool) -> npt.NDArray[Any]:
    if colours:
        raise InputError(
            f"{path}: expected a PNG, BMP or TIFF picture with the colours of the palette, but it "
            "is an array: save it as PNG, or leave --palette out."
        )
    if labels.ndim != 2 or labels.dtype.kind not in "iu" or labels.size == 0:
        raise InputError(
            f"{path}: expected integers [H, W], but it is {labels.dtype} of shape "
            f"{labels.shape}: convert it."
        )
    check_pixels(path, labels.shape[1], labels.shape[0])
    return labels
