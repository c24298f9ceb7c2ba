"""Mean and std that are in another unit than the value range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.pictures.first_arithmetic import Numbers

# Only what is off by an order of magnitude is refused: 8 bits and [0, 1] differ by two.
FAR: Final = 10.0  # times the range of the values, and as a number
WIDE: Final = 50.0  # a range of whole numbers, not of [0, 1]
FLATTENS: Final = 50.0  # times the range: a std that leaves nothing for a network to see


def by_mean_and_std(contract: PictureContract, value_range: tuple[float, float]) -> str | None:
    """Why mean and std of `contract` cannot be for this value range; None if they can."""
    before = contract.normalise == "before"
    low, high = (0.0, 1.0) if before else value_range
    span = high - low
    mean, std = np.asarray(contract.mean), np.asarray(contract.std)
    unit = "pixels in [0, 1]" if before else f"the range {low:g},{high:g}"
    far = mean[(np.abs(mean) >= FAR) & ((mean > high + FAR * span) | (mean < low - FAR * span))]
    if far.size:
        advice = f"pass --range {range_for(far)}"
        if before:
            advice += " --normalise after"
        return (
            f"mean {as_text(mean)} cannot be subtracted from values in {unit} "
            f"({source_of(contract)}); {advice}, or mean and std for {unit}."
        )
    if std.size and not mean.any() and (std >= FLATTENS * span).all():
        return (
            f"std {as_text(std)} leaves nothing of values in {unit} ({source_of(contract)}); pass "
            f"--range {range_for(std)}, or std for {unit}."
        )
    small = mean.size and std.size and (mean > 0).all() and (mean < 1).all() and (std < 1).all()
    if small and span >= WIDE and not before:
        return (
            f"mean {as_text(mean)} and std {as_text(std)} are for pixels in [0, 1], not for values "
            f"in {unit} ({source_of(contract)}); pass --range 0,1, or --normalise before if they "
            "apply before the range."
        )
    return None


def range_for(values: Numbers) -> str:
    """The usual range of pixels that such numbers are for."""
    largest = float(np.abs(values).max())
    if largest <= 300:  # 255 and what is rounded up from it
        return "0,255"
    return "0,65535" if 20_000 <= largest <= 70_000 else f"0,{largest:.6g}"


def source_of(contract: PictureContract) -> str:
    """Who said the value range."""
    return contract.sources.get("value_range", "given")


def as_text(values: Numbers | Sequence[float]) -> str:
    """Numbers as a person reads them, each once."""
    return ",".join(dict.fromkeys(f"{value:.4g}" for value in np.ravel(values).tolist()))
