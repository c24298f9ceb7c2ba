"""What was said about pixel values and cannot be meant, as mean, std or the graph say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx

from onnxcert.errors import ContractError
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.pictures.first_arithmetic import Affine, Numbers, first_arithmetic
from onnxcert.model.pictures.normalisation import affine

# Only what is off by an order of magnitude is refused: 8 bits and [0, 1] differ by two.
_FAR: Final = 10.0  # times the range of the values, and as a number
_WIDE: Final = 50.0  # a range of whole numbers, not of [0, 1]
_FLAT: Final = 0.02  # a range in which a network sees next to nothing


def refuse_contradictions(contract: PictureContract, graph: onnx.GraphProto) -> None:
    """Raise ContractError where the value range cannot be that of mean, std or the graph.

    Args:
        contract: with its value range.
        graph: of the model.
    """
    assert contract.value_range is not None
    refusal = _by_mean_and_std(contract) or _by_graph(contract, graph)
    if refusal is not None:
        raise ContractError(refusal)


def _by_mean_and_std(contract: PictureContract) -> str | None:
    assert contract.value_range is not None
    before = contract.normalise == "before"
    low, high = (0.0, 1.0) if before else contract.value_range
    span = high - low
    mean, std = np.asarray(contract.mean), np.asarray(contract.std)
    unit = "pixels in [0, 1]" if before else f"the range {low:g},{high:g}"
    far = mean[(np.abs(mean) >= _FAR) & ((mean > high + _FAR * span) | (mean < low - _FAR * span))]
    if far.size:
        advice = f"pass --range {_range_for(far)}"
        if before:
            advice += " --normalise after"
        return (
            f"mean {_shown(mean)} cannot be subtracted from values in {unit} "
            f"({_who(contract)}); {advice}, or mean and std for {unit}."
        )
    if std.size and not mean.any() and (std >= _WIDE * span).all():
        return (
            f"std {_shown(std)} leaves nothing of values in {unit} ({_who(contract)}); pass "
            f"--range {_range_for(std)}, or std for {unit}."
        )
    small = mean.size and std.size and (mean > 0).all() and (mean < 1).all() and (std < 1).all()
    if small and span >= _WIDE and not before:
        return (
            f"mean {_shown(mean)} and std {_shown(std)} are for pixels in [0, 1], not for values "
            f"in {unit} ({_who(contract)}); pass --range 0,1, or --normalise before if they apply "
            "before the range."
        )
    return None


def _by_graph(contract: PictureContract, graph: onnx.GraphProto) -> str | None:
    factor, offset = (values.astype(np.float64) for values in affine(contract))
    ends = np.stack([offset, offset + factor])
    low, high = float(ends.min()), float(ends.max())
    plain = not contract.mean and not contract.std
    ways = first_arithmetic(graph, contract.input)
    found = [_contradiction(way, low, high, plain=plain) for way in ways]
    # Where the input takes several ways, one that fits is enough.
    if not found or found[0] is None or None in found:
        return None
    what, right = found[0]
    assert contract.value_range is not None
    shown = f"{contract.value_range[0]:g},{contract.value_range[1]:g}"
    told = "" if plain else " with mean and std"
    leave = "" if plain else " without --mean and --std"
    return (
        f"the range {shown} ({_who(contract)}){told} gives the network values from {low:.4g} to "
        f"{high:.4g}, but it {what} first; pass --range {right}{leave}."
    )


def _contradiction(way: Affine, low: float, high: float, *, plain: bool) -> tuple[str, str] | None:
    """(what the network does, the range it fits), where that cannot be meant for low to high."""
    span, size, centre = high - low, np.abs(way.factor), way.centre
    far = (np.abs(centre) >= _FAR) & ((centre > high + _FAR * span) | (centre < low - _FAR * span))
    if far.all():
        done = "subtracts" if (centre > 0).all() else "adds"
        return f"{done} {_shown(np.abs(centre))}", _range_for(centre)
    if plain and (size * span < _FLAT).all():
        return f"divides by {_shown(1 / size)}", _range_for(1 / size)
    if span < _WIDE:
        return None
    if (size >= _WIDE).all():
        return f"multiplies by {_shown(size)}", "0,1"
    if ((centre > 0) & (centre < 1) & (size > 1.5)).all():
        return f"subtracts {_shown(centre)} and multiplies by {_shown(size)}", "0,1"
    return None


def _range_for(values: Numbers) -> str:
    """The usual range of pixels that such numbers are for."""
    largest = float(np.abs(values).max())
    if largest <= 300:  # 255 and what is rounded up from it
        return "0,255"
    return "0,65535" if 20_000 <= largest <= 70_000 else f"0,{largest:.6g}"


def _who(contract: PictureContract) -> str:
    return contract.sources.get("value_range", "given")


def _shown(values: Numbers | Sequence[float]) -> str:
    """Numbers as a person reads them, each once."""
    return ",".join(dict.fromkeys(f"{value:.4g}" for value in np.ravel(values).tolist()))
