"""Composite of the bands of an image, and label maps as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.report.figures import palette
from onnxcert.report.figures.axes import ByteArray
from onnxcert.report.figures.figure import save_png

_COLOURS: Final = ("red", "green", "blue")


def composite(bands: FloatArray, names: Sequence[str]) -> tuple[FloatArray, str]:
    """Return (RGB float32 [3, H, W], description).

    The composite shows the bands named red, green and blue; otherwise the first three bands; with
    fewer than three bands, the first one in grey.

    Args:
        bands: float32 [C, H, W] in [0, 1].
        names: one name for each band.
    """
    called = [name.strip().casefold() for name in names]
    if all(colour in called for colour in _COLOURS):
        shown = [called.index(colour) for colour in _COLOURS]
        return np.ascontiguousarray(bands[shown]), "Bands red, green, blue"
    if len(bands) < 3:
        return np.ascontiguousarray(bands[[0, 0, 0]]), "Channel 0 in grey"
    return np.ascontiguousarray(bands[:3]), "Channels 0, 1, 2 as RGB"


def label_png(labels: IntArray, colours: ByteArray) -> bytes:
    """Return the labels as an index PNG whose values are the class indices.

    Up to 255 classes: 8 bits with the palette `colours`, 255 for abstention. More classes:
    greyscale of 16 bits, 65535 for abstention.

    Args:
        labels: integers [H, W]; a value that is no class counts as abstention.
        colours: uint8 [classes, 3], one for each class of the model.
    """
    from PIL import Image

    classes = len(colours)
    known = (labels >= 0) & (labels < classes)
    written = BytesIO()
    if classes > 255:
        save_png(written, Image.fromarray(np.where(known, labels, 65535).astype(np.uint16)))
        return written.getvalue()
    image = Image.fromarray(np.where(known, labels, 255).astype(np.uint8))
    table = np.zeros((256, 3), np.uint8)
    table[:classes] = colours
    table[255] = palette.ABSTAIN
    image.putpalette(table.tobytes())
    save_png(written, image)
    return written.getvalue()
