"""Label conventions: colours, label maps and TIFF come out as classes, the rest is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import png, saved, tiff
from PIL import Image
from refusals import refused_input

from onnxcert.data import (
    INDEX,
    Item,
    LabelEncoding,
    Listing,
    read_label_map,
    read_label_size,
    read_labels,
    read_palette,
)
from onnxcert.data.datasets import apply_label_encoding
from onnxcert.data.labels.encoding import LookupTable
from onnxcert.data.published import LABEL_MAPS
from onnxcert.errors import InputError, ParameterError

RNG = np.random.default_rng(11)
INDICES = RNG.integers(0, 3, (5, 7))
COLOURS = np.array([(128, 64, 128), (0, 0, 142), (255, 255, 255)], np.uint8)
PALETTE = "128 64 128 road\n0 0 142 car\n255 255 255 lane marking\n"


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def read(
    path: Path, label_encoding: LabelEncoding, *, classes: int = 3, ignore: int | None = None
) -> np.ndarray:
    assert read_label_size(path, label_encoding=label_encoding) == (5, 7)
    return read_labels(
        path, size=(5, 7), classes=classes, ignore_label=ignore, label_encoding=label_encoding
    )


def refused(path: Path, label_encoding: LabelEncoding = INDEX, *, classes: int = 3) -> str:
    options: dict[str, Any] = {"classes": classes, "label_encoding": label_encoding}
    return refused_input(path, lambda: read_labels(path, size=(5, 7), ignore_label=None, **options))


# -- index files as TIFF ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int8, np.int16, np.int32])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
def test_index_tiff(tmp_path: Path, dtype: type, order: str, compression: int) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(tiff(INDICES.astype(dtype), order=order, compression=compression))
    native = order == ("<" if sys.byteorder == "little" else ">")
    if native or dtype in (np.uint8, np.uint16, np.int8):
        np.testing.assert_array_equal(read(path, INDEX), INDICES)
    else:
        assert ("byte order" in refused(path)) != (dtype == np.uint32)


def test_signed_tiff_may_mark_pixels_by_minus_one(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    for dtype in (np.int8, np.int16):
        path.write_bytes(tiff((INDICES - 1).astype(dtype)))
        np.testing.assert_array_equal(read(path, INDEX, ignore=-1), INDICES - 1)


def test_palette_and_bilevel_tiff(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    image = Image.fromarray(INDICES.astype(np.uint8))
    image.putpalette(COLOURS.tobytes())
    for compression in ("raw", "tiff_lzw"):
        path.write_bytes(saved(image, "TIFF", compression=compression))
        np.testing.assert_array_equal(read(path, INDEX), INDICES)
        path.write_bytes(saved(INDICES > 0, "TIFF", compression=compression))
        np.testing.assert_array_equal(read(path, INDEX), INDICES > 0)


def test_index_tiff_that_cannot_be_trusted_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    grey = INDICES.astype(np.uint8)
    path.write_bytes(saved(grey, "TIFF", compression="jpeg"))
    assert "edge" in refused(path)
    path.write_bytes(tiff(grey, photometric=0))
    assert "has 0 as white" in refused(path)
    path.write_bytes(tiff(grey.astype(np.float32)))
    refused(path)
    path.write_bytes(saved(grey, "WEBP", lossless=True))
    refused(path)
    path.write_bytes(saved(grey, "TIFF", save_all=True, append_images=[Image.fromarray(grey)]))
    assert "several pages" in refused(path)


# -- colours ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        PALETTE,
        "0 128 64 128 road\n1 0 0 142 car\n2 255 255 255\n",
        "# comment\n\n#804080 road\n#00008E car\n#ffffff lane\n#\n",
        "2 #ffffff lane\n0 #804080\n1 #00008e\n",
        "128,64,128,road\r\n0, 0, 142, car\r\n255,255,255,a, b\r\n",
        "\ufeff128\t64\t128\troad\n0\t0\t142\n255\t255\t255",
    ],
)
def test_colours_become_classes(tmp_path: Path, content: str) -> None:
    palette = read_palette(text(tmp_path / "p.txt", content))
    pixels = COLOURS[INDICES]
    grey_palette = Image.fromarray(INDICES.astype(np.uint8))
    grey_palette.putpalette(COLOURS.tobytes())
    alpha = np.dstack([pixels, RNG.integers(0, 256, (5, 7), dtype=np.uint8)])
    for name, data in (
        ("rgb.png", saved(pixels, "PNG")),
        ("rgba.png", saved(alpha, "PNG")),
        ("palette.png", saved(grey_palette, "PNG")),
        ("x.bmp", saved(pixels, "BMP")),
        ("x.tif", saved(pixels, "TIFF", compression="tiff_lzw")),
    ):
        (tmp_path / name).write_bytes(data)
        labels = read(tmp_path / name, palette)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, INDICES)


def test_several_colours_may_share_a_class_and_one_may_be_ignored(tmp_path: Path) -> None:
    palette = read_palette(
        text(tmp_path / "p.txt", "0 128 64 128 road\n0 0 0 142 road\n255 255 255 255 void\n")
    )
    (tmp_path / "x.png").write_bytes(saved(COLOURS[INDICES], "PNG"))
    labels = read(tmp_path / "x.png", palette, classes=1, ignore=255)
    np.testing.assert_array_equal(labels, np.where(INDICES == 2, 255, 0))
    assert palette.class_names(255) == ("road",)
    assert palette.class_names(None) is None


def test_names_come_with_a_palette_where_each_class_has_one(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    assert read_palette(text(path, PALETTE)).class_names(None) == ("road", "car", "lane marking")
    assert read_palette(text(path, PALETTE)).class_names(2) == ("road", "car")
    assert read_palette(text(path, PALETTE)).class_names(0) is None
    assert read_palette(text(path, "1 2 3\n4 5 6 b\n")).class_names(None) is None
    assert read_palette(text(path, "1 2 3 b\n4 5 6 b\n")).class_names(None) is None


def test_an_unknown_colour_is_named_with_its_place(tmp_path: Path) -> None:
    palette = read_palette(text(tmp_path / "p.txt", PALETTE))
    pixels = COLOURS[INDICES]
    pixels[3, 4] = (127, 64, 128)
    pixels[4, 0] = (1, 2, 3)
    (tmp_path / "x.png").write_bytes(saved(pixels, "PNG"))
    message = refused(tmp_path / "x.png", palette)
    assert "127 64 128 (#7f4080) occurs, first in row 3, column 4" in message


def test_colours_are_refused_where_they_cannot_be_right(tmp_path: Path) -> None:
    palette = read_palette(text(tmp_path / "p.txt", PALETTE))
    for name, data in (
        ("x.jpg", saved(COLOURS[INDICES], "JPEG")),
        ("x.tif", saved(COLOURS[INDICES], "TIFF", compression="jpeg")),
        ("deep.png", png(COLOURS[INDICES].astype(np.uint16) * 257)),
    ):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, palette)
    np.save(tmp_path / "x.npy", INDICES)
    assert "--palette" in refused(tmp_path / "x.npy", palette)
    (tmp_path / "x.png").write_bytes(saved(COLOURS[INDICES], "PNG"))
    assert "--palette" in refused(tmp_path / "x.png")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# nothing\n",
        "road\n",
        "128 64\n",
        "128 64 256 road\n",
        "-1 2 3 road\n",
        "#12345 road\n",
        "1 2 3 road\n1 2 3 car\n",
        "1 2 3 road\n0 4 5 6 car\n",
        "0 0 1 2 3 4 five\n",
        "1.5 2 3 road\n",
        "١ ٢ ٣ road\n",
    ],
)
def test_what_is_no_palette_is_refused(tmp_path: Path, content: str) -> None:
    path = text(tmp_path / "p.txt", content)
    with pytest.raises(InputError) as caught:
        read_palette(path)
    assert str(caught.value).startswith(f"{path}: expected ")


# -- label maps ------------------------------------------------------------------------------


def test_numbers_become_classes(tmp_path: Path) -> None:
    label_map = read_label_map(text(tmp_path / "m.txt", "# ids\n10 0\n-1:2 # plate\n70000, 1\n"))
    numbers = np.array([10, 70000, -1])[INDICES]
    np.save(tmp_path / "x.npy", numbers)
    np.testing.assert_array_equal(read(tmp_path / "x.npy", label_map), INDICES)
    numbers[2, 6] = 11
    np.save(tmp_path / "x.npy", numbers)
    assert "11 occurs, first in row 2, column 6" in refused(tmp_path / "x.npy", label_map)
    np.save(tmp_path / "x.npy", np.full((5, 7), 2**64 - 5, np.uint64))
    assert f"{2**64 - 5} occurs" in refused(tmp_path / "x.npy", label_map)


@pytest.mark.parametrize(
    "content",
    ["", "# none\n", "1\n", "1 2 3\n", "a b\n", "1 2\n1 3\n", "1 2.0\n", "9999999999 1\n"],
)
def test_what_is_no_label_map_is_refused(tmp_path: Path, content: str) -> None:
    path = text(tmp_path / "m.txt", content)
    with pytest.raises(InputError) as caught:
        read_label_map(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    with pytest.raises(InputError):
        read_label_map(tmp_path / "missing.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\0")
    with pytest.raises(InputError):
        read_label_map(tmp_path / "bytes.txt")


def test_cityscapes_ids_become_train_ids(tmp_path: Path) -> None:
    ids = np.arange(34).reshape(2, 17)
    train = [255] * 7 + [0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, *range(6, 16)]
    train += [255, 255, 16, 17, 18]
    (tmp_path / "x.png").write_bytes(saved(ids.astype(np.uint8), "PNG"))
    labels = read_labels(
        tmp_path / "x.png",
        size=(2, 17),
        classes=19,
        ignore_label=255,
        label_encoding=LABEL_MAPS["cityscapes"],
    )
    np.testing.assert_array_equal(labels.ravel(), train)


@pytest.mark.parametrize(("name", "count"), [("ade20k", 150), ("pascal-context-59", 59)])
def test_labels_that_count_from_one(tmp_path: Path, name: str, count: int) -> None:
    numbers = np.arange(count + 1, dtype=np.uint8)[None]
    (tmp_path / "x.png").write_bytes(saved(numbers, "PNG"))
    labels = read_labels(
        tmp_path / "x.png",
        size=(1, count + 1),
        classes=count,
        ignore_label=255,
        label_encoding=LABEL_MAPS[name],
    )
    np.testing.assert_array_equal(labels.ravel(), [255, *range(count)])


def test_translation_is_right_beyond_one_strip_of_rows() -> None:
    values = RNG.integers(0, 50, (1200, 2000))
    table = RNG.permutation(50)
    translation = LookupTable.of(enumerate(map(int, table)))
    out, unknown = translation.apply(values)
    assert unknown is None
    np.testing.assert_array_equal(out, table[values])
    values[1100, 1999] = 50
    assert translation.apply(values)[1] == (1100, 1999)


# -- from the command line -------------------------------------------------------------------

LISTING = Listing((Item("x", Path("x.png"), Path("l.png")),))


def test_the_command_line_chooses_one_convention(tmp_path: Path) -> None:
    palette = text(tmp_path / "p.txt", PALETTE)
    assert apply_label_encoding(LISTING, palette=None, label_map=None) is LISTING
    coloured = apply_label_encoding(LISTING, palette=palette, label_map=None, ignore_label=2)
    assert coloured.label_encoding == read_palette(palette)
    assert coloured.class_names == ("road", "car")
    mapped = apply_label_encoding(LISTING, palette=None, label_map="cityscapes")
    assert (mapped.label_encoding, mapped.ignore_label) == (LABEL_MAPS["cityscapes"], 255)
    own = apply_label_encoding(LISTING, palette=None, label_map=text(tmp_path / "m.txt", "1 0\n"))
    assert own.ignore_label is None
    keys = {listing.label_encoding.key for listing in (LISTING, coloured, mapped, own)}
    assert len(keys) == 4


def test_conventions_that_contradict_are_refused(tmp_path: Path) -> None:
    palette = text(tmp_path / "p.txt", PALETTE)
    with pytest.raises(ParameterError, match="leave one out"):
        apply_label_encoding(LISTING, palette=palette, label_map="ade20k")
    with pytest.raises(ParameterError, match="--labels"):
        apply_label_encoding(
            Listing((Item("x", Path("x.png"), None),)), palette=palette, label_map=None
        )
    with pytest.raises(ParameterError, match="--dataset"):
        apply_label_encoding(
            apply_label_encoding(LISTING, palette=None, label_map="ade20k"),
            palette=None,
            label_map="ade20k",
        )
    with pytest.raises(ParameterError, match=r"one of cityscapes, .* but there is no 'unheard-of'"):
        apply_label_encoding(LISTING, palette=None, label_map="unheard-of")
    with pytest.raises(InputError, match="no such file"):
        apply_label_encoding(LISTING, palette="unheard-of", label_map=None)


def test_equal_codings_have_equal_keys(tmp_path: Path) -> None:
    one = read_palette(text(tmp_path / "a.txt", PALETTE))
    same = read_palette(text(tmp_path / "b.txt", "1 0 0 142\n2 #ffffff\n0 #804080 street\n"))
    other = read_palette(text(tmp_path / "c.txt", "0 0 142\n128 64 128\n255 255 255\n"))
    assert one.key == same.key != other.key
    # Kept in results: must stay as it is.
    assert LABEL_MAPS["cityscapes"].key == "map-9f823052de6e"
