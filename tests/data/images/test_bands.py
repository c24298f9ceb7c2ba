"""Files of any number of bands: what was saved is what is read, and nothing else is."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import bands_tiff, png, saved, tiff
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from profiles import examples
from refusals import refused_input

from onnxcert.data import read_image, read_image_size
from onnxcert.errors import InputError

HEIGHT, WIDTH = 21, 34
SIXTEEN = {"compression": 5, "predictor": 2, "tile": (16, 16)}


def names(count: int) -> tuple[str, ...]:
    return tuple(f"b{i}" for i in range(count))


def stored(count: int, dtype: str, *, seed: int = 0) -> np.ndarray:
    """Values [H, W, C] that use all bits of their type."""
    rng = np.random.default_rng((seed, count))
    if np.dtype(dtype).kind == "f":
        return rng.random((HEIGHT, WIDTH, count)).astype(dtype)
    largest = np.iinfo(dtype).max
    return rng.integers(0, largest, (HEIGHT, WIDTH, count), dtype=dtype, endpoint=True)


def reference(values: np.ndarray) -> np.ndarray:
    """float32 [C, H, W] in [0, 1]: whole numbers by the largest their type holds, floats as are."""
    planes = np.moveaxis(values, -1, 0)
    if values.dtype.kind == "f":
        return planes.astype(np.float32)
    return (planes.astype(np.float64) / np.iinfo(values.dtype).max).astype(np.float32)


def check(path: Path, values: np.ndarray) -> None:
    bands = names(values.shape[2])
    found = read_image(path, bands)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, reference(values))
    assert read_image_size(path, bands) == found.shape[1:]


def refused(path: Path, count: int = 4) -> str:
    return refused_input(path, lambda: read_image(path, names(count)))


# -- what is read --------------------------------------------------------------------------------

Writer = Callable[[Path, np.ndarray], Path]


def _npy(folder: Path, values: np.ndarray) -> Path:
    np.save(folder / "x.npy", values)
    return folder / "x.npy"


def _npy_first(folder: Path, values: np.ndarray) -> Path:
    return _npy(folder, np.moveaxis(values, -1, 0))


def _npz(folder: Path, values: np.ndarray) -> Path:
    np.savez(folder / "x.npz", whatever=values)
    return folder / "x.npz"


def _npz_first(folder: Path, values: np.ndarray) -> Path:
    np.savez_compressed(folder / "x.npz", np.moveaxis(values, -1, 0))
    return folder / "x.npz"


def _npz_each(folder: Path, values: np.ndarray) -> Path:
    planes = {f"b{i}": values[..., i] for i in reversed(range(values.shape[2]))}
    np.savez(folder / "x.npz", mask=np.zeros(3), **planes)
    return folder / "x.npz"


def _tiff(**options: Any) -> Writer:
    def write(folder: Path, values: np.ndarray) -> Path:
        (folder / "x.tif").write_bytes(bands_tiff(values, **options))
        return folder / "x.tif"

    return write


WRITERS: dict[str, Writer] = {
    "npy, channels last": _npy,
    "npy, channels first": _npy_first,
    "npz, channels last": _npz,
    "npz, channels first": _npz_first,
    "npz, an array each": _npz_each,
    "tiff": _tiff(),
    "tiff, planar": _tiff(planar=True),
    "tiff, big-endian": _tiff(order=">"),
    "tiff, strips": _tiff(rows=5),
    "tiff, planar strips": _tiff(rows=5, planar=True, order=">"),
    "tiff, deflated": _tiff(compression=8, rows=4),
    "tiff, deflated of old": _tiff(compression=32946, planar=True),
    "tiff, lzw": _tiff(compression=5, rows=10),
    "tiff, packbits": _tiff(compression=32773, planar=True, rows=6),
    "tiff, tiles": _tiff(tile=(16, 16)),
    "tiff, planar tiles": _tiff(tile=(16, 32), planar=True, compression=8, order=">"),
    "tiff, as GDAL writes four bytes": _tiff(photometric=2, tags={338: (2,)}),
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 13])
@pytest.mark.parametrize("writer", WRITERS)
def test_bands_are_read_as_they_were_saved(
    tmp_path: Path, writer: str, count: int, dtype: str
) -> None:
    if writer == "npz, an array each" and count == 1:
        pytest.skip("one array is the picture")
    values = stored(count, dtype)
    check(WRITERS[writer](tmp_path, values), values)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize(
    ("dtype", "predictor"),
    [("uint8", 2), ("uint16", 2), ("float32", 3), ("float64", 3), ("float16", 3)],
)
def test_differences_are_undone(
    tmp_path: Path,
    dtype: str,
    predictor: int,
    tile: tuple[int, int] | None,
    order: str,
    planar: bool,
) -> None:
    values = stored(5, dtype)
    for compression in (5, 8):
        options = {"predictor": predictor, "tile": tile, "order": order, "planar": planar}
        data = bands_tiff(values, compression=compression, **options)
        (tmp_path / "x.tif").write_bytes(data)
        check(tmp_path / "x.tif", values)


@given(data=st.data())
@examples(60)
def test_any_arrangement_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    shape = tuple(data.draw(st.integers(1, 40)) for _ in range(2))
    count = data.draw(st.integers(1, 9))
    dtype = data.draw(st.sampled_from(["uint8", "uint16", "float32"]))
    values = stored(count, dtype)[: shape[0], : shape[1]]
    tiled = data.draw(st.booleans())
    sides = st.sampled_from((16, 32))
    options = {
        "order": data.draw(st.sampled_from("<>")),
        "compression": data.draw(st.sampled_from((1, 5, 8, 32773))),
        "predictor": data.draw(st.sampled_from((1, 3 if dtype == "float32" else 2))),
        "planar": data.draw(st.booleans()),
        "tile": (data.draw(sides), data.draw(sides)) if tiled else None,
        "rows": data.draw(st.integers(1, 40)),
    }
    path = tmp_path_factory.mktemp("any") / "x.tif"
    path.write_bytes(bands_tiff(values, **options))
    check(path, values)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_tiff_comes_upright(tmp_path: Path, orientation: int) -> None:
    values = stored(4, "uint8")
    turned = {
        1: values,
        2: values[:, ::-1],
        3: values[::-1, ::-1],
        4: values[::-1],
        5: values.transpose(1, 0, 2),
        6: values.transpose(1, 0, 2)[:, ::-1],
        7: values[::-1, ::-1].transpose(1, 0, 2),
        8: values.transpose(1, 0, 2)[::-1],
    }[orientation]
    (tmp_path / "x.tif").write_bytes(bands_tiff(values, tags={274: (orientation,)}))
    check(tmp_path / "x.tif", turned)


def test_a_grey_or_rgb_picture_is_one_band_or_three(tmp_path: Path) -> None:
    values = stored(3, "uint8")
    (tmp_path / "colour.png").write_bytes(saved(values, "PNG"))
    check(tmp_path / "colour.png", values)
    (tmp_path / "grey.png").write_bytes(saved(values[..., 0], "PNG"))
    check(tmp_path / "grey.png", values[..., :1])
    deep = stored(3, "uint16")
    (tmp_path / "deep.png").write_bytes(png(deep))
    check(tmp_path / "deep.png", deep)
    (tmp_path / "grey.npy").write_bytes(b"")
    np.save(tmp_path / "grey.npy", values[..., 0])
    check(tmp_path / "grey.npy", values[..., :1])


def test_smaller_copies_and_masks_are_no_further_pages(tmp_path: Path) -> None:
    values = stored(4, "uint8")
    (tmp_path / "x.tif").write_bytes(pages_of((values, {}), (values[::2, ::2], {254: (1,)})))
    check(tmp_path / "x.tif", values)
    (tmp_path / "x.tif").write_bytes(pages_of((values, {}), (values[::2, ::2], {})))
    assert "a TIFF of 2 pages" in refused(tmp_path / "x.tif")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("options", [{}, SIXTEEN, {"compression": 8, "rows": 4}])
def test_as_many_pages_of_one_band_are_the_bands(
    tmp_path: Path, dtype: str, options: dict[str, Any]
) -> None:
    """As ImageJ and tifffile write stacks."""
    if dtype == "float32":
        options = {**options, "predictor": 1}
    values = stored(4, dtype)
    planes = [(values[..., c : c + 1], {}) for c in range(4)]
    (tmp_path / "x.tif").write_bytes(pages_of(*planes, **options))
    check(tmp_path / "x.tif", values)
    assert "a TIFF of 4 pages" in refused(tmp_path / "x.tif", 3)
    assert "a TIFF of 4 pages" in refused(tmp_path / "x.tif", 1)
    (tmp_path / "x.tif").write_bytes(pages_of(*planes[:3], (values[::2, :, 3:], {}), **options))
    assert "pages of several sizes" in refused(tmp_path / "x.tif")


def pages_of(*pages: tuple[np.ndarray, dict[int, tuple[int, ...]]], **options: Any) -> bytes:
    """Images with further tags, one behind the other in one TIFF."""
    whole = bytearray()
    link = 0  # where the place of the next directory is written
    for values, tags in pages:
        page = bytearray(bands_tiff(values, tags=tags, **options))
        begin = len(whole)
        at = struct.unpack_from("<I", page, 4)[0]
        entries = struct.unpack_from("<H", page, at)[0]
        for i in range(entries):  # all that points at other bytes is further by what stands before
            entry = at + 2 + 12 * i
            tag, _, count, value = struct.unpack_from("<HHII", page, entry)
            if count > 1 and tag in (273, 324):
                places = struct.unpack_from(f"<{count}I", page, value)
                struct.pack_into(f"<{count}I", page, value, *(place + begin for place in places))
            if count > 1 or tag in (273, 324):
                struct.pack_into("<I", page, entry + 8, value + begin)
        whole += page
        if begin:
            struct.pack_into("<I", whole, link, begin + at)
        link = begin + at + 2 + 12 * entries
    return bytes(whole)


def test_colour_pictures_come_from_archives_as_well(tmp_path: Path) -> None:
    values = stored(3, "uint8")
    np.savez(tmp_path / "x.npz", values)
    np.testing.assert_array_equal(read_image(tmp_path / "x.npz"), reference(values))
    assert read_image_size(tmp_path / "x.npz") == (HEIGHT, WIDTH)


# -- what is refused -----------------------------------------------------------------------------


def wrong_files() -> Iterator[tuple[str, bytes, str]]:
    """(name, contents, what the sentence says) of files that are no four bands."""
    four = stored(4, "uint8")
    yield "photo.png", saved(four[..., :3], "PNG"), "it is RGB"
    yield "photo.jpg", saved(four[..., :3], "JPEG"), "it is RGB"
    yield "grey.png", saved(four[..., 0], "PNG"), "it is grey"
    yield "alpha.png", saved(four, "PNG"), "of mode RGBA"
    yield "inks.jpg", saved(Image.fromarray(four, "CMYK"), "JPEG"), "of mode CMYK"
    yield "three.tif", bands_tiff(four[..., :3]), "3 samples per pixel"
    yield "five.tif", bands_tiff(stored(5, "uint8")), "5 samples per pixel"
    yield "signed.tif", bands_tiff(four.astype(np.int16)), "signed samples of 16 bits"
    yield "wide.tif", bands_tiff(four.astype(np.uint32)), "unsigned samples of 32 bits"
    yield "inks.tif", bands_tiff(four, photometric=5), "inks"
    yield "white.tif", bands_tiff(four, photometric=0), "white as zero"
    yield "lossy.tif", bands_tiff(four, tags={259: (7,)}), "the compression 7"
    yield "predictor.tif", bands_tiff(four, tags={317: (3,)}), "the predictor 3"
    yield "bits.tif", bands_tiff(four, tags={266: (2,)}), "bits in reverse order"
    yield "bits12.tif", bands_tiff(four, tags={258: (8, 8, 8, 12)}), "8 and 12 bits"
    yield "floats.tif", bands_tiff(stored(4, "float32") * 300), "floats in [0, 1]"
    yield "short.tif", bands_tiff(four)[:2000], "damaged or cut short"
    yield "gone.tif", bands_tiff(four, tags={273: (10**6,)}), "damaged or cut short"
    yield "strips.tif", bands_tiff(four, tags={278: (5,)}), "damaged or cut short"
    yield "huge.tif", bands_tiff(four, tags={256: (10**5,), 257: (10**5,)}), "at most"
    three = [(four[..., c : c + 1], {}) for c in range(3)]
    yield "pages.tif", pages_of(*three), "a TIFF of 3 pages"
    for name, array, words in (
        ("three", four[..., :3], "shape (21, 34, 3)"),
        ("flat", four[..., 0], "shape (21, 34)"),
        ("batch", four[None], "shape (1, 21, 34, 4)"),
        ("signed", four.astype(np.int16), "int16"),
        ("long", four.astype(np.int64), "int64"),
        ("large", four.astype(np.float32), "floats in [0, 1]"),
        ("nan", np.full(four.shape, np.nan, np.float32), "floats in [0, 1]"),
        ("either", four[:4], "[4, H, W] or [H, W, 4]"),
        ("empty", four[:0], "(0, 34, 4)"),
    ):
        file = io.BytesIO()
        np.save(file, array)
        yield f"{name}.npy", file.getvalue(), words
    file = io.BytesIO()
    np.savez(file, image=four, label=four[..., 0])
    yield "several.npz", file.getvalue(), "'image', 'label'"
    file = io.BytesIO()
    np.savez(file, b0=four[..., 0], b1=four[..., 1], b2=four[..., 2], b3=four[:9, :9, 3])
    yield "sizes.npz", file.getvalue(), "bands of one size"
    yield "none.npz", b"PK\x05\x06" + bytes(18), "it holds none"
    yield "text.npz", b"no archive", "damaged or cut short"


WRONG = list(wrong_files())


@pytest.mark.parametrize(("name", "data", "words"), WRONG, ids=[name for name, _, _ in WRONG])
def test_what_is_no_file_of_the_bands_is_refused_in_a_sentence(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(data)
    assert words in refused(tmp_path / name)


def test_another_number_of_bands_is_refused_with_the_names_of_the_bands(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", stored(5, "uint8"))
    for function in (read_image, read_image_size):
        with pytest.raises(InputError, match=r"the 3 bands of the model \(red, nir, swir\)"):
            function(tmp_path / "x.npy", ("red", "nir", "swir"))


def test_a_colour_model_takes_no_four_channels(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", stored(4, "uint8"))
    with pytest.raises(InputError, match=r"\[H, W, 3\]"):
        read_image(tmp_path / "x.npy")


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, SIXTEEN, {"compression": 8, "planar": True, "rows": 4}])
def test_damage_gives_bands_or_a_sentence(tmp_path: Path, options: dict[str, Any]) -> None:
    data = bands_tiff(stored(4, "uint16"), **options)
    path = tmp_path / "x.tif"
    rng = np.random.default_rng(1)
    for i in range(300):
        wrong = bytearray(data)
        for at in rng.integers(0 if i % 2 else len(data) - 400, len(data), rng.integers(1, 4)):
            wrong[at] = rng.integers(0, 256)
        path.write_bytes(wrong if i % 3 else wrong[: rng.integers(0, len(data))])
        try:
            found = read_image(path, names(4))
        except InputError:
            continue
        assert found.shape[0] == 4
        assert 0 <= found.min() <= found.max() <= 1


def test_a_header_that_names_more_than_the_archive_holds_gets_no_memory(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (9000, 8000, 3)}
    )
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", file.getvalue())
    assert "all of them in the file" in refused(tmp_path / "x.npz", 3)


def test_a_tiff_of_several_samples_as_pillow_and_others_write_it(tmp_path: Path) -> None:
    values = stored(4, "uint8")
    (tmp_path / "x.tif").write_bytes(saved(values, "TIFF", compression="tiff_lzw"))
    check(tmp_path / "x.tif", values)
    deep = stored(4, "uint16")
    (tmp_path / "x.tif").write_bytes(tiff(deep, compression=8, predictor=True, photometric=1))
    check(tmp_path / "x.tif", deep)
