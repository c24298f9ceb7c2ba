"""Detect the output of an image model: layout, task and form."""

from __future__ import annotations

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.answer_axes import on_grid
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.answer import TRIAL, OutputAxes, read_output_axes
from onnxcert.model.detect.outputs import LABEL_TYPES, check_kind, complete_output
from onnxcert.model.detect.values import (
    GRAPH,
    fill_missing,
    find_value,
    select_only,
    source_label,
)
from onnxcert.model.graph.tracing import (
    Axes,
    attribute,
    axes,
    describe,
    element_type,
    lengths,
    producers,
    rank,
)


def with_task(
    contract: ImageContract, name: str, shape: Axes | None, grid: Axes | None
) -> ImageContract:
    """Return `contract` with its task.

    An output without height and width classifies the image. So does an output of 1 x 1 cell, as of
    classifiers that end in a convolution, unless images have one pixel.

    Args:
        contract: Contract with the names and ranks of input and output.
        name: The output.
        shape: Shape of the output with a batch axis, or None if unknown.
        grid: Height and width of the input.

    Raises:
        ContractError: The contract has another task.
    """
    rank = contract.answer_rank
    if rank < 3:
        found, why = "classification", f"{GRAPH}: the output has no height and width"
    elif _one_cell(contract, shape) and grid != (1, 1):
        found, why = "classification", f"{GRAPH}: the output has one cell"
    else:
        found, why = "segmentation", f"{GRAPH}: the output has height and width"
    requested = contract.task if "task" in contract.sources else found
    free = shape is None or None in lengths(shape)[1:]
    # One cell can be a label map, too; whether free sides are one cell is seen in the run.
    possible = rank > 2 if requested == "segmentation" else rank == 4 and free
    if requested != found and not possible:
        raise ContractError(
            f"{source_label(contract, 'task')} says {requested}, but the output {name!r} "
            f"{describe(shape)} is one of {found}; correct the one that is wrong."
        )
    return fill_missing(contract, {"task": found}, why)


def _one_cell(contract: ImageContract, shape: Axes | None) -> bool:
    if shape is None or len(shape) != 4:
        return False
    sides = {"NCHW": shape[2:], "NHWC": shape[1:3]}
    if contract.single:
        return False
    if "output_layout" in contract.sources:
        return sides[contract.output_layout] == (1, 1)
    return (1, 1) in sides.values()


def with_output(
    contract: ImageContract, proto: onnx.ModelProto, *, thorough: bool = False
) -> ImageContract:
    """Return `contract` with the output fields that the graph gives; see `read_output_axes`."""
    outputs = list(proto.graph.output)
    if contract.output:
        value = find_value("output", contract.output, outputs)
    else:
        # If an output has height and width, outputs without them are by-products.
        fitting = [o for o in outputs if rank(o) in (None, 3, 4)]
        fitting = fitting or [o for o in outputs if rank(o) in (1, 2)]
        wanted = "an output of scores must be [batch, classes, h, w] or [batch, classes]"
        value = select_only("output", fitting, outputs, wanted)
    shape = axes(value)
    if shape is not None and len(shape) not in contract.ranks:
        raise ContractError(
            "an output of scores must be [batch, classes, height, width] or, of a classifier, "
            f"[batch, classes], but {value.name!r} has {len(shape)} axes {describe(shape)}; select "
            "another output with --output."
        )
    check_kind(value.name, element_type(value))

    def complete(contract: ImageContract, answer: OutputAxes) -> ImageContract:
        return _complete(contract, proto, value, answer)

    return read_output_axes(contract, proto, value, complete, thorough=thorough)


def _complete(
    contract: ImageContract, proto: onnx.ModelProto, value: onnx.ValueInfoProto, answer: OutputAxes
) -> ImageContract:
    """Return `contract` with rank, task, layout, form and classes of the output."""
    kind, axes_known = element_type(value), answer.rank is not None
    if not axes_known and "output_rank" not in contract.sources and kind in LABEL_TYPES:
        raise ContractError(
            f"the graph does not give the number of axes of the output {value.name!r}; export it "
            "with its shape."
        )
    found = {"output": value.name, "output_rank": answer.rank or _rank(proto, value.name)}
    contract = fill_missing(contract, found, GRAPH)
    if axes_known and contract.output_rank != answer.rank:
        raise ContractError(
            f"the contract says {contract.output_rank} axes but the output {value.name!r} has "
            f"{answer.rank} {describe(answer.shape)}; correct the contract."
        )
    contract = with_task(contract, value.name, answer.shape, answer.grid)
    contract = _with_layout(contract, proto.graph, value.name, answer)
    return complete_output(contract, proto, kind, _channels(contract, answer.shape), answer)


def _with_layout(
    contract: ImageContract, graph: onnx.GraphProto, name: str, answer: OutputAxes
) -> ImageContract:
    if "output_layout" in contract.sources:
        return contract
    shape, spatial = answer.shape, answer.grid
    source = TRIAL if answer.trial is not None else GRAPH
    if contract.output_rank < 4:
        return fill_missing(contract, {"output_layout": "NCHW"}, source)
    if shape is None:
        return _with_layout_of_last_node(contract, graph, name, shape)
    sides = {"NCHW": shape[2:], "NHWC": shape[1:3]}
    fitting = [name for name, side in sides.items() if spatial and _match(side, spatial)]
    if len(fitting) == 1:
        return fill_missing(
            contract, {"output_layout": fitting[0]}, f"{source}: its height and width"
        )
    known = lengths(shape)
    channel = {"NCHW": known[1], "NHWC": known[3]}
    others = {"NCHW": known[2:], "NHWC": known[1:3]}
    fixed = [n for n in sides if channel[n] is not None and others[n] == (None, None)]
    if len(fixed) == 1:
        return fill_missing(contract, {"output_layout": fixed[0]}, f"{GRAPH}: its one fixed axis")
    if (1, 1) in (shape[1:3], shape[2:]):
        found = "NCHW" if shape[2:] == (1, 1) else "NHWC"
        return fill_missing(contract, {"output_layout": found}, f"{source}: its one cell")
    return _with_layout_of_last_node(contract, graph, name, shape)


def _with_layout_of_last_node(
    contract: ImageContract, graph: onnx.GraphProto, name: str, shape: Axes | None
) -> ImageContract:
    produced_by = producers(graph)
    last = produced_by.get(name)
    if last is not None and last.op_type == "Transpose":
        if attribute(last, "perm") == [0, 2, 3, 1]:
            return fill_missing(
                contract, {"output_layout": "NHWC"}, f"{GRAPH}: transposed at the end"
            )
    elif last is not None and last.op_type in ("Conv", "ConvTranspose", "Resize", "Upsample"):
        return fill_missing(
            contract, {"output_layout": "NCHW"}, f"{GRAPH}: it ends in {last.op_type}"
        )
    raise MissingSetting(
        f"the output {name!r} {describe(shape)} may have its classes second or last; pass "
        "--output-layout NCHW or --output-layout NHWC.",
        flag="--output-layout",
        values=("NCHW", "NHWC"),
        meaning=f"order of the axes of {name!r} {describe(shape)}: classes second or last",
        answer={"output_layout": "NCHW"},
    )


def _match(side: Axes, spatial: Axes) -> bool:
    """Return whether two (height, width) can belong together.

    They can if they are equal symbols, lengths of one proportion, or differ by one stride. One
    cell or one row fits any input.
    """
    lengths_ = [[a for a in axes_ if isinstance(a, int)] for axes_ in (side, spatial)]
    if all(len(known) == 2 for known in lengths_):
        (short, narrow), (long, wide) = lengths_
        rounded = min(short, narrow) > 1 and on_grid((short, narrow), (long, wide))
        return short * wide == narrow * long or rounded
    return None not in side and side == spatial


def _channels(contract: ImageContract, shape: Axes | None) -> int | None:
    if contract.answer_rank in (1, 3):
        return 1
    if shape is None:
        return None
    return lengths(shape)[3 if contract.answer_rank == 4 and contract.channels_last else 1]


def _rank(proto: onnx.ModelProto, name: str) -> int:
    """Return the number of axes of an output without shape, by its last node; 4 by default."""
    maker = next((node for node in proto.graph.node if name in node.output), None)
    return 2 if maker is not None and maker.op_type in ("Gemm", "Flatten") else 4
