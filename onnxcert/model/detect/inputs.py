"""Detect the inputs of a graph, for any modality."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.proposal import (
    GRAPH,
    AnyContract,
    fill_missing,
    find_value,
    refuse_container,
)
from onnxcert.model.graph.tracing import Axes, axes, describe, element_type, lengths


def graph_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that need values: those that are not initializers."""
    constants = {i.name for i in graph.initializer}
    return [i for i in graph.input if i.name not in constants]


def with_dtype(contract: AnyContract, value: onnx.ValueInfoProto) -> AnyContract:
    """Return `contract` with the element type of the input `value`.

    Raises:
        ContractError: The type is not supported, or contradicts the contract.
    """
    kind = element_type(value)
    if kind not in contract.dtypes:
        raise ContractError(
            f"the input {value.name!r} must be one of {', '.join(contract.dtypes)}, got {kind}; "
            "export the model with such an input."
        )
    if "dtype" in contract.sources and contract.dtype != kind:
        raise ContractError(
            f"the contract says that the input is {contract.dtype} but the graph takes {kind}; "
            "correct the contract."
        )
    return fill_missing(contract, {"dtype": kind}, GRAPH)


def with_feeds(
    contract: AnyContract, graph: onnx.GraphProto, *, derived: tuple[str, ...] = ()
) -> AnyContract:
    """Return `contract` with a checked value for every further input.

    Args:
        contract: Contract whose main input is known.
        graph: The graph of the model.
        derived: Inputs that are computed from the main input and need no value.

    Raises:
        ContractError: A further input has no value, or a value has no input or does not fit it.
    """
    others = {i.name: i for i in graph_inputs(graph) if i.name not in (contract.input, *derived)}
    fed = dict(contract.feeds)
    for name in fed:
        find_value("further input", name, list(others.values()))
    hint = ", or --feed NAME=category for a shape's category" if derived else ""
    for name, value in others.items():
        refuse_container("further input", value)
        kind, shape = element_type(value), axes(value)
        if name not in fed:
            raise MissingSetting(
                f"the model has a further input {name!r} {describe(shape)} {kind}; give its value "
                f"with --feed {name}=VALUE{hint}.",
                flag="--feed",
                values=(f"{name}=VALUE",),
                meaning=f"the value of the further input {name!r} {describe(shape)} in every pass",
                answer={"feeds": ((name, 0),)},
            )
        fed[name] = _fit_to_input(name, fed[name], kind, shape)
    if not fed:
        return contract
    source = contract.sources.get("feeds", GRAPH)
    return contract.override(source, feeds=tuple((name, fed[name]) for name in fed))


def _fit_to_input(name: str, value: Any, kind: str, shape: Axes | None) -> Any:
    """Return `value` as nested lists of the input's shape; one number fills the whole shape.

    A free batch axis may be left out; the value is then repeated along it.
    """
    try:
        given = np.asarray(value)
        array = given.astype(np.dtype(kind))
        holds = np.array_equal(array, given) or array.dtype.kind == "f"
    except (TypeError, ValueError, OverflowError):
        holds = False
    if not holds or given.dtype.kind not in "biuf":
        raise ContractError(
            f"the further input {name!r} takes {kind}, got {value!r}; give numbers of this type."
        )
    if shape is None:
        return array.tolist()
    fixed = lengths(shape)
    rest = fixed[1:] if fixed and fixed[0] is None else fixed
    if array.size == 1 and None not in rest:
        return np.full([n or 1 for n in rest], array.reshape(())).tolist()
    wanted = fixed[1:] if len(fixed) == array.ndim + 1 and fixed[0] is None else fixed
    if len(wanted) != array.ndim or any(
        w not in (None, a) for w, a in zip(wanted, array.shape, strict=True)
    ):
        raise ContractError(
            f"the further input {name!r} takes {describe(shape)}, got {describe(array.shape)}; "
            "give as many numbers, or one for all."
        )
    return array.tolist()
