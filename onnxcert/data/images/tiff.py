"""TIFF files of any number of bands, read sample by sample as stored.

Pillow supports only some numbers and types of samples, but it decompresses any stream of single
bytes: each strip or tile is passed to it as a grey image whose rows are the bytes of its rows. Call
the functions of this module inside `decoding_errors`. The libraries that could replace this module
lose: OpenCV misreads planes, floats and several bands; tifffile needs 47 MB of codecs.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import numpy.typing as npt

from onnxcert.data.decoding import MAX_PIXELS, check_pixels, quiet
from onnxcert.data.images.bands import band_mismatch_error
from onnxcert.data.images.pixels import parse_orientation
from onnxcert.errors import InputError

_MAGIC: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_COMPRESSIONS: Final = (1, 5, 8, 32773, 32946, 34925, 50000)  # lossless, of bytes
_TYPES: Final = {(1, 8): "u1", (1, 16): "u2", (3, 16): "f2", (3, 32): "f4", (3, 64): "f8"}
_FORMATS: Final = {1: "unsigned", 2: "signed", 3: "floating"}
_COLOURS: Final = {0: "white as zero", 3: "a palette", 5: "inks", 6: "luminance and chroma"}
_MOST_PAGES: Final = 1024
_LARGEST_TILE: Final = 2**28  # bytes
# Names of floats by samples per pixel.
_FLOATING: Final = {1: ("grey",), 3: ("red", "green", "blue")}


def find_layouts(path: Path, file: BinaryIO, bands: Sequence[str]) -> list[Layout]:
    """Return the layout of each page of a TIFF that must be read sample by sample.

    These are the bands of the model: the samples of one image, or images of one band and one size
    on as many pages. Without bands, they are the colours of a TIFF of floats, of which Pillow reads
    only one per pixel.

    Returns:
        The layouts; none if the file is no TIFF, or if Pillow can read it.

    Raises:
        InputError: the number of bands differs, or the sample type, compression or arrangement is
            not supported.
    """
    file.seek(0)
    if file.read(4) not in _MAGIC:
        return []
    if bands:
        return _check_layouts(path, *_read_pages(file), bands)
    try:
        pages, order = _read_pages(file)
        floating = set(_get_numbers(pages[0], 339, (1,))) == {3}
        count = _get_number(pages[0], 277, 1) if floating else 0
    except Exception:  # then Pillow reads it and reports what is wrong
        return []
    if count not in (0, *_FLOATING):
        raise InputError(
            f"{path}: expected a TIFF of floats, grey or RGB, but it has {count} samples per "
            "pixel: save only the colours, or pass --channels-are if the model takes these bands."
        )
    if not count:
        return []
    layouts = _check_layouts(path, pages, order, _FLOATING[count])
    # Grey becomes three channels, as in any image.
    check_pixels(path, layouts[0].width, layouts[0].height)
    return layouts


def read_tiff(file: BinaryIO, layouts: Sequence[Layout]) -> npt.NDArray[Any]:
    """Return the samples of a TIFF, upright [bands, H, W] in the stored type."""
    read = [_read_image(file, layout) for layout in layouts]
    return read[0] if len(read) == 1 else np.concatenate(read)


def _read_image(file: BinaryIO, layout: Layout) -> npt.NDArray[Any]:
    """Read one image, upright [samples, H, W]."""
    upright = np.empty((layout.samples, *layout.upright), layout.dtype)
    pixels = parse_orientation(layout.orientation).view_as_stored(upright)
    with quiet():
        for planes, y, x, offset, count in layout.segments():
            file.seek(offset)
            block = layout.decode(file.read(count), y)
            rows, columns = pixels[planes, y : y + len(block), x : x + block.shape[1]].shape[1:]
            part = block[:rows, :columns].transpose(2, 0, 1)
            pixels[planes, y : y + rows, x : x + columns] = part
    return upright


@dataclass(frozen=True)
class Layout:
    """Where the samples of a TIFF image are, and how they are packed."""

    height: int
    width: int
    samples: int
    dtype: np.dtype[Any]
    order: Literal["<", ">"]
    planar: bool
    compression: int
    predictor: int
    orientation: int
    block: tuple[int, int]
    tiled: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def upright(self) -> tuple[int, int]:
        return parse_orientation(self.orientation).turn_size((self.height, self.width))

    @property
    def interleaved(self) -> int:
        """Number of samples of a pixel that are stored side by side."""
        return 1 if self.planar else self.samples

    def segments(self) -> Iterator[tuple[slice, int, int, int, int]]:
        """Yield (bands, first row, first column, offset, bytes) of each strip or tile, in order."""
        places = zip(self.offsets, self.counts, strict=True)
        for plane in range(self.samples if self.planar else 1):
            planes = slice(plane, plane + self.interleaved)
            for y in range(0, self.height, self.block[0]):
                for x in range(0, self.width, self.block[1]):
                    yield planes, y, x, *next(places)

    def decode(self, data: bytes, y: int) -> npt.NDArray[Any]:
        """Return one strip or tile that begins in row y: [rows, columns, interleaved samples]."""
        rows, columns = self.block
        if not self.tiled:
            rows = min(rows, self.height - y)
        values = columns * self.interleaved
        raw = _decompress(data, rows, values * self.dtype.itemsize, self.compression)
        if self.predictor == 3:
            raw = np.cumsum(
                raw.reshape(rows, -1, self.interleaved), axis=1, dtype=np.uint8
            ).reshape(rows, self.dtype.itemsize, values)
            # The highest bytes of a row come first, then the next, in any byte order of the file.
            raw = np.ascontiguousarray(raw.transpose(0, 2, 1))
            block = raw.view(self.dtype.newbyteorder(">")).reshape(rows, columns, -1)
            return block.astype(self.dtype)
        block = raw.view(self.dtype.newbyteorder(self.order)).astype(self.dtype)
        block = block.reshape(rows, columns, self.interleaved)
        if self.predictor == 2:
            block = np.cumsum(block, axis=1, dtype=self.dtype)
        return block


def _decompress(data: bytes, rows: int, row: int, compression: int) -> npt.NDArray[np.uint8]:
    """Return `rows` rows of `row` bytes each, decompressed."""
    from PIL import Image

    entries = {
        256: row,
        257: rows,
        258: 8,
        259: compression,
        262: 1,
        273: 8 + 2 + 9 * 12 + 4,
        277: 1,
        278: rows,
        279: len(data),
    }
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    head += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    grey = io.BytesIO(head + bytes(4) + data)
    with Image.open(grey, formats=("TIFF",)) as image:
        return np.array(image, dtype=np.uint8)


def _check_layouts(
    path: Path, pages: Sequence[dict[int, Any]], order: Literal["<", ">"], bands: Sequence[str]
) -> list[Layout]:
    samples = [_get_number(tags, 277, 1) for tags in pages]
    if len(pages) > 1 and samples != [1] * len(bands):
        raise band_mismatch_error(path, bands, f"is a TIFF of {len(pages)} pages")
    if len(pages) == 1 and samples != [len(bands)]:
        raise band_mismatch_error(path, bands, f"has {samples[0]} samples per pixel")
    layouts = [_parse_layout(path, tags, order, bands=len(bands)) for tags in pages]
    if len({(layout.upright, layout.dtype) for layout in layouts}) > 1:
        raise band_mismatch_error(path, bands, "has pages of several sizes or types")
    return layouts


def _parse_layout(
    path: Path, tags: dict[int, Any], order: Literal["<", ">"], *, bands: int
) -> Layout:
    """Return the layout of one image."""
    samples, width, height = (
        _get_number(tags, 277, 1),
        _get_number(tags, 256),
        _get_number(tags, 257),
    )
    bits, formats = set(_get_numbers(tags, 258, (1,))), set(_get_numbers(tags, 339, (1,)))
    kind = (min(formats), min(bits)) if len(formats) == len(bits) == 1 else (0, 0)
    compression, predictor = _get_number(tags, 259, 1), _get_number(tags, 317, 1)
    planar = _get_number(tags, 284, 1) == 2 and samples > 1
    photometric = _get_number(tags, 262, 1)
    sizes = " and ".join(map(str, sorted(bits)))
    names = " and ".join(_FORMATS.get(one, "unknown") for one in sorted(formats))
    refused = {
        f"{names} samples of {sizes} bits": kind not in _TYPES,
        f"the compression {compression}": compression not in _COMPRESSIONS,
        _COLOURS.get(photometric, f"the colours {photometric}"): photometric not in (1, 2),
        f"the predictor {predictor}": predictor not in ((1, 3) if kind[0] == 3 else (1, 2)),
        "bits in reverse order": _get_number(tags, 266, 1) != 1,
    }
    for what, is_so in refused.items():
        if is_so:
            raise InputError(
                f"{path}: expected a TIFF of uint8, uint16 or floats, uncompressed or compressed "
                f"without loss, but it has {what}: save its bands as .npy, of uint8, uint16 or "
                "floats in [0, 1]."
            )
    dtype = np.dtype(_TYPES[kind])
    limit = MAX_PIXELS * 3 // bands * 4 // max(4, dtype.itemsize)
    check_pixels(path, width, height, limit=limit)
    tiled = 322 in tags
    block = (
        (_get_number(tags, 323), _get_number(tags, 322))
        if tiled
        else (_get_number(tags, 278, height), width)
    )
    block = (block[0] if tiled else min(block[0], height), block[1])
    offsets = _get_numbers(tags, 324 if tiled else 273)
    counts = _get_numbers(tags, 325 if tiled else 279)
    wanted = -(-height // max(1, block[0])) * -(-width // max(1, block[1]))
    wanted *= samples if planar else 1
    beside = 1 if planar else samples
    too_large = tiled and block[0] * block[1] * beside * dtype.itemsize > _LARGEST_TILE
    if min(block) < 1 or too_large or not len(offsets) == len(counts) == wanted:
        raise ValueError("strips or tiles do not cover the image")  # reported by `decoding_errors`
    return Layout(
        height=height,
        width=width,
        samples=samples,
        dtype=dtype,
        order=order,
        planar=planar,
        compression=compression,
        predictor=predictor,
        orientation=_get_number(tags, 274, 1),
        block=block,
        tiled=tiled,
        offsets=offsets,
        counts=counts,
    )


def _read_pages(file: BinaryIO) -> tuple[list[dict[int, Any]], Literal["<", ">"]]:
    """Return the tags of each image in a TIFF, and its byte order.

    Skip smaller copies and masks, which geographic files include.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    images: list[dict[int, Any]] = []
    file.seek(0)
    start = file.read(8)
    if start[2:4] in (b"+\0", b"\0+"):
        start += file.read(8)
    directory = ImageFileDirectory_v2(start)
    for _ in range(_MOST_PAGES):
        file.seek(directory.next)
        directory.load(file)
        tags = dict(directory.items())
        if 256 not in tags:  # Pillow only warns if the file ends too early
            raise ValueError("a directory is cut short")
        if not _get_number(tags, 254, 0) & 0b101:
            images.append(tags)
        if not directory.next:
            break
    if not images:
        raise ValueError("there are only smaller copies and masks")
    return images, "<" if start.startswith(b"II") else ">"


def _get_numbers(tags: dict[int, Any], tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    value = tags.get(tag, default)
    return tuple(int(v) for v in value) if isinstance(value, tuple) else (int(value),)


def _get_number(tags: dict[int, Any], tag: int, default: int | None = None) -> int:
    """Return a tag of one number; raise ValueError, for `decoding_errors`, if it is missing."""
    found = _get_numbers(tags, tag) if tag in tags else ()
    if not found and default is None:
        raise ValueError(f"the tag {tag} is missing")
    return found[0] if found else int(default or 0)
