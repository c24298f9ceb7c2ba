"""Derive the value range (black and white) if no source gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.first_arithmetic import Numbers
from onnxcert.model.detect.proposal import fill_missing

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


_USUAL: Final = ((0.0, 1.0), (0.0, 255.0))


def with_value_range(contract: ImageContract) -> ImageContract:
    """Return `contract` with its value range, derived from type, mean and std if not given.

    Raises:
        Question: It is not given, and type, mean and std do not determine it.
    """
    if contract.value_range is not None:
        return contract
    if not contract.mean and not contract.std:
        if contract.dtype == "uint8":
            return fill_missing(contract, {"value_range": (0.0, 255.0)}, "the uint8 input")
        if contract.dtype == "int8":
            raise _question(
                "nothing tells which values of the int8 input are black and white; pass --range "
                "-128,127 or --range 0,127.",
                ("-128,127", "0,127"),
            )
        raise _question(
            "nothing tells which pixel values the model was trained on; pass --range 0,1 or "
            "--range 0,255 or --range -1,1 for plain pixels, or --mean and --std if they are "
            "normalised.",
            ("0,1", "0,255", "-1,1"),
            "; with --mean and --std as well if pixels are normalised after that",
        )
    within_one = all(0 <= v <= 1 for v in contract.mean) and all(v <= 1 for v in contract.std)
    if not any(contract.mean) and all(v == 1 for v in contract.std):
        within_one = False  # mean 0 and std 1 change nothing, so they show no range
    above_one = bool(contract.mean) and all(v > 1 for v in contract.mean)
    if within_one:
        return fill_missing(contract, {"value_range": (0.0, 1.0)}, "mean and std, none above 1")
    if above_one and all(v >= 1 for v in contract.std):
        return fill_missing(contract, {"value_range": (0.0, 255.0)}, "mean and std, all above 1")
    if not any(contract.mean) and contract.std and all(v >= FLATTENS for v in contract.std):
        return fill_missing(contract, {"value_range": (0.0, 255.0)}, "std, far above 1")
    fitting = [usual for usual in _USUAL if check_mean_and_std(contract, usual) is None]
    if len(fitting) == 1:
        low, high = fitting[0]
        raise _question(
            f"mean {_numbers(contract.mean)} and std {_numbers(contract.std)} seem to be in "
            f"different units, and only pixels in [{low:g}, {high:g}] fit; pass --range "
            f"{low:g},{high:g} as well, or correct them.",
            (f"{low:g},{high:g}",),
        )
    raise _question(
        f"mean {_numbers(contract.mean)} and std {_numbers(contract.std)} do not tell whether they "
        "apply to pixels in [0, 1] or in [0, 255]; pass --range 0,1 or --range 0,255 as well.",
        ("0,1", "0,255"),
    )


def _question(sentence: str, values: Sequence[str], more: str = "") -> MissingSetting:
    meaning = f"the values of black and white that the network expects, before mean and std{more}"
    low, _, high = values[0].partition(",")
    answer = {"value_range": (float(low), float(high))}
    return MissingSetting(sentence, flag="--range", values=values, meaning=meaning, answer=answer)


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{v:g}" for v in values) or "(none)"
