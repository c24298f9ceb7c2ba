"""Writers of picture files that Pillow cannot write, from arrays of exact values."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

_PNG_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(pixels: np.ndarray, *, filters: bool = False, extra: bytes = b"") -> bytes:
    """uint8 or uint16 [H, W] or [H, W, 1 to 4] as PNG; `extra` chunks go before the pixels."""
    height, width = pixels.shape[:2]
    bits = pixels.dtype.itemsize * 8
    rows = pixels.astype(f">u{pixels.dtype.itemsize}").reshape(height, width, -1)
    step = rows.shape[2] * pixels.dtype.itemsize
    before = bytes(width * step)
    packed = []
    for y, row in enumerate(rows):
        line = row.tobytes()
        kind = y % 3 if filters else 0
        other = (b"", bytes(step) + line[:-step], before)[kind]
        coded = bytes((a - b) & 255 for a, b in zip(line, other, strict=True)) if kind else line
        packed.append(bytes([kind]) + coded)
        before = line
    header = struct.pack(">IIBBBBB", width, height, bits, _PNG_TYPES[rows.shape[2]], 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(b"".join(packed)))
        + chunk(b"IEND", b"")
    )


def tiff(
    pixels: np.ndarray,
    *,
    order: str = "<",
    photometric: int | None = None,
    compression: int = 1,
    predictor: bool = False,
    planar: bool = False,
    rows_per_strip: int | None = None,
    tags: dict[int, tuple[int, ...]] | None = None,
    next_page: int = 0,
) -> bytes:
    """Integers or floats [H, W] or [H, W, C] as TIFF: raw (1) or deflated (8), any byte order."""
    height, width = pixels.shape[:2]
    samples = pixels.reshape(height, width, -1)
    channels, size = samples.shape[2], pixels.dtype.itemsize
    if predictor:
        samples = np.diff(samples, axis=1, prepend=np.zeros_like(samples[:, :1]))
    stored = samples.astype(pixels.dtype.newbyteorder(order))
    rows = rows_per_strip or height
    planes = [stored[..., c] for c in range(channels)] if planar else [stored]
    strips = [plane[y : y + rows].tobytes() for plane in planes for y in range(0, height, rows)]
    if compression == 8:
        strips = [zlib.compress(strip) for strip in strips]
    offsets = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    entries: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: (8 * size,) * channels,
        259: (compression,),
        262: ((1 if channels < 3 else 2) if photometric is None else photometric,),
        273: tuple(offsets),
        277: (channels,),
        278: (rows,),
        279: tuple(map(len, strips)),
        284: (2 if planar else 1,),
        317: (2 if predictor else 1,),
        339: (kind,) * channels,
        **({338: (2,)} if channels in (2, 4) and photometric is None else {}),
        **(tags or {}),
    }
    return _container(order, strips, entries, next_page)


def _container(
    order: str, strips: list[bytes], entries: dict[int, tuple[int, ...]], next_page: int
) -> bytes:
    body = b"".join(strips)
    body += b"\0" * (len(body) % 2)
    at = 8 + len(body)
    behind = at + 2 + 12 * len(entries) + 4
    directory, values = struct.pack(f"{order}H", len(entries)), b""
    for tag, numbers in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        directory += struct.pack(f"{order}HHI", tag, 4, len(numbers))
        if len(packed) <= 4:
            directory += packed
        else:
            directory += struct.pack(f"{order}I", behind + len(values))
            values += packed
    directory += struct.pack(f"{order}I", next_page)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", at) + body + directory + values


def saved(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    """What Pillow saves."""
    file = io.BytesIO()
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(file, kind, **options)
    return file.getvalue()


_PILLOW_NAMES = {5: "tiff_lzw", 32773: "packbits"}


def bands_tiff(
    pixels: np.ndarray,
    *,
    order: str = "<",
    compression: int = 1,
    predictor: int = 1,
    planar: bool = False,
    rows: int | None = None,
    tile: tuple[int, int] | None = None,
    photometric: int = 1,
    tags: dict[int, tuple[int, ...]] | None = None,
) -> bytes:
    """[H, W, C] of any number of bands as TIFF, in strips of `rows` or in tiles.

    Compression is none (1), LZW (5), Deflate (8 or 32946) or PackBits (32773); the predictor none
    (1), differences (2) or those of the bytes of floats (3).
    """
    height, width, channels = pixels.shape
    block = tile or (rows or height, width)
    planes = [pixels[..., c : c + 1] for c in range(channels)] if planar else [pixels]
    blocks = [
        _block(plane, y, x, block, whole=tile is not None)
        for plane in planes
        for y in range(0, height, block[0])
        for x in range(0, width, block[1])
    ]
    strips = [_coded(one, order, compression, predictor) for one in blocks]
    offsets = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    places = {"offsets": tuple(offsets), "counts": tuple(map(len, strips))}
    entries: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: (8 * pixels.dtype.itemsize,) * channels,
        259: (compression,),
        262: (photometric,),
        277: (channels,),
        284: (2 if planar else 1,),
        317: (predictor,),
        339: ({"u": 1, "i": 2, "f": 3}[pixels.dtype.kind],) * channels,
    }
    if tile:
        entries |= {322: tile[1:], 323: tile[:1], 324: places["offsets"], 325: places["counts"]}
    else:
        entries |= {273: places["offsets"], 278: block[:1], 279: places["counts"]}
    return _container(order, strips, {**entries, **(tags or {})}, 0)


def _block(plane: np.ndarray, y: int, x: int, size: tuple[int, int], *, whole: bool) -> np.ndarray:
    """One strip or tile; a tile is continued beyond the image by something that must not count."""
    part = plane[y : y + size[0], x : x + size[1]]
    if not whole:
        return part
    full = np.ones((*size, plane.shape[2]), plane.dtype)
    full[: part.shape[0], : part.shape[1]] = part
    return full


def _coded(block: np.ndarray, order: str, compression: int, predictor: int) -> bytes:
    rows = len(block)
    if predictor == 2:
        block = np.diff(block, axis=1, prepend=np.zeros_like(block[:, :1]))
    if predictor == 3:  # rows of the highest bytes, the next, ..., and then their differences
        flat = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(">")))
        raw = flat.view(np.uint8).reshape(rows, -1, block.dtype.itemsize).transpose(0, 2, 1)
        raw = raw.reshape(rows, -1, block.shape[2])
        raw = np.diff(raw, axis=1, prepend=np.zeros_like(raw[:, :1]))
    else:
        raw = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(order))).view(np.uint8)
    data = np.ascontiguousarray(raw.reshape(rows, -1))
    match compression:
        case 1:
            return data.tobytes()
        case 8 | 32946:
            return zlib.compress(data.tobytes())
    file = saved(
        data, "TIFF", compression=_PILLOW_NAMES[compression], strip_size=data.size, tiffinfo={}
    )
    with Image.open(io.BytesIO(file)) as image:
        offsets, counts = image.tag_v2[273], image.tag_v2[279]
    assert len(offsets) == 1
    return file[offsets[0] : offsets[0] + counts[0]]
