"""Find the task of a model, and the order of its output's axes."""

from __future__ import annotations

from typing import Final

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.answer_axes import on_grid
from onnxcert.model.contract.base import AnyContract, Contract
from onnxcert.model.contract.modality import Modality
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.answer import TRIAL, OutputAxes
from onnxcert.model.detect.values import GRAPH, fill_missing, source_label
from onnxcert.model.graph.tracing import Axes, attribute, describe, lengths, producers

LABEL_TYPES: Final = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "bool")


def with_task(contract: AnyContract, name: str, kind: str, answer: OutputAxes) -> AnyContract:
    """Return `contract` with its task.

    Args:
        contract: Contract with the names and ranks of input and output.
        name: The output.
        kind: Its element type.
        answer: Its axes.

    Raises:
        ContractError: The contract has another task, or the task is ambiguous.
    """
    rank, shape = contract.answer_rank, answer.shape
    requested = contract.task if "task" in contract.sources else ""
    if contract.modality is Modality.IMAGE:
        found, why = _image_task(contract, answer)
        # One cell can be a label map, too; whether free sides are one cell is seen in the run.
        free = shape is None or None in lengths(shape)[1:]
        possible = rank > 2 if requested == "segmentation" else rank == 4 and free
    else:
        found, why = _point_task(contract, answer)
        possible = rank == 2
        if possible and found == "classification" and kind in LABEL_TYPES and not requested:
            raise ContractError(
                f"the output {name!r} {describe(shape)} may be a class per point or per shape; "
                "export it with named axes, as the input's."
            )
    if requested not in ("", found) and not possible:
        raise ContractError(
            f"{source_label(contract, 'task')} says {requested}, but the output {name!r} "
            f"{describe(shape)} is one of {found}; correct the one that is wrong."
        )
    return fill_missing(contract, {"task": found}, f"{GRAPH}: the output has {why}")


def _image_task(contract: Contract, answer: OutputAxes) -> tuple[str, str]:
    """Return (task, reason).

    An output without height and width classifies the image. So does an output of 1 x 1 cell, as of
    classifiers that end in a convolution, unless images have one pixel.
    """
    if contract.answer_rank < 3:
        return "classification", "no height and width"
    shape, one_cell = answer.shape, False
    if shape is not None and len(shape) == 4 and not contract.single and answer.grid != (1, 1):
        sides = {"NCHW": shape[2:], "NHWC": shape[1:3]}
        stated = "output_layout" in contract.sources
        one_cell = (1, 1) in ([sides[contract.output_layout]] if stated else sides.values())
    return ("classification", "one cell") if one_cell else ("segmentation", "height and width")


def _point_task(contract: Contract, answer: OutputAxes) -> tuple[str, str]:
    """Return (task, reason): two axes are [batch, classes], or class indices [batch, N]."""
    if contract.answer_rank == 3:
        return "segmentation", "an axis of points"
    if contract.answer_rank == 2 and contract.output_layout != "C" and answer.shape and answer.grid:
        last, points = answer.shape[-1], answer.grid[0]  # a length or a name
        if last is not None and last == points:
            return "segmentation", "as many values as points"
    return "classification", "no axis of points"


def with_layout(
    contract: AnyContract, graph: onnx.GraphProto, name: str, answer: OutputAxes
) -> AnyContract:
    """Return `contract`, whose task is known, with the order of its output's axes.

    Raises:
        MissingSetting: The classes may be second or last.
    """
    if "output_layout" in contract.sources:
        return contract
    source = TRIAL if answer.trial is not None else GRAPH
    first, last = contract.layouts
    if contract.output_rank < max(contract.ranks):
        return fill_missing(contract, {"output_layout": first}, source)
    by_image = contract.modality is Modality.IMAGE
    found = (_image_layout if by_image else _point_layout)(answer, source) or (
        _image_layout_at_end if by_image else _point_layout_at_end
    )(graph, name)
    if found is not None:
        return fill_missing(contract, {"output_layout": found[0]}, found[1])
    shape = describe(answer.shape)
    raise MissingSetting(
        f"the output {name!r} {shape} may have its classes second or last; pass --output-layout "
        f"{first} or --output-layout {last}.",
        flag="--output-layout",
        values=(first, last),
        meaning=f"order of the axes of {name!r} {shape}: classes second or last",
        answer={"output_layout": first},
    )


def _image_layout(answer: OutputAxes, source: str) -> tuple[str, str] | None:
    """Return (layout, source) by the shape of an output with four axes, or None."""
    shape = answer.shape
    if shape is None:
        return None
    sides = {"NCHW": shape[2:], "NHWC": shape[1:3]}
    fitting = [name for name, side in sides.items() if answer.grid and _match(side, answer.grid)]
    if len(fitting) == 1:
        return fitting[0], f"{source}: its height and width"
    channel = {"NCHW": shape[1], "NHWC": shape[3]}
    fixed = [n for n in sides if isinstance(channel[n], int) and lengths(sides[n]) == (None, None)]
    if len(fixed) == 1:
        return fixed[0], f"{GRAPH}: its one fixed axis"
    cells = [name for name, side in sides.items() if side == (1, 1)]
    return (cells[0], f"{source}: its one cell") if cells else None


def _match(side: Axes, spatial: Axes) -> bool:
    """Return whether two (height, width) can belong together.

    They can if they are equal symbols, lengths of one proportion, or differ by one stride. One
    cell or one row fits any input.
    """
    known = [[a for a in axes_ if isinstance(a, int)] for axes_ in (side, spatial)]
    if all(len(sides) == 2 for sides in known):
        (short, narrow), (long, wide) = known
        rounded = min(short, narrow) > 1 and on_grid((short, narrow), (long, wide))
        return short * wide == narrow * long or rounded
    return None not in side and side == spatial


def _image_layout_at_end(graph: onnx.GraphProto, name: str) -> tuple[str, str] | None:
    """Return (layout, source) by the last node, or None."""
    last = producers(graph).get(name)
    if last is not None and last.op_type == "Transpose" and attribute(last, "perm") == [0, 2, 3, 1]:
        return "NHWC", f"{GRAPH}: transposed at the end"
    if last is not None and last.op_type in ("Conv", "ConvTranspose", "Resize", "Upsample"):
        return "NCHW", f"{GRAPH}: it ends in {last.op_type}"
    return None


def _point_layout(answer: OutputAxes, source: str) -> tuple[str, str] | None:
    """Return (layout, source) by the shape of an output with three axes, or None."""
    if answer.shape is None:
        return None
    second, third = answer.shape[1:]
    points = answer.grid[0] if answer.grid else None
    if points is not None and (second == points) != (third == points):
        return "BNC" if second == points else "BCN", f"{source}: its axis of points"
    if isinstance(second, int) != isinstance(third, int):
        return "BCN" if isinstance(second, int) else "BNC", f"{GRAPH}: its one fixed axis"
    return None


def _point_layout_at_end(graph: onnx.GraphProto, name: str) -> tuple[str, str] | None:
    """Return (layout, source) by the last node, or None."""
    last = producers(graph).get(name)
    if last is None:
        return None
    if last.op_type in ("Softmax", "LogSoftmax"):
        axis = next((a.i for a in last.attribute if a.name == "axis"), -1)
        return "BCN" if axis in (1, -2) else "BNC", f"{GRAPH}: a softmax over it"
    if last.op_type == "Transpose" and attribute(last, "perm") == [0, 2, 1]:
        return "BNC", f"{GRAPH}: transposed at the end"
    return ("BCN", f"{GRAPH}: it ends in Conv") if last.op_type == "Conv" else None
