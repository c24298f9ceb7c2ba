"""Damaged bytes of every kind: a result or one InputError, in bounded time and memory.

`ONNXCERT_FUZZ=10000` gives the number of damaged files of the long form; without it, a short one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from encoders import chunk, png, saved, tiff
from PIL import Image

from onnxcert.data import (
    INDEX,
    Palette,
    read_class_names,
    read_image,
    read_image_size,
    read_label_map,
    read_label_size,
    read_labels,
    read_palette,
)
from onnxcert.errors import InputError

pytestmark = pytest.mark.slow

FILES = int(os.environ.get("ONNXCERT_FUZZ", "800"))
SECONDS, MEMORY = 20.0, 2**30

RNG = np.random.default_rng(13)
RGB = RNG.integers(0, 256, (16, 24, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (16, 24, 4), dtype=np.uint16)
INDICES = RNG.integers(0, 3, (16, 24), dtype=np.uint8)
COLOURS = np.array([(128, 64, 128), (0, 0, 142), (255, 255, 255)], np.uint8)
PALETTE = b"128 64 128 road\n0 0 142 car\n#ffffff lane marking\n"


def with_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a picture"
    return exif


def indexed() -> Image.Image:
    image = Image.fromarray(INDICES)
    image.putpalette(COLOURS.tobytes())
    return image


def pictures() -> dict[str, bytes]:
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>") + chunk(b"tRNS", bytes(6))
    grey, exif = RGB[..., 0], with_exif()
    frames = [Image.fromarray(255 - RGB)]
    return {
        "rgb.png": saved(RGB, "PNG", exif=exif, dpi=(72, 72), icc_profile=bytes(200)),
        "palette.png": saved(indexed(), "PNG", transparency=bytes(3)),
        "deep.png": png(DEEP, filters=True),
        "deep3.png": png(DEEP[..., :3], filters=True, extra=text),
        "deep2.png": png(DEEP[..., :2]),
        "moving.png": saved(RGB, "PNG", save_all=True, append_images=frames),
        "rgb.jpg": saved(RGB, "JPEG", exif=exif),
        "progressive.jpg": saved(RGB, "JPEG", progressive=True),
        "cmyk.jpg": saved(Image.fromarray(RGB).convert("CMYK"), "JPEG"),
        "raw.tif": saved(RGB, "TIFF", exif=exif),
        "lzw.tif": saved(RGB, "TIFF", exif=exif, compression="tiff_lzw"),
        "deflate.tif": tiff(DEEP[..., :3], compression=8, predictor=True, rows_per_strip=5),
        "deep.tif": tiff(DEEP, order=">"),
        "jpeg.tif": saved(RGB, "TIFF", compression="jpeg"),
        "fax.tif": saved(grey > 99, "TIFF", compression="group4"),
        "packbits.tif": saved(grey, "TIFF", compression="packbits"),
        "palette.tif": saved(indexed(), "TIFF"),
        "cmyk.tif": saved(Image.fromarray(RGB).convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "planes.tif": tiff(RGB, planar=True, compression=8),
        "floats.tif": tiff((RGB / 255).astype(np.float32), compression=8),
        "grey floats.tif": tiff(grey / 255, order=">"),
        "pages.tif": saved(RGB, "TIFF", save_all=True, append_images=frames),
        "lossy.webp": saved(RGB, "WEBP", exif=exif.tobytes()),
        "lossless.webp": saved(np.dstack([RGB, grey]), "WEBP", lossless=True),
        "moving.webp": saved(RGB, "WEBP", save_all=True, append_images=frames),
        "rgb.bmp": saved(RGB, "BMP"),
        "palette.bmp": saved(indexed(), "BMP"),
    }


def label_files() -> dict[str, bytes]:
    coloured = COLOURS[INDICES]
    return {
        "index.png": saved(INDICES, "PNG"),
        "palette.png": saved(indexed(), "PNG", bits=2),
        "deep.png": png(INDICES.astype(np.uint16)),
        "index.tif": saved(INDICES, "TIFF", compression="tiff_lzw"),
        "deep.tif": tiff(INDICES.astype(np.uint16), order=">", compression=8),
        "signed.tif": tiff(INDICES.astype(np.int32)),
        "index.bmp": saved(INDICES, "BMP"),
        "colour.png": saved(coloured, "PNG"),
        "colour.tif": saved(coloured, "TIFF", compression="tiff_deflate"),
        "colour.bmp": saved(coloured, "BMP"),
    }


def texts() -> dict[str, bytes]:
    return {
        "palette": PALETTE,
        "indexed": b"# all\n0 128 64 128 road\n1, 0, 0, 142, car\n255 #FFFFFF\n",
        "names": "sky\nroad\nStraße\n".encode(),
        "map": b"# ids\n7 0\n8:1 # pavement\n-1, 255\n",
    }


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with one kind of damage, more often than not near its start."""
    size = len(data)
    reach = int(rng.choice([min(size, 64), min(size, 256), size]))
    wrong = bytearray(data)
    match rng.integers(0, 8):
        case 0:
            return data[: rng.integers(0, size + 1)]
        case 1:
            wrong[rng.integers(0, reach)] ^= 1 << int(rng.integers(0, 8))
        case 2:
            for at in rng.integers(0, reach, rng.integers(1, 8)):
                wrong[at] = rng.integers(0, 256)
        case 3:  # an extreme number, of either byte order, where a length or size may stand
            at = int(rng.integers(0, reach))
            number = int(rng.choice([0, 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1]))
            order = ("little", "big")[int(rng.integers(0, 2))]
            width = int(rng.choice([2, 4]))
            wrong[at : at + width] = (number % 256**width).to_bytes(width, order)  # type: ignore[arg-type]
        case 4:
            at, length = int(rng.integers(0, reach)), int(rng.integers(1, 40))
            del wrong[at : at + length]
        case 5:
            at, length = int(rng.integers(0, reach)), int(rng.integers(1, 40))
            wrong[at:at] = rng.bytes(length)
        case 6:
            a, b = (int(at) for at in rng.integers(0, size, 2))
            length = int(rng.integers(1, 60))
            wrong[a : a + length] = data[b : b + length]
        case 7:
            at = int(rng.integers(0, size))
            wrong[at:] = rng.bytes(size - at)
    return bytes(wrong)


def mended(data: bytes) -> bytes:
    """A PNG whose checksums are right again, so that damage reaches the decoder behind them."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        out += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return bytes(out + data[at:])


def peak() -> int:
    """The most memory this process has ever held, in bytes."""
    resource = pytest.importorskip("resource")
    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit


def fuzz(
    path: Path, files: dict[str, bytes], use: Callable[[Path, str], None], count: int, seed: int
) -> None:
    """Use `count` damaged files; only `use` may fail, by an InputError of one sentence."""
    rng = np.random.default_rng(seed)
    names, before, refused = sorted(files), peak(), 0
    slowest, worst = 0.0, ""
    for i in range(count):
        name = names[i % len(names)]
        data = damaged(files[name], rng)
        if name.endswith(".png") and rng.integers(0, 2):
            data = mended(data)
        target = path / f"x{Path(name).suffix}"
        target.write_bytes(data)
        started = time.process_time()
        try:
            use(target, name)
        except InputError as error:
            refused += 1
            message = str(error)
            assert message.startswith(f"{target}: expected ")
            assert message.endswith(".")
            assert "\n" not in message
        except BaseException:
            print(f"file {i} of seed {seed}, from {name}: {data.hex()}")
            raise
        elapsed = time.process_time() - started
        slowest, worst = max((slowest, worst), (elapsed, name))
    print(
        f"{count} files, {refused} refused, slowest {slowest:.3f} s ({worst}), "
        f"memory grew by {(peak() - before) >> 20} MiB"
    )
    assert slowest < SECONDS
    assert peak() - before < MEMORY
    assert refused > 0


def use_picture(path: Path, name: str) -> None:  # noqa: ARG001
    try:
        size = read_image_size(path)
    except InputError:
        size = None
    image = read_image(path)
    assert image.dtype == np.float32
    assert image.shape == (3, *(size or ()))
    assert 0 <= image.min() <= image.max() <= 1


def use_labels(path: Path, name: str) -> None:
    label_encoding: Palette | None = PARSED if name.startswith("colour") else None
    chosen = label_encoding or INDEX
    size = read_label_size(path, label_encoding=chosen)
    labels = read_labels(path, size=size, classes=3, ignore_label=255, label_encoding=chosen)
    assert labels.dtype == np.int32
    assert labels.shape == size
    assert set(np.unique(labels)) <= {0, 1, 2, 255}


def use_text(path: Path, name: str) -> None:
    readers: dict[str, Callable[[Path], object]] = {
        "map": read_label_map,
        "names": read_class_names,
    }
    readers.get(name, read_palette)(path)


@pytest.fixture(scope="module", autouse=True)
def parsed(tmp_path_factory: pytest.TempPathFactory) -> None:
    global PARSED
    path = tmp_path_factory.mktemp("palette") / "p.txt"
    path.write_bytes(PALETTE)
    PARSED = read_palette(path)


PARSED: Palette


def test_damaged_pictures(tmp_path: Path) -> None:
    fuzz(tmp_path, pictures(), use_picture, FILES, seed=1)


def test_damaged_labels(tmp_path: Path) -> None:
    fuzz(tmp_path, label_files(), use_labels, FILES // 3, seed=2)


def test_damaged_palettes_maps_and_names(tmp_path: Path) -> None:
    fuzz(tmp_path, texts(), use_text, FILES // 3, seed=3)


@pytest.mark.parametrize("name", ["deep3.png", "lzw.tif", "deflate.tif", "raw.tif", "lossy.webp"])
def test_a_file_cut_anywhere_is_whole_or_refused(tmp_path: Path, name: str) -> None:
    data = pictures()[name]
    path = tmp_path / name
    path.write_bytes(data)
    original = read_image(path)
    for cut in sorted({*range(0, len(data), 23), *range(len(data) - 20, len(data))}):
        path.write_bytes(data[:cut])
        try:
            image = read_image(path)
        except InputError:
            continue
        np.testing.assert_array_equal(image, original)
