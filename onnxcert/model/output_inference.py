"""What the graph says about the output that holds the answer, whatever the input is."""

from __future__ import annotations

from typing import Any, Final

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract import ASSUMED, LARGEST
from onnxcert.model.proposal import GRAPH, AnyContract, filled
from onnxcert.model.tracing import Axes, axes, deciding_maker, lengths

SCORE_TYPES: Final = ("float32", "float16", "float64", "undefined")
LABEL_TYPES: Final = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "bool")


def check_kind(name: str, kind: str) -> None:
    """Raise ContractError unless an output of this element type may hold an answer."""
    if kind not in (*SCORE_TYPES, *LABEL_TYPES):
        raise ContractError(
            f"the output {name!r} must hold scores or class indices, got {kind}; choose another "
            "with --output."
        )


def completed(
    contract: AnyContract, proto: onnx.ModelProto, kind: str, channels: int | None
) -> AnyContract:
    """`contract` with form and classes of its output, whose layout is known.

    Args:
        kind: element type of the output. channels: how many it has, if that is known.
    """
    contract = with_form(contract, proto.graph, contract.output, kind, channels)
    if contract.threshold is not None and not contract.binary:
        raise ContractError(
            f"a threshold means nothing for an output of {contract.output_form}; leave --threshold "
            "out, or pass --output-form sigmoid, logit or multilabel."
        )
    return with_classes(contract, proto, contract.output, channels)


def with_form(
    contract: AnyContract, graph: onnx.GraphProto, name: str, kind: str, channels: int | None
) -> AnyContract:
    maker = deciding_maker(graph, name)
    ending = maker.op_type if maker is not None else ""
    sigmoids = ending in ("Sigmoid", "HardSigmoid") and channels != 1
    if "output_form" in contract.sources:
        form = contract.output_form
        if sigmoids and form in ("logits", "probabilities"):
            raise ContractError(
                f"the output {name!r} ends in a sigmoid for each class: labels that do not exclude "
                "each other, where the largest score is not the answer; pass --output-form "
                "multilabel."
            )
        if form in ("sigmoid", "logit", "labels") and channels not in (1, None):
            raise ContractError(
                f"the output {name!r} has {channels} channels and a {form} output has one; pass "
                "--output-form logits or --output-form multilabel."
            )
        if form == "multilabel" and not sigmoids and contract.threshold is None:
            raise ContractError(
                f"the output {name!r} does not end in a sigmoid, so that a label may be yes from 0 "
                "or from 0.5 on; pass --threshold 0 for logits or --threshold 0.5 for "
                "probabilities."
            )
        if form in ("logits", "probabilities") and channels == 1:
            raise ContractError(
                f"the output {name!r} has one channel, of which no largest can be chosen; pass "
                "--output-form logit or --output-form sigmoid."
            )
        return contract
    if kind in LABEL_TYPES:
        if channels not in (1, None):
            raise ContractError(
                f"the output {name!r} holds {channels} whole numbers ({kind}) where one class "
                "index was expected; pass --output-form logits if they are scores, or choose "
                "another with --output."
            )
        return filled(contract, {"output_form": "labels"}, f"{GRAPH}: {kind} values")
    if channels == 1:
        if ending == "Sigmoid":
            return filled(contract, {"output_form": "sigmoid"}, f"{GRAPH}: it ends in Sigmoid")
        raise ContractError(
            f"the output {name!r} has one channel, which may be a logit, a probability or class "
            "indices; pass --output-form logit, --output-form sigmoid or --output-form labels."
        )
    if sigmoids:
        raise ContractError(
            f"the output {name!r} ends in a sigmoid for each class: labels that do not exclude "
            "each other, where the largest score is not the answer; pass --output-form multilabel, "
            "or export scores of classes that do."
        )
    if ending == "Softmax":
        return filled(contract, {"output_form": "probabilities"}, f"{GRAPH}: it ends in Softmax")
    return filled(contract, {"output_form": "logits"}, ASSUMED)


def with_classes(
    contract: AnyContract, proto: onnx.ModelProto, name: str, channels: int | None
) -> AnyContract:
    found: dict[str, Any] = {}
    if contract.binary:
        return contract.override(GRAPH, classes=2)  # no and yes, whatever the labels are called
    if contract.output_form == "labels":
        classes = len(contract.class_names) or _classes_before_argmax(proto, name)
        if contract.classes is None and not classes:
            raise ContractError(
                f"the output {name!r} holds class indices and nothing says how many classes there "
                "are; pass --classes NUMBER."
            )
        found["classes"] = classes or contract.classes
    elif channels is not None:
        if channels > LARGEST:
            raise ContractError(
                f"the output {name!r} has {channels} classes, more than {LARGEST}; choose another "
                "with --output."
            )
        found["classes"] = channels
    for field, value in found.items():
        said = getattr(contract, field)
        if said not in (None, value) and contract.output_form != "labels":
            raise ContractError(
                f"the contract says {said} classes but the output {name!r} has {value}; correct "
                "the contract."
            )
    return filled(contract, found, GRAPH)


def _classes_before_argmax(proto: onnx.ModelProto, name: str) -> int | None:
    """Number of classes that an ArgMax at the end of the graph chooses from."""
    maker = deciding_maker(proto.graph, name)
    if maker is None or maker.op_type != "ArgMax":
        return None
    shape = inferred_axes(proto, maker.input[0]) if maker.input else None
    axis = next((a.i for a in maker.attribute if a.name == "axis"), 0)
    if shape is None or not -len(shape) <= axis < len(shape):
        return None
    return lengths(shape)[axis]


def inferred_axes(proto: onnx.ModelProto, name: str) -> Axes | None:
    """What shape inference says about `name`, if it says anything."""
    try:
        graph = onnx.shape_inference.infer_shapes(proto).graph
    except Exception:  # inference is a courtesy; whatever stops it, the user is asked instead
        return None
    for value in (*graph.value_info, *graph.output, *graph.input):
        if value.name == name:
            return axes(value)
    return None
