"""Add values that the graph gives to a contract, and find its inputs and outputs by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.graph.tracing import axes, container, describe, element_type

GRAPH: Final = "the graph"
_MEANINGS: Final = {"input": "takes what is certified", "output": "holds the prediction"}
AnyContract = TypeVar("AnyContract", bound=Contract)


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


def select_only(
    role: str,
    fitting: Sequence[onnx.ValueInfoProto],
    every: Sequence[onnx.ValueInfoProto],
    wanted: str,
) -> onnx.ValueInfoProto:
    """Return the only value that fits.

    Args:
        role: `input` or `output`, for messages.
        fitting: The values that fit.
        every: All values.
        wanted: What would fit, for the message.

    Raises:
        ContractError: None fits, or several do.
    """
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
    raise ContractError(f"{wanted}, but the model has {present}.")


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
