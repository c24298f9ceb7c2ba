"""Find the value range (black and white); refuse one that contradicts mean, std or the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx

from onnxcert.errors import ContractError
from onnxcert.model.adapter.normalisation import affine
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.first_arithmetic import Affine, first_arithmetic
from onnxcert.model.detect.values import fill_missing
from onnxcert.model.graph.tracing import Numbers

# Only errors of an order of magnitude are refused: 8 bits and [0, 1] differ by two orders.
_FAR: Final = 10.0  # absolute, and times the range of the values
_WIDE: Final = 50.0  # smallest range of whole numbers; one of [0, 1] is smaller
_FLATTENS: Final = 50.0  # times the range: a std after which all pixels are nearly equal
_USUAL: Final = ((0.0, 1.0), (0.0, 255.0))
_UNITS: Final = (1.0, 255.0, 1 / 255)
_FLAG: Final = "given"
_ALIKE: Final = 0.02  # relative difference of numbers that count as equal; they may be rounded
_FLAT: Final = 0.02  # a range of values too small for a network to use


def _check_mean_and_std(
    contract: ImageContract, value_range: tuple[float, float]
) -> ContractError | None:
    """Return the error if mean and std of `contract` do not fit this value range, or None."""
    before = contract.normalise == "before"
    low, high = (0.0, 1.0) if before else value_range
    span = high - low
    mean, std = np.asarray(contract.mean), np.asarray(contract.std)
    unit = "pixels in [0, 1]" if before else f"the range {low:g},{high:g}"
    far = mean[(np.abs(mean) >= _FAR) & ((mean > high + _FAR * span) | (mean < low - _FAR * span))]
    if far.size:
        advice = f"pass --range {_usual_range(far)}"
        if before:
            advice += " --normalise after"
        return ContractError(
            f"mean {_as_text(mean)} does not fit values in {unit} ({_range_source(contract)}); "
            f"{advice}, or mean and std for {unit}."
        )
    if std.size and not mean.any() and (std >= _FLATTENS * span).all():
        return ContractError(
            f"std {_as_text(std)} is too large for values in {unit} ({_range_source(contract)}); "
            f"pass --range {_usual_range(std)}, or std for {unit}."
        )
    small = mean.size and std.size and (mean > 0).all() and (mean < 1).all() and (std < 1).all()
    if small and span >= _WIDE and not before:
        return ContractError(
            f"mean {_as_text(mean)} and std {_as_text(std)} are for pixels in [0, 1], not for "
            f"values in {unit} ({_range_source(contract)}); pass --range 0,1, or --normalise "
            "before if they apply before the range.",
            alternatives=[("--range", "0,1"), ("--normalise", "before")],
        )
    return None


def _usual_range(values: Numbers) -> str:
    """Return the usual pixel range that such numbers are for."""
    largest = float(np.abs(values).max())
    if largest <= 300:  # 255, possibly rounded up
        return "0,255"
    return "0,65535" if 20_000 <= largest <= 70_000 else f"0,{largest:.6g}"


def _range_source(contract: ImageContract) -> str:
    """Return the source of the value range."""
    return contract.sources.get("value_range", "given")


def _as_text(values: Numbers | Sequence[float]) -> str:
    """Return numbers as text, without duplicates."""
    return ",".join(dict.fromkeys(f"{value:.4g}" for value in np.ravel(values).tolist()))


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
    if not any(contract.mean) and contract.std and all(v >= _FLATTENS for v in contract.std):
        return fill_missing(contract, {"value_range": (0.0, 255.0)}, "std, far above 1")
    fitting = [usual for usual in _USUAL if _check_mean_and_std(contract, usual) is None]
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


def refuse_contradictions(contract: ImageContract, graph: onnx.GraphProto) -> None:
    """Raise ContractError if the value range contradicts mean, std or the graph.

    Args:
        contract: Contract with its value range.
        graph: The graph of the model.
    """
    assert contract.value_range is not None
    paths = first_arithmetic(graph, contract.input)
    refusal = (
        _check_mean_and_std(contract, contract.value_range)
        or _by_graph(contract, paths)
        or _applied_twice(contract, paths)
    )
    if refusal is not None:
        raise refusal


def _applied_twice(contract: ImageContract, paths: Sequence[Affine]) -> ContractError | None:
    """Return the error if the network itself applies the mean and std of the contract first.

    A mean and std from the user are not checked.
    """
    source = contract.sources.get("mean", _FLAG)
    if source == _FLAG or not paths or not any(contract.mean) or not contract.std:
        return None
    mean, std = np.asarray(contract.mean), np.asarray(contract.std)
    for path in paths:
        if not any(_is_same(path, mean * unit, std * unit) for unit in _UNITS):
            return None
    centre, size = paths[0].centre, np.abs(1 / paths[0].factor)
    unit = "0,1" if np.abs(centre).max() <= 1 else _usual_range(centre)
    return ContractError(
        f"{source} says mean {_as_text(mean)} and std {_as_text(std)}, but the network itself "
        f"subtracts {_as_text(centre)} and divides by {_as_text(size)} first; pass --mean 0 "
        f"--std 1 --range {unit} if it is the same step, or --mean and --std if both are meant."
    )


def _is_same(path: Affine, mean: Numbers, std: Numbers) -> bool:
    try:
        return bool(
            np.allclose(path.centre, mean, rtol=_ALIKE, atol=0)
            and np.allclose(np.abs(1 / path.factor), std, rtol=_ALIKE, atol=0)
        )
    except ValueError:  # another number of channels
        return False


def _by_graph(contract: ImageContract, paths: Sequence[Affine]) -> ContractError | None:
    """Return the error if the first steps of the graph do not fit the value range, or None."""
    factor, offset = (values.astype(np.float64) for values in affine(contract))
    ends = np.stack([offset, offset + factor])
    low, high = float(ends.min()), float(ends.max())
    plain = not contract.mean and not contract.std
    found = [_contradiction(path, low, high, plain=plain) for path in paths]
    # If the input has several paths into the network, one that fits is enough.
    if not found or found[0] is None or None in found:
        return None
    what, right = found[0]
    assert contract.value_range is not None
    given_range = f"{contract.value_range[0]:g},{contract.value_range[1]:g}"
    suffix = "" if plain else " with mean and std"
    by_user = contract.sources.get("mean", _FLAG) == _FLAG
    leave = "" if plain else " without --mean and --std" if by_user else " --mean 0 --std 1"
    return ContractError(
        f"the range {given_range} ({_range_source(contract)}){suffix} gives the network values "
        f"from {low:.4g} to {high:.4g}, but it {what} first; pass --range {right}{leave}."
    )


def _contradiction(path: Affine, low: float, high: float, *, plain: bool) -> tuple[str, str] | None:
    """Return (what the network does, the range it fits) if values low to high do not fit it."""
    span, size, centre = high - low, np.abs(path.factor), path.centre
    if path.rounding is not None:
        least, most = path.rounding
        # Nearly all values would be clipped, or rounded to one or two levels.
        if not span / _FAR < most - least < span * _WIDE:
            what = f"rounds to 8 bits from {least:.4g} to {most:.4g}"
            return what, "0,1" if most - least < _FAR else f"{least:.6g},{most:.6g}"
    far = (np.abs(centre) >= _FAR) & ((centre > high + _FAR * span) | (centre < low - _FAR * span))
    if far.all():
        done = "subtracts" if (centre > 0).all() else "adds"
        return f"{done} {_as_text(np.abs(centre))}", _usual_range(centre)
    if plain and (size * span < _FLAT).all():
        return f"divides by {_as_text(1 / size)}", _usual_range(1 / size)
    if span < _WIDE:
        return None
    if (size >= _WIDE).all():
        return f"multiplies by {_as_text(size)}", "0,1"
    if ((centre > 0) & (centre < 1) & (size > 1.5)).all():
        return f"subtracts {_as_text(centre)} and multiplies by {_as_text(size)}", "0,1"
    return None
