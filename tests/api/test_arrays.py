"""One rule for the layout and the values of images in memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import array_api_strict
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from onnxcert.api.arrays import read_array, read_pil, to_numpy
from onnxcert.data import read_image
from onnxcert.errors import InputError, ParameterError

Array = npt.NDArray[Any]
SIDES = st.integers(1, 9)


def pixels(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).random(shape, np.float32)


@given(st.integers(1, 5), SIDES, SIDES)
def test_the_channels_are_where_the_shape_says_or_must_be_named(
    channels: int, height: int, width: int
) -> None:
    first = pixels((channels, height, width))
    last = np.ascontiguousarray(first.transpose(1, 2, 0))
    taken = {1, 3} if channels == 1 else {channels}
    expected = first.repeat(3, axis=0) if channels == 1 else first
    for array, layout, other in ((first, "CHW", width), (last, "HWC", height)):
        if other in taken:
            with pytest.raises(InputError, match="fits both"):
                read_array(array, channels)
        else:
            np.testing.assert_array_equal(read_array(array, channels), expected)
        np.testing.assert_array_equal(read_array(array, channels, layout=layout), expected)


@given(SIDES, SIDES, SIDES)
def test_an_image_without_the_channels_of_the_model_is_refused(a: int, b: int, c: int) -> None:
    if 4 in (a, c):
        a, c = 5, 5
    with pytest.raises(InputError, match=r"\[4, height, width\]"):
        read_array(pixels((a, b, c)), 4)


@given(SIDES, SIDES)
def test_a_model_of_one_channel_takes_grey_and_colour(height: int, width: int) -> None:
    grey = pixels((height, width))
    found = read_array(grey, 1)
    assert found.shape == (3, height, width)
    assert all((channel == grey).all() for channel in found)
    with pytest.raises(InputError, match="3, height, width"):
        read_array(grey, 3)


@given(st.sampled_from(["uint8", "float32", "float64", "float16"]))
def test_the_values_of_usual_types_need_no_range(kind: str) -> None:
    levels = np.arange(256).reshape(1, 16, 16).repeat(3, axis=0)
    unit = np.divide(levels, np.float32(255), dtype=np.float32)
    given_values = levels.astype(np.uint8) if kind == "uint8" else unit.astype(kind)
    found = read_array(given_values, 3)
    assert found.dtype == np.float32
    expected = unit if kind != "float16" else unit.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["uint16", "int16", "int32", "int64", "bool", "int8"])
def test_other_types_need_a_range(kind: str) -> None:
    array = np.ones((3, 4, 5), kind)
    with pytest.raises(InputError, match="pass range="):
        read_array(array, 3)
    np.testing.assert_array_equal(read_array(array, 3, range=(0, 2)), np.full((3, 4, 5), 0.5))


@given(
    st.floats(-1000, 1000, width=32),
    st.floats(0.125, 1000, width=32),
    st.sampled_from(["float32", "float64", "int32"]),
)
def test_black_becomes_0_and_white_1_and_what_lies_outside_is_refused(
    low: float, size: float, kind: str
) -> None:
    if kind == "int32":
        low, size = round(low), max(1, round(size))
    high = low + size
    array = np.array([low, high, low], np.float64).astype(kind).reshape(3, 1, 1)
    found = read_array(array, 3, layout="CHW", range=(float(array.min()), float(array.max())))
    assert found.ravel().tolist() == [0.0, 1.0, 0.0]
    with pytest.raises(InputError, match="must lie in"):
        read_array(array, 3, layout="CHW", range=(low + 0.6 * size, high + size))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("limits", [None, (0, 255)])
def test_values_that_are_not_finite_are_refused(bad: float, limits: Any) -> None:
    array = pixels((3, 4, 5))
    array[1, 2, 3] = bad
    with pytest.raises(InputError, match="finite"):
        read_array(array, 3, range=limits)


@pytest.mark.parametrize(
    "words",
    [
        {"layout": "NCHW"},
        {"layout": "chw"},
        {"range": (1, 0)},
        {"range": (0, 0)},
        {"range": (0, np.inf)},
        {"range": 255},
        {"range": (0, 1, 2)},
        {"range": ("a", "b")},
    ],
    ids=str,
)
def test_an_invalid_word_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"^{next(iter(words))} must be"):
        read_array(pixels((3, 4, 5)), 3, **words)


def torch_tensor(array: Array) -> Any:
    return pytest.importorskip("torch").from_numpy(array)


@pytest.mark.parametrize("make", [array_api_strict.asarray, torch_tensor], ids=["strict", "torch"])
def test_a_tensor_is_read_by_dlpack_without_a_copy(make: Callable[[Array], Any]) -> None:
    array = pixels((3, 4, 5))
    tensor = make(array)
    seen = to_numpy(tensor)
    np.testing.assert_array_equal(seen, array)
    assert np.shares_memory(seen, np.from_dlpack(tensor))
    own = read_array(tensor, 3)
    assert not np.shares_memory(own, seen)  # the caller may overwrite the tensor
    np.testing.assert_array_equal(own, array)


def test_a_tensor_with_a_gradient_is_an_image_like_any_other() -> None:
    array = pixels((3, 4, 5))
    tensor = torch_tensor(array.copy()).requires_grad_()
    np.testing.assert_array_equal(read_array(tensor, 3), array)


def test_a_tensor_on_a_device_is_copied_once() -> None:
    class OnDevice:
        """What CuPy offers: DLPack of a device, and `get`."""

        copies = 0
        host = pixels((3, 4, 5))

        def __dlpack__(self, **_: Any) -> Any:
            raise AssertionError("device memory is not read here")

        def __dlpack_device__(self) -> tuple[int, int]:
            return 2, 0

        def get(self) -> Array:
            self.copies += 1
            return self.host

    tensor = OnDevice()
    found = read_array(tensor, 3)
    np.testing.assert_array_equal(found, tensor.host)
    assert np.shares_memory(found, tensor.host)
    assert tensor.copies == 1


@pytest.mark.parametrize("wrong", [object(), "text", np.array(["a"]), np.ones((3, 2, 2), complex)])
def test_what_holds_no_numbers_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="number"):
        read_array(wrong, 3)


def palette_image() -> Image.Image:
    image = Image.fromarray((255 * pixels((5, 7))).astype(np.uint8)).convert("P")
    image.putpalette(np.arange(768, dtype=np.uint8).tobytes())
    image.info["transparency"] = 3
    return image


def sixteen_bits() -> Image.Image:
    return Image.fromarray((65535 * pixels((5, 7))).astype(np.uint16))


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray((255 * pixels((5, 7, 3))).astype(np.uint8)),
        Image.fromarray((255 * pixels((5, 7, 4))).astype(np.uint8)),
        Image.fromarray((255 * pixels((5, 7))).astype(np.uint8)),
        Image.fromarray((255 * pixels((5, 7))).astype(np.uint8)).convert("1"),
        palette_image(),
        sixteen_bits(),
    ],
    ids=["RGB", "RGBA", "L", "1", "P", "I;16"],
)
def test_a_pil_image_is_what_its_file_is(image: Image.Image, tmp_path: Path) -> None:
    image.save(tmp_path / "x.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_pil(image, 3), read_image(tmp_path / "x.png"))


def test_a_pil_image_is_turned_upright(tmp_path: Path) -> None:
    image = Image.fromarray((255 * pixels((5, 7, 3))).astype(np.uint8))
    exif = image.getexif()
    exif[274] = 6
    image.save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as opened:
        np.testing.assert_array_equal(read_pil(opened, 3), read_image(tmp_path / "x.png"))


def test_a_pil_image_without_a_known_range_or_channels_is_refused() -> None:
    with pytest.raises(InputError, match="black and white"):
        read_pil(Image.fromarray(np.ones((4, 5), np.int32)), 3)
    with pytest.raises(InputError, match="4 bands"):
        read_pil(Image.fromarray(np.ones((4, 5, 3), np.uint8)), 4)


def test_a_masked_array_is_refused() -> None:
    masked = np.ma.masked_greater(np.full((3, 4, 4), 0.9), 0.5)
    with pytest.raises(InputError, match="masked"):
        read_array(masked, 3)
