"""RGB composite of an image with any number of bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray

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
