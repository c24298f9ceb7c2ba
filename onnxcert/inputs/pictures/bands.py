"""Bands: the channels of multispectral and medical images, which no colour explains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from onnxcert.errors import InputError

_SHOWN: Final = 8


def numbered(count: int) -> tuple[str, ...]:
    """Names for bands that nobody has named, by their places from 0."""
    return tuple(f"band {i}" for i in range(count))


def listed(bands: Sequence[str]) -> str:
    """The names of bands as a person reads them; of many, the first."""
    more = len(bands) - _SHOWN
    shown = ", ".join(bands[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


def other_bands(path: Path, bands: Sequence[str], found: str) -> InputError:
    """The error for a file that has not the bands of the model; `found` says what it has."""
    return InputError(
        f"{path}: expected the {len(bands)} bands of the model ({listed(bands)}), but it {found}: "
        "give a .npy, .npz or TIFF file that holds just these, in this order."
    )
