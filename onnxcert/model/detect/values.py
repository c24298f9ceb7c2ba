"""Find the inputs and outputs of a graph, and add what it gives to a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import AnyContract, Contract
from onnxcert.model.contract.modality import Modality
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.graph.tracing import Axes, axes, container, describe, element_type, lengths

GRAPH: Final = "the graph"
_MEANINGS: Final = {"input": "takes what is certified", "output": "holds the prediction"}
_WANTED: Final = {
    (Modality.IMAGE, "input"): "an image input must be [batch, channels, height, width]",
    (Modality.IMAGE, "output"): "an output of scores must be [batch, classes, height, width] or, "
    "of a classifier, [batch, classes]",
    (Modality.POINTS, "input"): "points must be [batch, 3, N] or [batch, N, 3], or with normals "
    "[batch, 6, N]",
    (Modality.POINTS, "output"): "scores must be [batch, classes, N], [batch, N, classes] or "
    "[batch, classes]",
}


def fill_missing(contract: AnyContract, values: Mapping[str, Any], source: str) -> AnyContract:
    """Return `contract` with those of `values` that have no source yet."""
    new = {name: v for name, v in values.items() if name not in contract.sources}
    return contract.override(source, **new)


def with_fixed(contract: AnyContract, found: Mapping[str, Any]) -> AnyContract:
    """Return `contract` with the values that the graph fixes.

    Raises:
        ContractError: The contract has another value.
    """
    for field, value in found.items():
        current = getattr(contract, field)
        if current not in (None, value):
            raise ContractError(
                f"the contract says {field} {current} but the graph takes only {value}; correct "
                "the one that is wrong."
            )
    return fill_missing(contract, found, GRAPH)


def source_label(contract: Contract, field: str) -> str:
    """Return a field's source for messages: a file, metadata of a program, or `the contract`."""
    source = contract.sources.get(field, "")
    return source if source.endswith((".json", ")")) else "the contract"


def find_value(role: str, name: str, values: Sequence[onnx.ValueInfoProto]) -> onnx.ValueInfoProto:
    """Return the value called `name`.

    Raises:
        ContractError: There is none, or it is not a tensor.
    """
    for value in values:
        if value.name == name:
            refuse_container(role, value)
            return value
    names = ", ".join(v.name for v in values) or "none"
    raise ContractError(f"there is no {role} called {name!r}; the model has {names}.")


def select_value(
    role: str,
    name: str,
    every: Sequence[onnx.ValueInfoProto],
    fitting: Sequence[onnx.ValueInfoProto],
    contract: Contract,
) -> onnx.ValueInfoProto:
    """Return the value called `name`, or the only value that fits.

    Args:
        role: `input` or `output`.
        name: Name from the user or the file; empty if there is none.
        every: All values.
        fitting: The values that fit.
        contract: Contract of the modality.

    Raises:
        ContractError: There is none of this name, or none fits, or several do.
    """
    value = find_value(role, name, every) if name else _select_only(role, every, fitting, contract)
    shape = axes(value)
    ranks = contract.ranks if role == "output" else (len(contract.layout),)
    if shape is not None and len(shape) not in ranks:
        raise ContractError(
            f"{_WANTED[contract.modality, role]}, but the {role} {value.name!r} has {len(shape)} "
            f"axes {describe(shape)}; select another {role} with --{role}."
        )
    return value


def _select_only(
    role: str,
    every: Sequence[onnx.ValueInfoProto],
    fitting: Sequence[onnx.ValueInfoProto],
    contract: Contract,
) -> onnx.ValueInfoProto:
    fitting = [value for value in fitting if not container(value)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        choices = " or ".join(f"--{role} {v.name}" for v in fitting)
        raise MissingSetting(
            f"the model has {len(fitting)} {role}s of this kind "
            f"({', '.join(describe_value(v) for v in fitting)}); pass {choices}.",
            flag=f"--{role}",
            values=[v.name for v in fitting],
            meaning=f"which {role} {_MEANINGS[role]}: {' or '.join(map(describe_value, fitting))}",
            answer={role: fitting[0].name},
        )
    if every and all(map(container, every)):
        refuse_container(role, every[0])
    present = ", ".join(describe_value(v) for v in every) or "none"
    raise ContractError(f"{_WANTED[contract.modality, role]}, but the model has {present}.")


def refuse_container(role: str, value: onnx.ValueInfoProto) -> None:
    """Raise ContractError if a value is not a tensor."""
    if kind := container(value):
        zipped = ", from scikit-learn with zipmap off" if kind in ("sequence", "map") else ""
        raise ContractError(
            f"the {role} {value.name!r} is of the type {kind} but a tensor was expected; export "
            f"the model with a tensor in its place{zipped if role == 'output' else ''}."
        )


def describe_value(value: onnx.ValueInfoProto) -> str:
    """Return name, shape and element type as text."""
    if kind := container(value):
        return f"{value.name!r} of the type {kind}"
    return f"{value.name!r} {describe(axes(value))} {element_type(value)}"


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
