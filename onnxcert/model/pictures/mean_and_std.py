"""Detect mean and std in another unit than the value range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from onnxcert.model.pictures.contract import ImageContract
from onnxcert.model.pictures.first_arithmetic import Numbers

# Only errors of an order of magnitude are refused: 8 bits and [0, 1] differ by two orders.
FAR: Final = 10.0  # absolute, and times the range of the values
WIDE: Final = 50.0  # smallest range of whole numbers; one of [0, 1] is smaller
FLATTENS: Final = 50.0  # times the range: a std after which all pixels are nearly equal


def check_mean_and_std(contract: ImageContract, value_range: tuple[float, float]) -> str | None:
    """Return why mean and std of `contract` do not fit this value range; None if they do."""
    before = contract.normalise == "before"
    low, high = (0.0, 1.0) if before else value_range
    span = high - low
    mean, std = np.asarray(contract.mean), np.asarray(contract.std)
    unit = "pixels in [0, 1]" if before else f"the range {low:g},{high:g}"
    far = mean[(np.abs(mean) >= FAR) & ((mean > high + FAR * span) | (mean < low - FAR * span))]
    if far.size:
        advice = f"pass --range {usual_range(far)}"
        if before:
            advice += " --normalise after"
        return (
            f"mean {as_text(mean)} does not fit values in {unit} ({range_source(contract)}); "
            f"{advice}, or mean and std for {unit}."
        )
    if std.size and not mean.any() and (std >= FLATTENS * span).all():
        return (
            f"std {as_text(std)} is too large for values in {unit} ({range_source(contract)}); "
            f"pass --range {usual_range(std)}, or std for {unit}."
        )
    small = mean.size and std.size and (mean > 0).all() and (mean < 1).all() and (std < 1).all()
    if small and span >= WIDE and not before:
        return (
            f"mean {as_text(mean)} and std {as_text(std)} are for pixels in [0, 1], not for values "
            f"in {unit} ({range_source(contract)}); pass --range 0,1, or --normalise before if "
            "they apply before the range."
        )
    return None


def usual_range(values: Numbers) -> str:
    """Return the usual pixel range that such numbers are for."""
    largest = float(np.abs(values).max())
    if largest <= 300:  # 255, possibly rounded up
        return "0,255"
    return "0,65535" if 20_000 <= largest <= 70_000 else f"0,{largest:.6g}"


def range_source(contract: ImageContract) -> str:
    """Return the source of the value range."""
    return contract.sources.get("value_range", "given")


def as_text(values: Numbers | Sequence[float]) -> str:
    """Return numbers as text, without duplicates."""
    return ",".join(dict.fromkeys(f"{value:.4g}" for value in np.ravel(values).tolist()))
