"""Detection of the points' input and the category's input from the graph."""

from __future__ import annotations

from typing import Any, Final

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import ASSUMED, LARGEST
from onnxcert.model.contract.points import CATEGORY, MOST_POINTS, PointContract
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.values import (
    GRAPH,
    fill_missing,
    find_value,
    graph_inputs,
    select_value,
    with_dtype,
    with_fixed,
)
from onnxcert.model.graph.tracing import (
    Axes,
    attribute,
    axes,
    describe,
    first_reader,
    lengths,
    rank,
)

_MOST_CHANNELS: Final = 64  # only an axis of channels is this short


def with_points(contract: PointContract, graph: onnx.GraphProto) -> PointContract:
    """Return `contract` with all fields that the graph defines about the points' input."""
    inputs = graph_inputs(graph)
    fed = {name for name, _ in contract.feeds} | {contract.category_input}
    fitting = [i for i in inputs if i.name not in fed and _may_hold_points(i)]
    value = select_value("input", contract.input, inputs, fitting, contract)
    shape = axes(value)
    contract = with_dtype(fill_missing(contract, {"input": value.name}, GRAPH), value)
    contract = _with_layout(contract, graph, value.name, shape)
    known = lengths(shape) if shape else (None,) * 3
    channels, points = known[1:] if contract.layout == "BCN" else known[:0:-1]
    if channels is None and points is not None and 3 <= points <= _MOST_CHANNELS:
        other = {"BCN": "BNC", "BNC": "BCN"}[contract.layout]
        raise ContractError(
            f"the input {value.name!r} {describe(shape)} has only {points} points with the layout "
            f"{contract.layout}, so that axis is probably the values of a point; pass "
            f"--layout {other}."
        )
    contract = _with_channels(contract, value.name, channels)
    contract = fill_missing(contract, {"frame": contract.frame}, ASSUMED)  # not in any graph
    if (points or 1) > MOST_POINTS or (known[0] or 1) > LARGEST:
        raise ContractError(
            f"the input {value.name!r} {describe(shape)} is too large; export the model with free "
            "axes."
        )
    found: dict[str, Any] = {"batch": known[0], "points": points}
    return with_fixed(contract, {name: size for name, size in found.items() if size is not None})


def _may_hold_points(value: onnx.ValueInfoProto) -> bool:
    if rank(value) not in (None, 3):
        return False
    return not (shape := axes(value)) or not {1, 2} & {*shape[1:]}


def holds_points(value: onnx.ValueInfoProto) -> bool:
    """Return whether the axes of an input show clearly that it takes points."""
    shape = axes(value)
    if shape is None or len(shape) != 3 or not _may_hold_points(value):
        return False
    return any(n is not None and 3 <= n <= _MOST_CHANNELS for n in lengths(shape)[1:])


def _with_layout(
    contract: PointContract, graph: onnx.GraphProto, name: str, shape: Axes | None
) -> PointContract:
    if "layout" in contract.sources:
        return contract
    second, third = lengths(shape)[1:] if shape else (None, None)
    few = [n is not None and 3 <= n <= _MOST_CHANNELS for n in (second, third)]
    if few == [True, False]:
        return fill_missing(contract, {"layout": "BCN"}, f"{GRAPH}: axis 1 of {describe(shape)}")
    if few == [False, True]:
        return fill_missing(contract, {"layout": "BNC"}, f"{GRAPH}: axis 2 of {describe(shape)}")
    reader = first_reader(graph, name)
    if reader is not None and reader.op_type == "Conv":
        return fill_missing(contract, {"layout": "BCN"}, f"{GRAPH}: a convolution reads it")
    if reader is not None and attribute(reader, "perm") == [0, 2, 1]:
        raise _order(
            f"the input {name!r} {describe(shape)} is transposed first; pass --layout BNC if its "
            "points come before their values, else --layout BCN."
        )
    raise _order(
        f"the input {name!r} {describe(shape)} may have the values of a point second or last; pass "
        "--layout BCN or --layout BNC."
    )


def _order(sentence: str) -> MissingSetting:
    return MissingSetting(
        sentence,
        flag="--layout",
        values=("BCN", "BNC"),
        meaning="order of the input's axes: the values of a point second or last",
        answer={"layout": "BCN"},
    )


def _with_channels(contract: PointContract, name: str, channels: int | None) -> PointContract:
    if "channels" in contract.sources:
        own = 6 if contract.has_normals else 3
        featured = "features" in contract.channels
        if channels is not None and featured and channels > own and not contract.features:
            contract = contract.override(GRAPH, features=channels - own)
        if featured and not contract.features:
            few = "any number of" if channels is None else channels
            raise ContractError(
                f"the input {name!r} takes {few} values per point, so the number of features in "
                f"{contract.channels} is unknown; pass other --channels, or store the contract in "
                "the file with the number of features."
            )
        if channels not in (None, contract.network_channels):
            raise ContractError(
                f"the input {name!r} takes {channels} values per point, but {contract.channels} "
                f"are {contract.network_channels}; pass other --channels."
            )
        return contract
    if channels in (3, None):
        return fill_missing(contract, {"channels": "xyz"}, GRAPH if channels else ASSUMED)
    if channels == 6:
        return fill_missing(contract, {"channels": "xyz+normals"}, ASSUMED)
    choices = ["xyz+features", *(["xyz+normals+features"] if channels > 6 else [])]
    raise MissingSetting(
        f"the input {name!r} takes {channels} values per point, but their meaning is unknown; pass "
        + " or ".join(f"--channels {choice}" for choice in choices)
        + ".",
        flag="--channels",
        values=choices,
        meaning=f"what the {channels} values of a point are",
        answer={"channels": choices[0]},
    )


def with_category(contract: PointContract, graph: onnx.GraphProto) -> PointContract:
    """Return `contract` with the input that takes the category, if it is named or fits.

    ``--feed NAME=category`` names it; it then has no constant feed.
    """
    named_ = [name for name, value in contract.feeds if value == CATEGORY]
    if len(named_) > 1:
        raise ContractError(f"only one input can take the category, got {', '.join(named_)}.")
    if named_:
        rest = tuple(pair for pair in contract.feeds if pair[0] != named_[0])
        source = contract.sources.get("feeds", GRAPH)
        contract = contract.override(source, category_input=named_[0], feeds=rest)
    if not contract.category_input:
        return contract
    value = find_value("further input", contract.category_input, graph_inputs(graph))
    shape, wanted = axes(value), len(contract.categories)
    fixed = set(lengths(shape)[1:]) - {None, 1} if shape else set()
    if rank(value) not in (None, 2, 3) or fixed - {wanted}:
        raise ContractError(
            f"the further input {value.name!r} {describe(shape)} must take one of {wanted} "
            f"categories "
            "as [batch, categories]; pass the --categories that the model was trained on."
        )
    return contract
