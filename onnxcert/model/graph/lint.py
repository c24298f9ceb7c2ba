"""Graph lint: find operators that make votes random or dependent on each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import onnx
from onnx import numpy_helper

from onnxcert.errors import ModelError
from onnxcert.model.graph.batch_axis import BatchAxis
from onnxcert.model.graph.tracing import within

RANDOM_OPERATORS: Final = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
    | {"Multinomial", "Bernoulli"}
)

# Operator sets of ONNX Runtime; others are custom operators, which need their own library.
KNOWN_DOMAINS: Final = frozenset(
    {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"}
)


@dataclass(frozen=True)
class Finding:
    """One finding in the graph; a model with an error is refused, a warning is printed.

    Attributes:
        severity: `error` or `warning`.
        node: Name and operator of the node.
        message: What it does, as a clause after the node's name.
        mixes: Whether draws of one batch influence each other, so that each draw needs its own
            pass.
    """

    severity: Literal["error", "warning"]
    node: str
    message: str
    mixes: bool = False


def lint(proto: onnx.ModelProto, feeds: Mapping[str, Any] | None = None) -> tuple[Finding, ...]:
    """Return the findings in the graph of `proto`, its subgraphs and its local functions.

    Args:
        proto: The model.
        feeds: Values of further inputs, which count as constants.
    """
    local = {function.domain for function in proto.functions}
    constants = {i.name: i for i in proto.graph.initializer}
    for name, value in (feeds or {}).items():
        constants[name] = numpy_helper.from_array(np.asarray(value), name)
    inputs = {i.name for i in proto.graph.input} - set(constants)
    findings = []
    for node in nodes(proto):
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                if attribute.name == "value":
                    constants[node.output[0]] = attribute.t
    for node in nodes(proto):
        finding = _custom(node, local) or _inspect(node, constants, inputs)
        if finding is not None:
            findings.append(finding)
    for node in BatchAxis(proto, constants, inputs).find_mixing():
        findings.append(
            Finding(
                "warning",
                f"{node.name or node.output[0]!r} ({node.op_type})",
                "works along the axis of the batch, so draws are run one at a time",
                mixes=True,
            )
        )
    return tuple(findings)


def group_by_message(findings: Iterable[Finding]) -> list[Finding]:
    """Merge findings of the same kind: the first node and the number of further ones."""
    kinds: dict[tuple[str, str, bool], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.message, finding.mixes), []).append(finding)
    return [
        replace(first, node=f"{first.node} (and {len(rest)} more)" if rest else first.node)
        for first, *rest in kinds.values()
    ]


def refuse_errors(findings: tuple[Finding, ...], path: object) -> None:
    """Raise ModelError for the first finding that is an error."""
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise ModelError(
            f"{path} cannot be certified: node {errors[0].node}{more} {errors[0].message}."
        )


def nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Yield every node of the graph, its subgraphs and the local functions."""
    yield from within(proto.graph.node)
    for function in proto.functions:
        yield from within(function.node)


def _custom(node: onnx.NodeProto, local: set[str]) -> Finding | None:
    if node.domain in KNOWN_DOMAINS or node.domain in local:
        return None
    return Finding(
        "error",
        f"{node.name or 'without a name'!r} ({node.domain}.{node.op_type})",
        "is a custom operator that ONNX Runtime does not have; export the model with standard "
        "operators",
    )


def _inspect(
    node: onnx.NodeProto, constants: dict[str, onnx.TensorProto], inputs: set[str]
) -> Finding | None:
    def error(message: str) -> Finding:
        label = node.name or (node.output[0] if node.output else "without a name")
        return Finding("error", f"{label!r} ({node.op_type})", message)

    attributes = {a.name: a for a in node.attribute}
    match node.op_type:
        case "BatchNormalization":
            flag = attributes.get("training_mode")
            if (flag is not None and flag.i) or len([o for o in node.output if o]) > 1:
                return error(
                    "normalises with the statistics of the batch, so that draws depend on each "
                    "other; set the model to evaluation mode and export it again"
                )
        case "Dropout":
            flag_name = node.input[2] if len(node.input) > 2 else ""
            if flag_name in inputs:
                return error(
                    "can be switched to training mode by an input; export the model in "
                    "evaluation mode"
                )
            flag_value = constants.get(flag_name)
            if flag_name and (flag_value is None or bool(numpy_helper.to_array(flag_value).any())):
                return error(
                    "drops values at random; set the model to evaluation mode and export it again"
                )
        case name if name in RANDOM_OPERATORS:
            return error(
                "draws random numbers that no seed of a run controls; replace it by a constant or "
                "remove it, and export the model again"
            )
        case "DynamicQuantizeLinear" | "DynamicQuantizeMatMul" | "DynamicQuantizeLSTM":
            return Finding(
                "warning",
                f"{node.name or node.output[0]!r} ({node.op_type})",
                "takes its range over the whole batch, so draws are run one at a time",
                mixes=True,
            )
    return None
