"""What the graph says about the output that holds the answer."""

from __future__ import annotations

from typing import Any

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract import ASSUMED, LARGEST, Contract
from onnxcert.model.proposal import GRAPH, filled, named, only
from onnxcert.model.task_inference import with_task
from onnxcert.model.tracing import (
    Axes,
    attribute,
    axes,
    deciding_maker,
    element_type,
    lengths,
    rank,
    shown,
)

_SCORES = ("float32", "float16", "float64", "undefined")
_LABELS = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "bool")


def with_output(contract: Contract, proto: onnx.ModelProto) -> Contract:
    """`contract` with everything the graph says about the output."""
    graph = proto.graph
    outputs = list(graph.output)
    if contract.output:
        value = named("output", contract.output, outputs)
    else:
        # Where something has height and width, what has none is a by-product.
        fitting = [o for o in outputs if rank(o) in (None, 3, 4)]
        fitting = fitting or [o for o in outputs if rank(o) in (1, 2)]
        wanted = "scores come out as [batch, classes, h, w] or [batch, classes]"
        value = only("output", fitting, outputs, wanted)
    shape, kind = axes(value) or _inferred_axes(proto, value.name), element_type(value)
    if shape is not None and len(shape) not in (1, 2, 3, 4):
        raise ContractError(
            "scores come out as [batch, classes, height, width] or, of a classifier, [batch, "
            f"classes], but the output {value.name!r} has {len(shape)} axes {shown(shape)}; choose "
            "another with --output."
        )
    if kind not in (*_SCORES, *_LABELS):
        raise ContractError(
            f"the output {value.name!r} must hold scores or class indices, got {kind}; choose "
            "another with --output."
        )
    if shape is None and "output_rank" not in contract.sources and kind in _LABELS:
        raise ContractError(
            f"the graph does not say how many axes the output {value.name!r} has; export it with "
            "its shape."
        )
    found = {"output": value.name, "output_rank": _rank(proto, value.name, shape)}
    contract = filled(contract, found, GRAPH)
    if shape is not None and contract.output_rank != len(shape):
        raise ContractError(
            f"the contract says {contract.output_rank} axes but the output {value.name!r} has "
            f"{len(shape)} {shown(shape)}; correct the contract."
        )
    contract = with_task(contract, graph, value.name, shape)
    contract = _with_layout(contract, graph, value, shape)
    channels = _channels(contract, shape)
    contract = _with_form(contract, graph, value.name, kind, channels)
    if contract.threshold is not None and not contract.binary:
        raise ContractError(
            f"a threshold means nothing for an output of {contract.output_form}; leave --threshold "
            "out, or pass --output-form sigmoid, logit or multilabel."
        )
    return _with_classes(contract, proto, value.name, channels)


def _with_layout(
    contract: Contract, graph: onnx.GraphProto, value: onnx.ValueInfoProto, shape: Axes | None
) -> Contract:
    if "output_layout" in contract.sources:
        return contract
    if contract.output_rank < 3:
        return filled(contract, {"output_layout": "NCHW"}, GRAPH)
    if shape is None:
        return _with_layout_of_last_node(contract, graph, value, shape)
    if len(shape) == 3:
        return filled(contract, {"output_layout": "NCHW"}, GRAPH)
    source = next(i for i in graph.input if i.name == contract.input)
    seen = axes(source)
    spatial = None if seen is None else (seen[2:] if contract.layout == "NCHW" else seen[1:3])
    sides = {"NCHW": shape[2:], "NHWC": shape[1:3]}
    fitting = [name for name, side in sides.items() if spatial and _same_form(side, spatial)]
    if len(fitting) == 1:
        return filled(contract, {"output_layout": fitting[0]}, f"{GRAPH}: its height and width")
    known = lengths(shape)
    channel = {"NCHW": known[1], "NHWC": known[3]}
    others = {"NCHW": known[2:], "NHWC": known[1:3]}
    fixed = [n for n in sides if channel[n] is not None and others[n] == (None, None)]
    if len(fixed) == 1:
        return filled(contract, {"output_layout": fixed[0]}, f"{GRAPH}: its one fixed axis")
    if (1, 1) in (shape[1:3], shape[2:]):
        found = "NCHW" if shape[2:] == (1, 1) else "NHWC"
        return filled(contract, {"output_layout": found}, f"{GRAPH}: its one cell")
    return _with_layout_of_last_node(contract, graph, value, shape)


def _with_layout_of_last_node(
    contract: Contract, graph: onnx.GraphProto, value: onnx.ValueInfoProto, shape: Axes | None
) -> Contract:
    makers = {output: node for node in graph.node for output in node.output}
    last = makers.get(value.name)
    if last is not None and last.op_type == "Transpose":
        if attribute(last, "perm") == [0, 2, 3, 1]:
            return filled(contract, {"output_layout": "NHWC"}, f"{GRAPH}: transposed at the end")
    elif last is not None and last.op_type in ("Conv", "ConvTranspose", "Resize", "Upsample"):
        return filled(contract, {"output_layout": "NCHW"}, f"{GRAPH}: it ends in {last.op_type}")
    raise ContractError(
        f"the output {value.name!r} {shown(shape)} may have its classes second or last; pass "
        "--output-layout NCHW or --output-layout NHWC."
    )


def _same_form(side: Axes, spatial: Axes) -> bool:
    """Whether two (height, width) are equal symbols, or lengths of one proportion."""
    if all(isinstance(a, int) for a in (*side, *spatial)):
        return side[0] * spatial[1] == side[1] * spatial[0]  # type: ignore[operator]
    return None not in side and side == spatial


def _channels(contract: Contract, shape: Axes | None) -> int | None:
    if contract.output_rank in (1, 3):
        return 1
    if shape is None:
        return None
    if contract.output_rank == 2:
        return lengths(shape)[1]
    return lengths(shape)[1 if contract.output_layout == "NCHW" else 3]


def _with_form(
    contract: Contract, graph: onnx.GraphProto, name: str, kind: str, channels: int | None
) -> Contract:
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
    if kind in _LABELS:
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


def _with_classes(
    contract: Contract, proto: onnx.ModelProto, name: str, channels: int | None
) -> Contract:
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


def _rank(proto: onnx.ModelProto, name: str, shape: Axes | None) -> int:
    """Number of the output's axes; 4 where nothing tells."""
    if shape is not None:
        return len(shape)
    maker = next((node for node in proto.graph.node if name in node.output), None)
    return 2 if maker is not None and maker.op_type in ("Gemm", "Flatten") else 4


def _classes_before_argmax(proto: onnx.ModelProto, name: str) -> int | None:
    """Number of classes that an ArgMax at the end of the graph chooses from."""
    maker = deciding_maker(proto.graph, name)
    if maker is None or maker.op_type != "ArgMax":
        return None
    shape = _inferred_axes(proto, maker.input[0]) if maker.input else None
    axis = next((a.i for a in maker.attribute if a.name == "axis"), 0)
    if shape is None or not -len(shape) <= axis < len(shape):
        return None
    return lengths(shape)[axis]


def _inferred_axes(proto: onnx.ModelProto, name: str) -> Axes | None:
    """What shape inference says about `name`, if it says anything."""
    try:
        graph = onnx.shape_inference.infer_shapes(proto).graph
    except Exception:  # inference is a courtesy; whatever stops it, the user is asked instead
        return None
    for value in (*graph.value_info, *graph.output, *graph.input):
        if value.name == name:
            return axes(value)
    return None
