"""What the graph says about the output of a model of points."""

from __future__ import annotations

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.output_inference import LABEL_TYPES, check_kind, completed, inferred_axes
from onnxcert.model.points.contract import PointContract
from onnxcert.model.proposal import GRAPH, filled, named, only
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


def with_output(contract: PointContract, proto: onnx.ModelProto) -> PointContract:
    """`contract` with everything the graph says about the output."""
    outputs = list(proto.graph.output)
    wanted = "scores come out as [batch, classes, N], [batch, N, classes] or [batch, classes]"
    if contract.output:
        value = named("output", contract.output, outputs)
    else:
        fitting = [o for o in outputs if rank(o) in (None, 3)]
        fitting = fitting or [o for o in outputs if rank(o) in (1, 2)]
        value = only("output", fitting, outputs, wanted)
    shape, kind = axes(value) or inferred_axes(proto, value.name), element_type(value)
    if shape is not None and len(shape) not in (1, 2, 3):
        raise ContractError(
            f"{wanted}, but the output {value.name!r} has {len(shape)} axes {shown(shape)}; choose "
            "another with --output."
        )
    check_kind(value.name, kind)
    found = {"output": value.name, "output_rank": 3 if shape is None else len(shape)}
    contract = filled(contract, found, GRAPH)
    if shape is not None and contract.output_rank != len(shape):
        raise ContractError(
            f"the contract says {contract.output_rank} axes but the output {value.name!r} has "
            f"{len(shape)} {shown(shape)}; correct the contract."
        )
    contract = _with_task(contract, proto, value.name, kind, shape)
    contract = _with_layout(contract, proto, value.name, shape)
    return completed(contract, proto, kind, _channels(contract, shape))


def _with_task(
    contract: PointContract, proto: onnx.ModelProto, name: str, kind: str, shape: Axes | None
) -> PointContract:
    """Two axes are [batch, classes] of a classifier, or [batch, N] of class indices."""
    rank_ = contract.output_rank
    if rank_ == 3:
        found, why = "segmentation", f"{GRAPH}: the output has an axis of points"
    elif rank_ == 2 and _is_axis_of_points(contract, proto, shape):
        found, why = "segmentation", f"{GRAPH}: the output has as many values as points"
    elif rank_ == 2 and kind in LABEL_TYPES and "task" not in contract.sources:
        raise ContractError(
            f"the output {name!r} {shown(shape)} may hold a class for each point or for the whole "
            "shape; export it with named axes, as the input's."
        )
    else:
        found, why = "classification", f"{GRAPH}: the output has no axis of points"
    said = contract.task if "task" in contract.sources else found
    if said != found and rank_ != 2:
        raise ContractError(
            f"the contract says {said}, but the output {name!r} {shown(shape)} is one of {found}; "
            "correct the contract."
        )
    return filled(contract, {"task": found}, why)


def _is_axis_of_points(contract: PointContract, proto: onnx.ModelProto, shape: Axes | None) -> bool:
    """Whether the last axis is as long as, or called like, the input's axis of points."""
    if shape is None:
        return False
    last = shape[-1]
    return last is not None and last == _points(contract, proto)


def _points(contract: PointContract, proto: onnx.ModelProto) -> int | str | None:
    """Length or name of the input's axis of points."""
    seen = axes(next(i for i in proto.graph.input if i.name == contract.input))
    if seen is None:
        return None
    return seen[2] if contract.layout == "BCN" else seen[1]


def _with_layout(
    contract: PointContract, proto: onnx.ModelProto, name: str, shape: Axes | None
) -> PointContract:
    if "output_layout" in contract.sources:
        return contract
    if contract.output_rank < 3:
        return filled(contract, {"output_layout": "BCN"}, GRAPH)
    points = _points(contract, proto)
    if shape is not None and points is not None and (shape[1] == points) != (shape[2] == points):
        layout = "BNC" if shape[1] == points else "BCN"
        return filled(contract, {"output_layout": layout}, f"{GRAPH}: its axis of points")
    fixed = [n is not None for n in lengths(shape)[1:]] if shape else [False, False]
    if fixed == [True, False] or fixed == [False, True]:
        layout = "BCN" if fixed[0] else "BNC"
        return filled(contract, {"output_layout": layout}, f"{GRAPH}: its one fixed axis")
    ending = deciding_maker(proto.graph, name)
    if ending is not None and ending.op_type in ("Softmax", "LogSoftmax"):
        axis = next((a.i for a in ending.attribute if a.name == "axis"), -1)
        last = next((n for n in proto.graph.node if name in n.output), None)
        if last is ending:
            layout = "BCN" if axis in (1, -2) else "BNC"
            return filled(contract, {"output_layout": layout}, f"{GRAPH}: a softmax over it")
    last = next((n for n in proto.graph.node if name in n.output), None)
    if last is not None and last.op_type == "Transpose" and attribute(last, "perm") == [0, 2, 1]:
        return filled(contract, {"output_layout": "BNC"}, f"{GRAPH}: transposed at the end")
    if last is not None and last.op_type == "Conv":
        return filled(contract, {"output_layout": "BCN"}, f"{GRAPH}: it ends in Conv")
    raise ContractError(
        f"the output {name!r} {shown(shape)} may have its classes second or last; pass "
        "--output-layout BCN or --output-layout BNC."
    )


def _channels(contract: PointContract, shape: Axes | None) -> int | None:
    full = 2 if contract.classifies else 3
    if contract.output_rank < full:
        return 1
    if shape is None:
        return None
    return lengths(shape)[1 if contract.classifies or contract.output_layout == "BCN" else 2]
