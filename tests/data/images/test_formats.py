"""Every kind of picture: the values that were saved come back, or one sentence says why not."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import chunk, png, saved, tiff
from PIL import Image, ImageCms
from refusals import refused_input

from onnxcert.data import decoding as bounds
from onnxcert.data import read_image, read_image_size
from onnxcert.errors import InputError
from onnxcert.sampling.draws import digest

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RGB[..., 0]
ALPHA = RNG.integers(0, 256, (5, 7, 1), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (5, 7, 4), dtype=np.uint16)
UNIT = (DEEP / 65535.0).astype(np.float32)


def expected(pixels: np.ndarray) -> np.ndarray:
    colours = pixels.reshape(*pixels.shape[:2], -1)
    colours = colours[..., :3] if colours.shape[2] > 2 else colours[..., :1].repeat(3, axis=2)
    full = np.float32(np.iinfo(pixels.dtype).max)
    return colours.transpose(2, 0, 1).astype(np.float32) / full


def check(path: Path, data: bytes, pixels: np.ndarray) -> None:
    path.write_bytes(data)
    image = read_image(path)
    assert image.dtype == np.float32
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected(pixels))
    assert read_image_size(path) == image.shape[1:]


def refused(path: Path, data: bytes, says: str) -> None:
    path.write_bytes(data)
    assert says in refused_input(path, lambda: read_image(path))


# -- 16 bits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("filters", [False, True])
def test_png_of_16_bits(tmp_path: Path, channels: int, filters: bool) -> None:
    pixels = DEEP[..., :channels]
    check(tmp_path / "x.png", png(pixels, filters=filters), pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("rows", [None, 2])
def test_tiff_of_16_bits(
    tmp_path: Path, order: str, compression: int, channels: int, rows: int | None
) -> None:
    pixels = DEEP[..., :channels]
    data = tiff(pixels, order=order, compression=compression, rows_per_strip=rows)
    check(tmp_path / "x.tif", data, pixels)
    if compression == 8:
        data = tiff(pixels, order=order, compression=8, predictor=True, rows_per_strip=rows)
        check(tmp_path / "x.tif", data, pixels)


def test_all_sixteen_bits_count(tmp_path: Path) -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    colours = np.stack([ramp, ramp[::-1], ramp.T], axis=2)
    for data in (png(ramp), tiff(ramp), tiff(ramp, order=">", compression=8)):
        check(tmp_path / "x", data, ramp)
        assert len(np.unique(read_image(tmp_path / "x"))) == 65536
    for data in (png(colours), tiff(colours), tiff(colours, order=">", compression=8)):
        check(tmp_path / "x", data, colours)


def test_16_bits_are_divided_by_65535(tmp_path: Path) -> None:
    wide = RGB.astype(np.uint16) * 257
    (tmp_path / "wide.png").write_bytes(png(wide))
    (tmp_path / "narrow.png").write_bytes(png(RGB))
    np.testing.assert_array_equal(
        read_image(tmp_path / "wide.png"), read_image(tmp_path / "narrow.png")
    )
    assert digest(read_image(tmp_path / "wide.png")) == digest(read_image(tmp_path / "narrow.png"))


def test_grey_that_counts_from_white(tmp_path: Path) -> None:
    for pixels in (GREY, DEEP[..., 0]):
        for compression in (1, 8):
            data = tiff(pixels, photometric=0, compression=compression)
            check(tmp_path / "x.tif", data, np.iinfo(pixels.dtype).max - pixels)


def test_an_interlaced_picture_of_16_bits_is_decoded_whole(tmp_path: Path) -> None:
    # One pixel: all of it lies in the first of the seven passes.
    pixels = DEEP[:1, :1, :3]
    data = bytearray(png(pixels))
    header = bytes(data[16:28]) + b"\1"
    data[8 : 8 + 25] = chunk(b"IHDR", header)
    check(tmp_path / "x.png", bytes(data), pixels)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tiff(DEEP[..., :3], planar=True), "separate planes"),
        (tiff(DEEP[..., :3], planar=True, compression=8), "separate planes"),
        (tiff(DEEP, photometric=5), "16 bits per channel in the mode CMYK"),
        (tiff(DEEP, photometric=2, tags={338: (1,)}), "16 bits per channel in the mode RGBa"),
        (tiff(UNIT[..., :2]), "floats, grey or RGB, but it has 2 samples"),
        (tiff(UNIT), "floats, grey or RGB, but it has 4 samples"),
        (tiff(UNIT[..., 0], photometric=0), "white as zero"),
        (tiff(DEEP[..., 0].astype(np.int16)), "signed samples"),
        (tiff(GREY.astype(np.int8)), "signed samples"),
        (tiff(DEEP[..., 0].astype(np.uint32)), "32 bits"),
        (tiff(DEEP[..., 0], tags={258: (12,)}), "12 bits"),
    ],
)
def test_what_would_lose_bits_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    refused(tmp_path / "x.tif", data, says)
    with pytest.raises(InputError):
        read_image_size(tmp_path / "x.tif")


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("order", "<>")
def test_tiff_of_floats_keeps_every_bit_that_float32_holds(
    tmp_path: Path, kind: str, order: str
) -> None:
    path = tmp_path / "x.tif"
    stored = UNIT.astype(kind)
    for pixels in (stored[..., :3], stored[..., 0]):
        for options in ({}, {"compression": 8}, {"planar": pixels.ndim == 3}):
            path.write_bytes(tiff(pixels, order=order, **options))  # type: ignore[arg-type]
            found = read_image(path)
            planes = pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, axis=2)
            assert np.array_equal(found, planes.transpose(2, 0, 1).astype(np.float32))
            assert read_image_size(path) == pixels.shape[:2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.001, 1.001, 255.0])
def test_a_float_outside_0_to_1_is_refused(tmp_path: Path, value: float) -> None:
    for pixels in (UNIT[..., :3].copy(), UNIT[..., 0].copy()):
        pixels.flat[7] = value
        refused(tmp_path / "x.tif", tiff(pixels), "floats in [0, 1]")


# -- TIFF and WebP of 8 bits -----------------------------------------------------------------


@pytest.mark.parametrize(
    "compression", ["raw", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits"]
)
def test_tiff_of_8_bits(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x.tiff"
    for pixels in (GREY, RGB, np.dstack([RGB, ALPHA]), np.dstack([GREY, ALPHA[..., 0]])):
        check(path, saved(pixels, "TIFF", compression=compression), pixels)
    bits = GREY > 127
    check(path, saved(bits, "TIFF", compression=compression), bits.astype(np.uint8) * 255)
    palette = Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7))
    palette.putpalette(RGB.reshape(-1, 3).tobytes())
    check(path, saved(palette, "TIFF", compression=compression), RGB)


@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_faxes(tmp_path: Path, compression: str) -> None:
    bits = GREY > 127
    check(
        tmp_path / "x.tif",
        saved(bits, "TIFF", compression=compression),
        bits.astype(np.uint8) * 255,
    )


def test_planes_and_spare_channels(tmp_path: Path) -> None:
    for compression in (1, 8):
        check(tmp_path / "x.tif", tiff(RGB, planar=True, compression=compression), RGB)
        infrared = tiff(np.dstack([RGB, ALPHA]), compression=compression, tags={338: (0,)})
        check(tmp_path / "x.tif", infrared, RGB)


def test_webp(tmp_path: Path) -> None:
    path = tmp_path / "x.webp"
    for pixels in (RGB, np.dstack([RGB, ALPHA])):
        check(path, saved(pixels, "WEBP", lossless=True, exact=True), pixels)
    data = saved(RGB, "WEBP", quality=80)
    path.write_bytes(data)
    with Image.open(path) as image:
        check(path, data, np.asarray(image))


def naive_rgb(inks: np.ndarray) -> np.ndarray:
    inks = inks.astype(int)
    light = 255 - inks[..., 3:]
    product = inks[..., :3] * light + 128
    return np.clip(light - ((product + (product >> 8)) >> 8), 0, 255).astype(np.uint8)


def test_cmyk(tmp_path: Path) -> None:
    inks = RNG.integers(0, 256, (5, 7, 4), dtype=np.uint8)
    image = Image.frombytes("CMYK", (7, 5), inks.tobytes())
    for compression in ("raw", "tiff_lzw"):
        check(tmp_path / "x.tif", saved(image, "TIFF", compression=compression), naive_rgb(inks))
    # As Adobe writes it: inverted, and marked as such. No ink at all is white.
    blank = saved(Image.new("CMYK", (8, 8)), "JPEG", quality=100)
    check(tmp_path / "x.jpg", blank, np.full((8, 8, 3), 255, np.uint8))
    ink = saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", quality=100)
    check(tmp_path / "x.jpg", ink, np.full((8, 8, 3), (0, 255, 255), np.uint8))
    at = blank.index(b"\xff\xeeAdobe"[:2])
    unmarked = blank[:at] + blank[at + 2 + struct.unpack(">H", blank[at + 2 : at + 4])[0] :]
    refused(tmp_path / "x.jpg", unmarked, "inverted")


def test_other_colour_spaces_are_refused(tmp_path: Path) -> None:
    lab = ImageCms.applyTransform(
        Image.fromarray(RGB),
        ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        ),
    )
    assert lab is not None
    refused(tmp_path / "x.tif", saved(lab, "TIFF"), "mode LAB")


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7))
    image.putpalette(RGB.reshape(-1, 3).tobytes())
    check(tmp_path / "x.png", saved(image, "PNG", transparency=bytes(range(35))), RGB)


# Where the upright picture's top left pixel and the one right of it come from, by orientation.
TURNED: dict[int, Any] = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, 1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x, -1),
}


@pytest.mark.parametrize("orientation", TURNED)
def test_turned_pictures_of_every_kind_are_read_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = TURNED[orientation]
    stored = np.ascontiguousarray(turn(RGB))
    tags = {0x0112: (orientation,)}
    chunks = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    for compression in ("raw", "tiff_lzw"):
        for pixels in (GREY, RGB, np.dstack([RGB, ALPHA])):
            data = saved(
                np.ascontiguousarray(turn(pixels)), "TIFF", compression=compression, exif=exif
            )
            check(tmp_path / "x.tif", data, pixels)
    check(tmp_path / "x.webp", saved(stored, "WEBP", exif=exif, lossless=True), RGB)
    for channels in (1, 2, 3, 4):
        pixels = DEEP[..., :channels]
        stored = np.ascontiguousarray(turn(pixels))
        check(tmp_path / "x.png", png(stored, extra=chunks), pixels)
        if channels != 2:
            for code in (1, 8):
                check(tmp_path / "x.tif", tiff(stored, tags=tags, compression=code), pixels)


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_several_pictures_in_one_file_are_refused(tmp_path: Path, kind: str) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    refused(tmp_path / "x", data, "several pages" if kind == "TIFF" else f"an animated {kind}")
    with pytest.raises(InputError, match="one picture"):
        read_image_size(tmp_path / "x")
    single = {"lossless": True} if kind == "WEBP" else {}
    check(tmp_path / "x", saved(frames[0], kind, save_all=True, **single), RGB)


def test_other_formats_are_refused_by_name(tmp_path: Path) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    gif = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    path = tmp_path / "x.png"
    refused(path, gif, "it is a GIF")
    refused(path, saved(GREY, "GIF"), "it is a GIF")
    refused(path, b"\0\0\0\x0cjP  \r\n\x87\n", "it is JPEG 2000")
    refused(path, b"\xff\x4f\xff\x51\0\0", "it is JPEG 2000")
    refused(path, b"\0\0\0 ftypavif", "it is AVIF")
    refused(path, b"8BPS\0\1", "Photoshop")
    refused(path, b"II*\0\x08\0\0\0\0\0", "a TIFF that is damaged")
    refused(path, b"\x89PNG\r\n\x1a\n", "a PNG that is damaged")
    refused(path, b"hello", "none of these")


def test_a_folder_or_pipe_is_refused(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path, tmp_path / "pipe.png"):
        with pytest.raises(InputError, match="name the file itself"):
            read_image(path)


# -- tiny and huge ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_tiny_pictures(tmp_path: Path, shape: tuple[int, int]) -> None:
    pixels = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("BMP", {})):
        check(tmp_path / "x", saved(pixels, kind, **options), pixels)
    deep = RNG.integers(0, 65536, (*shape, 3), dtype=np.uint16)
    check(tmp_path / "x", png(deep), deep)
    check(tmp_path / "x", tiff(deep, compression=8), deep)


@pytest.mark.slow
def test_strips_make_one_picture(tmp_path: Path) -> None:
    # More than one strip of 2**20 pixels, and the last one shorter.
    pixels = RNG.integers(0, 256, (2100, 1000, 3), dtype=np.uint8)
    check(tmp_path / "x", saved(pixels, "BMP"), pixels)
    deep = RNG.integers(0, 65536, (2100, 1000, 3), dtype=np.uint16)
    check(tmp_path / "x", tiff(deep), deep)


@pytest.mark.parametrize("size", [(80_000_001, 1), (8000, 10_001), (100_000, 100_000)])
def test_too_many_pixels_are_refused_by_the_header(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    data = bytearray(png(RGB))
    data[8:33] = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    refused(tmp_path / "x.png", bytes(data), f"{bounds.MAX_PIXELS:,}")
    refused(
        tmp_path / "x.tif",
        tiff(RGB, tags={256: (width,), 257: (height,)}),
        f"{bounds.MAX_PIXELS:,}",
    )
    with pytest.raises(InputError, match="80,000,000"):
        read_image_size(tmp_path / "x.tif")


def test_too_large_arrays_are_refused_by_the_header(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for dtype, limit in (
        (np.uint8, 80_000_000),
        (np.float32, 80_000_000),
        (np.float64, 40_000_000),
    ):
        np.lib.format.open_memmap(path, "w+", dtype, (limit + 1, 1)).flush()
        with pytest.raises(InputError, match=f"at most {limit:,} pixels"):
            read_image(path)
        with path.open("r+b") as file:
            file.truncate(1000)  # a header that names more than there is
        with pytest.raises(InputError, match="damaged"):
            read_image(path)


def test_a_jpeg_of_a_thousand_scans_is_refused(tmp_path: Path) -> None:
    data = saved(np.zeros((64, 64, 3), np.uint8), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    path = tmp_path / "x.jpg"
    refused(path, data[:-2] + 1000 * data[last:-2] + data[-2:], "scans")
    path.write_bytes(data[:-2] + 10 * data[last:-2] + data[-2:])
    assert read_image(path).shape == (3, 64, 64)
    # Scans of a preview behind the picture are not its own.
    path.write_bytes(data + 1000 * data[last:-2])
    assert read_image(path).shape == (3, 64, 64)


def test_a_run_length_bmp_is_bounded(tmp_path: Path) -> None:
    def bitmap(width: int, height: int, body: bytes) -> bytes:
        head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 2, 0)
        colours = bytes(4) + b"\xff" * 4
        offset = 14 + len(head) + len(colours)
        size = offset + len(body)
        return b"BM" + struct.pack("<IHHI", size, 0, 0, offset) + head + colours + body

    small = bitmap(4, 2, b"\4\1\0\0\2\0\2\1\0\1")
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[1] = 255
    pixels[0, 2:] = 255
    check(tmp_path / "x.bmp", small, pixels)
    jump = b"\0\2\0\xff" + b"\0\1"
    refused(tmp_path / "x.bmp", bitmap(30_000_000, 1, jump), "run-length")
    refused(tmp_path / "x.bmp", bitmap(70_000, 2, jump), "run-length")


def test_results_kept_under_a_digest_are_found_again(tmp_path: Path) -> None:
    """Pinned before 16 bits, TIFF and strips came: 8-bit pictures are digested as ever."""
    ramp = (np.arange(5 * 7 * 3, dtype=np.uint8) * 2).reshape(5, 7, 3)
    path = tmp_path / "x"
    for data in (png(ramp), saved(ramp, "BMP"), saved(ramp, "TIFF")):
        path.write_bytes(data)
        assert digest(read_image(path)) == (
            "3f1a94af65a48a23ff09d1d5d73918b538d87c5f9bc1c79524c29bf738d8c477"
        )


# -- one open file -----------------------------------------------------------------------------

OPENED: list[str] = []
sys.addaudithook(lambda event, args: OPENED.append(str(args[0])) if event == "open" else None)


@pytest.mark.parametrize("suffix", ["png", "16.png", "jpg", "bmp", "webp", "tif", "16.tif", "npy"])
def test_a_picture_is_opened_once(tmp_path: Path, suffix: str) -> None:
    path, exif = tmp_path / f"x.{suffix}", Image.Exif()
    exif[0x0112] = 6
    chunks = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    np.save(tmp_path / "x.npy", RGB)
    data = {
        "png": png(RGB, extra=chunks),
        "16.png": png(DEEP[..., :3], extra=chunks),
        "tif": tiff(UNIT[..., :3]),
        "16.tif": tiff(DEEP[..., :3], compression=8),
        "npy": (tmp_path / "x.npy").read_bytes(),
    }
    kind = {"jpg": "JPEG", "bmp": "BMP", "webp": "WEBP"}.get(suffix, "")
    path.write_bytes(data[suffix] if suffix in data else saved(RGB, kind, exif=exif))
    for read in (read_image, read_image_size):
        OPENED.clear()
        read(path)
        assert OPENED.count(str(path)) == 1
