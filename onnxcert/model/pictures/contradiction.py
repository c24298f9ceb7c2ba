"""What was said about pixel values and cannot be meant, as mean, std or the graph say otherwise."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

from onnxcert.errors import ContractError
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.pictures.first_arithmetic import Affine, first_arithmetic
from onnxcert.model.pictures.mean_and_std import (
    FAR,
    WIDE,
    as_text,
    by_mean_and_std,
    range_for,
    source_of,
)
from onnxcert.model.pictures.normalisation import affine

_FLAT: Final = 0.02  # a range in which a network sees next to nothing


def refuse_contradictions(contract: PictureContract, graph: onnx.GraphProto) -> None:
    """Raise ContractError where the value range cannot be that of mean, std or the graph.

    Args:
        contract: with its value range.
        graph: of the model.
    """
    assert contract.value_range is not None
    refusal = by_mean_and_std(contract, contract.value_range) or _by_graph(contract, graph)
    if refusal is not None:
        raise ContractError(refusal)


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
    said = f"{contract.value_range[0]:g},{contract.value_range[1]:g}"
    told = "" if plain else " with mean and std"
    leave = "" if plain else " without --mean and --std"
    return (
        f"the range {said} ({source_of(contract)}){told} gives the network values from {low:.4g} "
        f"to {high:.4g}, but it {what} first; pass --range {right}{leave}."
    )


def _contradiction(way: Affine, low: float, high: float, *, plain: bool) -> tuple[str, str] | None:
    """(what the network does, the range it fits), where that cannot be meant for low to high."""
    span, size, centre = high - low, np.abs(way.factor), way.centre
    if way.held is not None:
        least, most = way.held
        # Nearly all values would be cut off to the ends, or rounded to one or two.
        if not span / FAR < most - least < span * WIDE:
            what = f"rounds to 8 bits from {least:.4g} to {most:.4g}"
            return what, "0,1" if most - least < FAR else f"{least:.6g},{most:.6g}"
    far = (np.abs(centre) >= FAR) & ((centre > high + FAR * span) | (centre < low - FAR * span))
    if far.all():
        done = "subtracts" if (centre > 0).all() else "adds"
        return f"{done} {as_text(np.abs(centre))}", range_for(centre)
    if plain and (size * span < _FLAT).all():
        return f"divides by {as_text(1 / size)}", range_for(1 / size)
    if span < WIDE:
        return None
    if (size >= WIDE).all():
        return f"multiplies by {as_text(size)}", "0,1"
    if ((centre > 0) & (centre < 1) & (size > 1.5)).all():
        return f"subtracts {as_text(centre)} and multiplies by {as_text(size)}", "0,1"
    return None
