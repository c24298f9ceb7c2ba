"""Pictures: every kind is read right or refused in one sentence, whatever befalls the file."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin
from refusals import refused_input

from onnxcert.data import read_image, read_image_size
from onnxcert.errors import InputError
from onnxcert.sampling.draws import digest

RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def expected(pixels: np.ndarray) -> np.ndarray:
    rgb = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
    return rgb.transpose(2, 0, 1).astype(np.float32) / np.float32(255)


def check(path: Path, pixels: np.ndarray) -> None:
    image = read_image(path)
    assert image.dtype == np.float32
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected(pixels))
    assert read_image_size(path) == image.shape[1:]


def refused(path: Path) -> str:
    return refused_input(path, lambda: read_image(path))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
def test_colour_and_grey_are_divided_by_255(tmp_path: Path, suffix: str) -> None:
    for name, pixels in (("rgb", RGB), ("grey", GREY)):
        path = tmp_path / f"{name}{suffix}"
        Image.fromarray(pixels).save(path)
        check(path, pixels)


def test_transparency_is_dropped_and_the_colour_under_it_counts(tmp_path: Path) -> None:
    alpha = RNG.integers(0, 256, (5, 7, 1), dtype=np.uint8)
    Image.fromarray(np.dstack([RGB, alpha])).save(tmp_path / "rgba.png")
    check(tmp_path / "rgba.png", RGB)
    Image.fromarray(np.dstack([GREY, alpha])).save(tmp_path / "la.png")
    check(tmp_path / "la.png", GREY)
    Image.fromarray(RGB).save(tmp_path / "key.png", transparency=tuple(map(int, RGB[0, 0])))
    check(tmp_path / "key.png", RGB)
    Image.fromarray(GREY).save(tmp_path / "greykey.png", transparency=int(GREY[0, 0]))
    check(tmp_path / "greykey.png", GREY)


@pytest.mark.parametrize("transparency", [None, 3, bytes(range(35))])
def test_a_palette_becomes_its_colours(tmp_path: Path, transparency: int | bytes | None) -> None:
    index = np.arange(35, dtype=np.uint8).reshape(5, 7)
    image = Image.fromarray(index)
    image.putpalette(RGB.reshape(-1, 3).tobytes())
    assert image.mode == "P"
    extra: dict[str, Any] = {} if transparency is None else {"transparency": transparency}
    image.save(tmp_path / "p.png", **extra)
    check(tmp_path / "p.png", RGB)


def test_black_and_white(tmp_path: Path) -> None:
    bits = GREY > 127
    Image.fromarray(bits).save(tmp_path / "bits.png")
    check(tmp_path / "bits.png", bits.astype(np.uint8) * 255)


def test_jpeg_is_read_as_its_decoder_gives_it(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Image.fromarray(RGB).save(path)
    with Image.open(path) as image:
        check(path, np.asarray(image))
    Image.fromarray(GREY).save(path)
    with Image.open(path) as image:
        check(path, np.asarray(image))


# Where the upright picture's top left pixel and the one right of it come from, by orientation.
TURNED = {
    1: RGB,
    2: np.fliplr(RGB),
    3: np.rot90(RGB, 2),
    4: np.flipud(RGB),
    5: RGB.swapaxes(0, 1),
    6: np.rot90(RGB, 1),
    7: np.rot90(RGB, 2).swapaxes(0, 1),
    8: np.rot90(RGB, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_read_upright(tmp_path: Path, orientation: int) -> None:
    stored = np.ascontiguousarray(TURNED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "x.png"
    Image.fromarray(stored).save(path, exif=exif)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(image)), RGB)
    check(path, RGB)

    jpeg = tmp_path / "x.jpg"
    Image.fromarray(stored).save(jpeg, exif=exif, quality=100, subsampling=0)
    pixels = read_image(jpeg)
    assert read_image_size(jpeg) == pixels.shape[1:] == (5, 7)
    # JPEG is lossy, but on noise no other orientation comes near.
    distance = np.abs(pixels - expected(RGB)).mean()
    assert distance < 0.02


def test_an_orientation_told_behind_the_pixels_counts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + body))
    data = png(np.ascontiguousarray(TURNED[6]))
    path = tmp_path / "late.png"
    path.write_bytes(data[:-12] + chunk + data[-12:])
    check(path, RGB)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_is_none_is_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / "x.png", exif=exif)
    check(tmp_path / "x.png", RGB)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    for name, data in (("x.png", b""), ("y.jpg", b"hello"), ("z.npy", b"hello"), ("e.npy", b"")):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name)
    assert "no such file" in refused(tmp_path / "missing.png")
    assert "no such file" in refused(tmp_path / "missing.npy")
    refused(tmp_path)
    gif = tmp_path / "gif.png"
    Image.fromarray(GREY).save(gif, "GIF")
    assert "it is a GIF" in refused(gif)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png(RGB))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    check(path, RGB)  # a warning to Pillow, and none here
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert "too many pixels" in refused(path)
    text = PngImagePlugin.PngInfo()
    text.add_text("note", "a" * 80_000_000, zip=True)
    Image.fromarray(RGB).save(path, pnginfo=text)
    refused(path)


def damaged_formats() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {}
    for suffix, options in (
        ("png", {"exif": exif}),
        ("jpg", {"exif": exif}),
        ("jpeg", {"progressive": True}),
        ("bmp", {}),
    ):
        file = io.BytesIO()
        pixels = RNG.integers(0, 256, (16, 24, 3), dtype=np.uint8)
        kind = {"png": "PNG", "bmp": "BMP"}.get(suffix, "JPEG")
        Image.fromarray(pixels).save(file, kind, **options)
        files[suffix] = file.getvalue()
    file = io.BytesIO()
    np.save(file, RNG.random((3, 16, 24), dtype=np.float32))
    files["npy"] = file.getvalue()
    return files


DAMAGED = damaged_formats()


def survives(path: Path) -> bool:
    """True for a picture, False for an InputError; anything else fails the test."""
    try:
        size = read_image_size(path)
    except InputError:
        size = None
    try:
        image = read_image(path)
    except InputError:
        return False
    assert image.shape == (3, *(size or ()))
    assert 0 <= image.min() <= image.max() <= 1
    return True


@pytest.mark.slow
@pytest.mark.parametrize("suffix", DAMAGED)
def test_a_file_cut_anywhere_gives_a_picture_or_an_input_error(tmp_path: Path, suffix: str) -> None:
    data = DAMAGED[suffix]
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(data)
    original = read_image(path)
    cuts = sorted({*range(0, 200), *range(0, len(data), 7), *range(len(data) - 30, len(data))})
    for cut in cuts:
        path.write_bytes(data[:cut])
        if survives(path):
            # Only an end that holds no pixels may be missing.
            assert cut > len(data) - 40
            np.testing.assert_array_equal(read_image(path), original)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", DAMAGED)
def test_a_file_with_wrong_bytes_gives_a_picture_or_an_input_error(
    tmp_path: Path, suffix: str
) -> None:
    data = DAMAGED[suffix]
    path = tmp_path / f"x.{suffix}"
    rng = np.random.default_rng(1)
    for i in range(400):
        wrong = bytearray(data)
        # The header decides most, so half of the damage goes there.
        reach = min(len(data), 120) if i % 2 else len(data)
        for at in rng.integers(0, reach, rng.integers(1, 4)):
            wrong[at] = rng.integers(0, 256)
        path.write_bytes(wrong)
        survives(path)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4", np.uint8])
def test_arrays_of_every_layout(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "x.npy"
    scale = 1 if np.dtype(dtype) == np.uint8 else 255
    for pixels in (RGB, GREY):
        array = (pixels / scale).astype(dtype)
        values = array.astype(np.float32) / np.float32(255 if scale == 1 else 1)
        np.save(path, array)
        expect = values.transpose(2, 0, 1) if pixels.ndim == 3 else np.stack([values] * 3)
        np.testing.assert_array_equal(read_image(path), expect)
        assert read_image_size(path) == (5, 7)
    np.save(path, (RGB / scale).astype(dtype).transpose(2, 0, 1))
    assert read_image(path).dtype == np.float32
    assert read_image(path).shape == (3, 5, 7)
    assert read_image_size(path) == (5, 7)


@pytest.mark.parametrize(
    "shape", [(), (7,), (0, 7), (3, 0, 7), (3, 5, 3), (3, 3, 3), (5, 7, 4), (1, 5, 7), (1, 3, 5, 7)]
)
def test_arrays_of_wrong_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(shape, np.float32))
    refused(path)
    with pytest.raises(InputError):
        read_image_size(path)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.complex64, "U3", "M8[s]"])
def test_arrays_of_wrong_type_are_refused(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((5, 7), dtype))
    assert "convert it" in refused(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1e-6, 1.001, 255.0])
def test_arrays_of_wrong_value_are_refused(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "x.npy"
    array = np.full((3, 5, 7), 0.5)
    array[1, 2, 3] = bad
    np.save(path, array)
    assert "[0, 1]" in refused(path)


def test_objects_and_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array([[{}]]), allow_pickle=True)
    refused(path)
    with path.open("wb") as file:
        np.savez(file, a=GREY)
    assert "archive" in refused(path)


def test_the_digest_tells_values_shapes_and_types_apart() -> None:
    base = RNG.random((3, 4, 6), dtype=np.float32)
    changed = base.copy()
    changed[2, 3, 5] = np.nextafter(changed[2, 3, 5], np.float32(2))
    variants: list[np.ndarray] = [
        base,
        changed,
        base.reshape(3, 6, 4),
        base.reshape(72),
        base.view(np.int32),
        base.astype(np.float64),
    ]
    digests = {digest(array) for array in variants}
    assert len(digests) == len(variants)
    assert all(len(d) == 64 and int(d, 16) >= 0 for d in digests)


def test_the_digest_depends_on_nothing_else() -> None:
    base = RNG.random((3, 4, 6), dtype=np.float32)
    strided = np.repeat(base, 2, axis=2)[..., ::2]
    for same in (base.copy(), strided, np.asfortranarray(base), base.astype(">f4")):
        assert digest(same) == digest(base)
    # Results kept under a digest must be found again by every later version.
    assert digest(np.zeros((3, 1, 1), np.float32)) == (
        "998421d4310b1a7dfff0f4d76770d54e9f7892bc6a62f38b7a01da4a92b4bdd1"
    )
