"""Detection of the output of a model of points from the graph."""

from __future__ import annotations

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.points import PointContract
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.answer import TRIAL, OutputAxes, read_output_axes
from onnxcert.model.detect.outputs import LABEL_TYPES, check_kind, complete_output
from onnxcert.model.detect.values import GRAPH, fill_missing, find_value, select_only
from onnxcert.model.graph.tracing import (
    Axes,
    attribute,
    axes,
    deciding_maker,
    describe,
    element_type,
    lengths,
    rank,
)


def with_output(
    contract: PointContract, proto: onnx.ModelProto, *, thorough: bool = False
) -> PointContract:
    """Return `contract` with all that the graph defines about the output."""
    outputs = list(proto.graph.output)
    wanted = "scores must be [batch, classes, N], [batch, N, classes] or [batch, classes]"
    if contract.output:
        value = find_value("output", contract.output, outputs)
    else:
        fitting = [o for o in outputs if rank(o) in (None, 3)]
        fitting = fitting or [o for o in outputs if rank(o) in (1, 2)]
        value = select_only("output", fitting, outputs, wanted)
    shape = axes(value)
    if shape is not None and len(shape) not in contract.ranks:
        raise ContractError(
            f"{wanted}, but the output {value.name!r} has {len(shape)} axes {describe(shape)}; "
            f"choose "
            "another with --output."
        )
    check_kind(value.name, element_type(value))

    def complete(contract: PointContract, answer: OutputAxes) -> PointContract:
        return _completed(contract, proto, value, answer)

    return read_output_axes(contract, proto, value, complete, thorough=thorough)


def _completed(
    contract: PointContract, proto: onnx.ModelProto, value: onnx.ValueInfoProto, answer: OutputAxes
) -> PointContract:
    """Return `contract` with all fields of an output whose axes are known so far."""
    name, kind = value.name, element_type(value)
    contract = fill_missing(contract, {"output": name, "output_rank": answer.rank or 3}, GRAPH)
    if answer.rank is not None and contract.output_rank != answer.rank:
        raise ContractError(
            f"the contract has {contract.output_rank} output axes, but the output {name!r} has "
            f"{answer.rank} {describe(answer.shape)}; correct the contract."
        )
    contract = _with_task(contract, name, kind, answer)
    contract = _with_layout(contract, proto, name, answer)
    return complete_output(contract, proto, kind, _channels(contract, answer.shape), answer)


def _with_task(contract: PointContract, name: str, kind: str, answer: OutputAxes) -> PointContract:
    """Fill in the task: two axes are [batch, classes], or class indices [batch, N]."""
    rank_, shape = contract.answer_rank, answer.shape
    if rank_ == 3:
        found, why = "segmentation", f"{GRAPH}: the output has an axis of points"
    elif rank_ == 2 and contract.output_layout != "C" and _is_axis_of_points(answer):
        found, why = "segmentation", f"{GRAPH}: the output has as many values as points"
    elif rank_ == 2 and kind in LABEL_TYPES and "task" not in contract.sources:
        raise ContractError(
            f"the output {name!r} {describe(shape)} may be a class per point or per shape; export "
            f"it "
            "with named axes, as the input's."
        )
    else:
        found, why = "classification", f"{GRAPH}: the output has no axis of points"
    task = contract.task if "task" in contract.sources else found
    if task != found and rank_ != 2:
        raise ContractError(
            f"the contract has the task {task}, but the output {name!r} {describe(shape)} is one "
            f"of "
            f"{found}; correct the contract."
        )
    return fill_missing(contract, {"task": found}, why)


def _is_axis_of_points(answer: OutputAxes) -> bool:
    """Return whether the last axis has the length or the name of the input's axis of points."""
    if answer.shape is None or answer.grid is None:
        return False
    return answer.shape[-1] is not None and answer.shape[-1] == answer.grid[0]


def _with_layout(
    contract: PointContract, proto: onnx.ModelProto, name: str, answer: OutputAxes
) -> PointContract:
    if "output_layout" in contract.sources:
        return contract
    if contract.output_rank < 3:
        return fill_missing(contract, {"output_layout": "BCN"}, GRAPH)
    source = TRIAL if answer.trial is not None else GRAPH
    shape, points = answer.shape, answer.grid[0] if answer.grid else None
    if shape is not None and points is not None and (shape[1] == points) != (shape[2] == points):
        layout = "BNC" if shape[1] == points else "BCN"
        return fill_missing(contract, {"output_layout": layout}, f"{source}: its axis of points")
    fixed = [n is not None for n in lengths(shape)[1:]] if shape else [False, False]
    if fixed == [True, False] or fixed == [False, True]:
        layout = "BCN" if fixed[0] else "BNC"
        return fill_missing(contract, {"output_layout": layout}, f"{GRAPH}: its one fixed axis")
    ending = deciding_maker(proto.graph, name)
    if ending is not None and ending.op_type in ("Softmax", "LogSoftmax"):
        axis = next((a.i for a in ending.attribute if a.name == "axis"), -1)
        last = next((n for n in proto.graph.node if name in n.output), None)
        if last is ending:
            layout = "BCN" if axis in (1, -2) else "BNC"
            return fill_missing(contract, {"output_layout": layout}, f"{GRAPH}: a softmax over it")
    last = next((n for n in proto.graph.node if name in n.output), None)
    if last is not None and last.op_type == "Transpose" and attribute(last, "perm") == [0, 2, 1]:
        return fill_missing(contract, {"output_layout": "BNC"}, f"{GRAPH}: transposed at the end")
    if last is not None and last.op_type == "Conv":
        return fill_missing(contract, {"output_layout": "BCN"}, f"{GRAPH}: it ends in Conv")
    raise MissingSetting(
        f"the output {name!r} {describe(shape)} may have its classes second or last; pass "
        "--output-layout BCN or --output-layout BNC.",
        flag="--output-layout",
        values=("BCN", "BNC"),
        meaning=f"order of the axes of {name!r} {describe(shape)}: classes second or last",
        answer={"output_layout": "BCN"},
    )


def _channels(contract: PointContract, shape: Axes | None) -> int | None:
    full = 2 if contract.classifies else 3
    if contract.answer_rank < full:
        return 1
    if shape is None:
        return None
    return lengths(shape)[2 if contract.channels_last and not contract.classifies else 1]
