"""Label maps: indices arrive untouched, and what cannot be right is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxcert.data import read_class_names, read_label_size, read_labels
from onnxcert.errors import InputError

RNG = np.random.default_rng(9)
INDEX = RNG.integers(0, 11, (5, 7))


def read(
    path: Path, *, size: tuple[int, int] = (5, 7), classes: int = 11, ignore: int | None = None
) -> np.ndarray:
    return read_labels(path, size=size, classes=classes, ignore_label=ignore)


def check(path: Path, index: np.ndarray) -> None:
    labels = read(path)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, index)
    assert read_label_size(path) == (5, 7)


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: expected ")
    return message


@pytest.mark.parametrize("name", ["x.png", "x.bmp"])
@pytest.mark.parametrize("palette", [False, True])
def test_the_index_counts_and_not_its_colour(tmp_path: Path, name: str, palette: bool) -> None:
    image = Image.fromarray(INDEX.astype(np.uint8))
    if palette:
        image.putpalette(RNG.integers(0, 256, 768, dtype=np.uint8).tobytes())
    image.save(tmp_path / name)
    check(tmp_path / name, INDEX)


def test_sixteen_bits_hold_many_classes(tmp_path: Path) -> None:
    index = RNG.integers(0, 40_000, (5, 7))
    Image.fromarray(index.astype(np.uint16)).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read(tmp_path / "x.png", classes=40_000), index)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_pictures_of_few_bits_are_not_spread(tmp_path: Path, bits: int) -> None:
    index = INDEX % 2**bits
    palette = Image.fromarray(index.astype(np.uint8))
    palette.putpalette(bytes(range(2**bits * 3)))
    palette.save(tmp_path / "p.png", bits=bits)
    check(tmp_path / "p.png", index)
    # The same indices called grey, which Pillow cannot write.
    rows = np.unpackbits(index.astype(np.uint8)[..., None], axis=2)[..., 8 - bits :]
    packed = np.packbits(rows.reshape(5, -1), axis=1)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", 7, 5, bits, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))),
        (b"IEND", b""),
    ):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    (tmp_path / "g.png").write_bytes(data)
    check(tmp_path / "g.png", index)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int64, ">i4", np.uint64])
def test_integer_arrays(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "x.npy", INDEX.astype(dtype))
    check(tmp_path / "x.npy", INDEX)


@pytest.mark.parametrize(
    "array",
    [np.zeros((5, 7)), np.zeros((5, 7, 1), int), np.zeros((0, 7), int), np.zeros((5, 7), bool)],
)
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", array)
    refused(tmp_path / "x.npy")
    with pytest.raises(InputError):
        read_label_size(tmp_path / "x.npy")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_colour_picture_is_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (7, 5)).save(tmp_path / "x.png")
    assert "colour" in refused(tmp_path / "x.png")
    with pytest.raises(InputError, match="colour"):
        read_label_size(tmp_path / "x.png")


def test_damage_and_lossy_files_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "missing.png")
    path = tmp_path / "x.png"
    Image.fromarray(INDEX.astype(np.uint8)).save(path)
    data = path.read_bytes()
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        try:
            labels = read(path)
        except InputError:
            continue
        # Only what follows the last pixel may be missing.
        assert cut > len(data) - 30
        np.testing.assert_array_equal(labels, INDEX)
    Image.fromarray(INDEX.astype(np.uint8)).save(path, "JPEG")
    refused(path)


@pytest.mark.parametrize("size", [(7, 5), (5, 8), (4, 7), (1, 1)])
def test_another_size_than_the_photograph_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.fromarray(INDEX.astype(np.uint8)).save(tmp_path / "x.png")
    message = refused(tmp_path / "x.png", size=size)
    assert "7 x 5" in message
    assert f"{size[1]} x {size[0]}" in message


def test_an_index_that_is_no_class_must_be_the_ignore_label(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for value in (11, 255, -1, 10**12):
        index = INDEX.copy()
        index[3, 4] = value
        np.save(path, index)
        assert f"--ignore-label {value}," in refused(path)
        refused(path, ignore=12)
        if abs(value) < 2**31:
            np.testing.assert_array_equal(read(path, ignore=value), index)
    np.save(path, INDEX)
    # An ignore label among the classes is no reason to refuse the others.
    np.testing.assert_array_equal(read(path, ignore=0), INDEX)


def test_class_names_are_lines(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    for text in ("sky\nbuilding\ntraffic light\n", "\n sky \r\n\r\nbuilding\n\ntraffic light"):
        path.write_bytes(text.encode())
        assert read_class_names(path) == ("sky", "building", "traffic light")
    path.write_bytes("\ufeffStraße\n".encode())
    assert read_class_names(path) == ("Straße",)


@pytest.mark.parametrize("data", [b"", b"\n \n", b"sky\nroad\nsky \n", b"\xff\xfe\x00"])
def test_class_names_that_cannot_be_told_apart_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match="expected"):
        read_class_names(path)
    with pytest.raises(InputError, match="no such file"):
        read_class_names(tmp_path / "missing.txt")
