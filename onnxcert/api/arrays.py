"""Images in memory as the array that noise is added to; one rule for layout and value range.

Layout: the channels are on the axis, first or last, of as many values as the model has channels. If
both axes fit, `layout` must say ``CHW`` or ``HWC``. An image [H, W] is grey, for models of one
channel.

Values: floats are in [0, 1] and uint8 from 0 to 255. For anything else `range` gives the values of
black and white.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from onnxcert._typing import FloatArray
from onnxcert.errors import InputError, ParameterError

if TYPE_CHECKING:
    from PIL import Image

Layout = Literal["CHW", "HWC"]

_LAYOUTS: Final = ("CHW", "HWC")
_CPU: Final = 1  # kDLCPU of DLPack
_EIGHT_BITS: Final = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK")
_SIXTEEN_BITS: Final = ("I;16", "I;16B", "I;16L", "I;16N")


def to_numpy(array: Any) -> npt.NDArray[Any]:
    """Return an array or tensor of any library in NumPy, without a copy if it is in memory.

    PyTorch, CuPy and others are read by DLPack; from a device they are copied once.

    Raises:
        InputError: it is not an array of numbers.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(
            "a masked array has values that are not to be used; pass an array without a mask."
        )
    if getattr(array, "requires_grad", False):
        array = array.detach()
    try:
        if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack__"):
            found = np.asarray(array)
        elif _is_in_memory(array):
            found = np.from_dlpack(array)
        elif hasattr(array, "get"):  # CuPy
            found = np.asarray(array.get())
        elif hasattr(array, "cpu"):  # PyTorch
            found = np.from_dlpack(array.cpu())
        else:
            found = np.from_dlpack(array, device="cpu")
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{type(array).__name__} cannot be read as an array ({str(error).rstrip('.')}); pass "
            "a NumPy array."
        ) from None
    if found.dtype.kind not in "fiub":
        raise InputError(
            f"expected an array of numbers, got {type(array).__name__} of {found.dtype}; pass "
            "numbers."
        )
    return found


def _is_in_memory(array: Any) -> bool:
    """Return whether an array may be read without a copy; if not, `to_numpy` returns a copy."""
    if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack__"):
        return True
    return bool(array.__dlpack_device__()[0] == _CPU)


def read_array(
    array: Any,
    channels: int,
    *,
    layout: str | None = None,
    range: Sequence[float] | None = None,
) -> FloatArray:
    """Return an image in memory of its own: float32 [C, H, W] in [0, 1].

    Args:
        array: an image [C, H, W], [H, W, C], or for one channel [H, W]; see this module.
        channels: channels of the model. A model of one channel also takes images of three, which
            it gets in grey.
        layout: ``CHW`` or ``HWC``; None to find it.
        range: values of black and white; None for the usual ones.

    Returns:
        C is `channels`; for a model of one channel always 3, with equal channels for grey.

    Raises:
        InputError: the array has another shape or other values.
        ParameterError: `layout` or `range` is invalid.
    """
    found = to_numpy(array)
    taken = {channels, 3} if channels == 1 else {channels}
    first = _channels_first(found, taken, layout)
    pixels = scale(first, range, own=not _is_in_memory(array))
    return pixels.repeat(3, axis=0) if channels == 1 and len(pixels) == 1 else pixels


def read_pil(image: Image.Image, channels: int) -> FloatArray:
    """Return a PIL image as `onnxcert.data.read_image` returns its file: [C, H, W] in [0, 1].

    It is turned upright, transparency is dropped, and grey becomes three equal channels.

    Args:
        image: the image.
        channels: channels of the model; with other than 1 or 3 the image is refused.

    Raises:
        InputError: the image has another number of channels, or a mode without a known range.
    """
    from PIL import ImageOps

    mode = image.mode
    if channels not in (1, 3):
        raise InputError(
            f"the model takes {channels} bands, got a PIL image of mode {mode}; pass an array of "
            f"{channels} channels."
        )
    image = ImageOps.exif_transpose(image)
    if mode in _EIGHT_BITS:
        # By way of RGBA, because Pillow warns if a palette with transparency becomes RGB.
        rgb = image.convert("RGB" if mode == "CMYK" else "RGBA")
        return scale(np.asarray(rgb)[..., :3].transpose(2, 0, 1), None)
    if mode in _SIXTEEN_BITS:
        grey = scale(np.asarray(image).astype(np.uint16)[None], (0, 65535))
    elif mode == "F":
        grey = scale(np.asarray(image)[None], None)
    else:
        raise InputError(
            f"a PIL image of mode {mode} does not say which values are black and white; pass an "
            "array with range=(black, white)."
        )
    return grey.repeat(3, axis=0)


def _channels_first(
    array: npt.NDArray[Any], taken: Collection[int], layout: str | None
) -> npt.NDArray[Any]:
    """Return a view [C, H, W] of an image."""
    shape, count = list(array.shape), " or ".join(map(str, sorted(taken)))
    if layout is not None and layout not in _LAYOUTS:
        raise ParameterError(f"layout must be CHW or HWC, got {layout!r}.")
    if array.ndim == 2 and 1 in taken and layout is None and array.size:
        return array[None]
    grey = ", or [height, width]" if 1 in taken else ""
    expected = f"[{count}, height, width] or [height, width, {count}]{grey}"
    if array.ndim != 3 or not array.size:
        raise InputError(
            f"an image must have the shape {expected}, got {shape}; pass one image, without a "
            "batch axis, or a list of images."
        )
    fits = {"CHW": shape[0] in taken, "HWC": shape[2] in taken}
    if layout is None:
        found = [name for name in _LAYOUTS if fits[name]]
        if len(found) > 1:
            raise InputError(
                f"the shape {shape} fits both [channels, height, width] and [height, width, "
                "channels]; pass layout='CHW' or layout='HWC'."
            )
        layout = found[0] if found else "CHW"
    if not fits[layout]:
        raise InputError(
            f"an image must have the shape {expected}, got {shape}; pass an image with the "
            f"model's channels ({count})."
        )
    return array if layout == "CHW" else array.transpose(2, 0, 1)


def scale(
    pixels: npt.NDArray[Any],
    range: Sequence[float] | None,
    *,
    own: bool = False,
) -> FloatArray:
    """Return pixels in [0, 1], as float32, in memory that is not shared with the caller.

    Args:
        pixels: values of any type.
        range: values of black and white; None for the usual ones.
        own: whether `pixels` is a copy already, so that it need not be copied again.

    Raises:
        InputError: the values are outside the range, not finite, or of a type without a usual one.
        ParameterError: the range is invalid.
    """
    low, high = _check_range(range)
    if range is None:
        if pixels.dtype == np.uint8:
            low, high = 0.0, 255.0
        elif pixels.dtype.kind != "f":
            raise InputError(
                f"{pixels.dtype} does not say which values are black and white; pass "
                "range=(black, white), such as range=(0, 65535)."
            )
    least, most = float(pixels.min()), float(pixels.max())
    if not low <= least <= most <= high:  # so that NaN fails, too
        if not (math.isfinite(least) and math.isfinite(most)):
            raise InputError(
                "pixels must be finite numbers, got NaN or infinity; fix or leave out the image."
            )
        remedy = (
            "pass range=(black, white), such as range=(0, 255)"
            if range is None
            else "pass the values of black and white"
        )
        raise InputError(
            f"pixels must lie in [{low:g}, {high:g}], got {least:g} to {most:g}; {remedy}."
        )
    if (low, high) == (0.0, 1.0):
        return as_float32(pixels) if own else np.array(pixels, np.float32, order="C")
    if low == 0.0 and pixels.dtype.itemsize <= 2:  # as files are read, bit for bit
        scaled: FloatArray = np.divide(pixels, np.float32(high), dtype=np.float32, order="C")
        return scaled
    return as_float32((pixels.astype(np.float64) - low) / (high - low))


def as_float32(array: npt.NDArray[Any]) -> FloatArray:
    """Return `array` as contiguous float32, without a copy if it is that."""
    return np.ascontiguousarray(array, dtype=np.float32)


def _check_range(range: Sequence[float] | str | None) -> tuple[float, float]:
    """Return the values of black and white; 0 and 1 for None."""
    if range is None:
        return 0.0, 1.0
    try:
        low, high = map(float, () if isinstance(range, str) else range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError(
            f"range must be the values of black and white, such as (0, 255), got {range!r}."
        )
    return low, high
