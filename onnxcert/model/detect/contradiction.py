"""Refuse a value range that contradicts mean, std or the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx

from onnxcert.errors import ContractError
from onnxcert.model.adapter.normalisation import affine
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.detect.first_arithmetic import Affine, Numbers, first_arithmetic
from onnxcert.model.detect.value_range import (
    FAR,
    WIDE,
    as_text,
    check_mean_and_std,
    range_source,
    usual_range,
)

_UNITS: Final = (1.0, 255.0, 1 / 255)
_FLAG: Final = "given"
_ALIKE: Final = 0.02  # relative difference of numbers that count as equal; they may be rounded
_FLAT: Final = 0.02  # a range of values too small for a network to use


def refuse_contradictions(contract: ImageContract, graph: onnx.GraphProto) -> None:
    """Raise ContractError if the value range contradicts mean, std or the graph.

    Args:
        contract: Contract with its value range.
        graph: The graph of the model.
    """
    assert contract.value_range is not None
    paths = first_arithmetic(graph, contract.input)
    refusal = (
        check_mean_and_std(contract, contract.value_range)
        or _by_graph(contract, paths)
        or _applied_twice(contract, paths)
    )
    if refusal is not None:
        raise ContractError(refusal)


def _applied_twice(contract: ImageContract, paths: Sequence[Affine]) -> str | None:
    """Return why mean and std are wrong, if the network itself applies the same numbers first.

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
    unit = "0,1" if np.abs(centre).max() <= 1 else usual_range(centre)
    return (
        f"{source} says mean {as_text(mean)} and std {as_text(std)}, but the network itself "
        f"subtracts {as_text(centre)} and divides by {as_text(size)} first; pass --mean 0 --std 1 "
        f"--range {unit} if it is the same step, or --mean and --std if both are meant."
    )


def _is_same(path: Affine, mean: Numbers, std: Numbers) -> bool:
    try:
        return bool(
            np.allclose(path.centre, mean, rtol=_ALIKE, atol=0)
            and np.allclose(np.abs(1 / path.factor), std, rtol=_ALIKE, atol=0)
        )
    except ValueError:  # another number of channels
        return False


def _by_graph(contract: ImageContract, paths: Sequence[Affine]) -> str | None:
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
    return (
        f"the range {given_range} ({range_source(contract)}){suffix} gives the network values from "
        f"{low:.4g} to {high:.4g}, but it {what} first; pass --range {right}{leave}."
    )


def _contradiction(path: Affine, low: float, high: float, *, plain: bool) -> tuple[str, str] | None:
    """Return (what the network does, the range it fits) if values low to high do not fit it."""
    span, size, centre = high - low, np.abs(path.factor), path.centre
    if path.rounding is not None:
        least, most = path.rounding
        # Nearly all values would be clipped, or rounded to one or two levels.
        if not span / FAR < most - least < span * WIDE:
            what = f"rounds to 8 bits from {least:.4g} to {most:.4g}"
            return what, "0,1" if most - least < FAR else f"{least:.6g},{most:.6g}"
    far = (np.abs(centre) >= FAR) & ((centre > high + FAR * span) | (centre < low - FAR * span))
    if far.all():
        done = "subtracts" if (centre > 0).all() else "adds"
        return f"{done} {as_text(np.abs(centre))}", usual_range(centre)
    if plain and (size * span < _FLAT).all():
        return f"divides by {as_text(1 / size)}", usual_range(1 / size)
    if span < WIDE:
        return None
    if (size >= WIDE).all():
        return f"multiplies by {as_text(size)}", "0,1"
    if ((centre > 0) & (centre < 1) & (size > 1.5)).all():
        return f"subtracts {as_text(centre)} and multiplies by {as_text(size)}", "0,1"
    return None
