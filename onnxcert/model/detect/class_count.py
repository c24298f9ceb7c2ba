"""Find the number of classes that an ArgMax at the end of a graph chooses from."""

from __future__ import annotations

from typing import Any, Final

import onnx

from onnxcert.model.graph.tracing import (
    Constants,
    attribute,
    deciding_maker,
    infer_axes,
    lengths,
    producers,
)

# Operators after which every axis is as long as it was.
_KEEPS: Final = frozenset(
    {"Identity", "Cast", "Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid", "Relu", "Clip"}
    | {"Dropout", "BatchNormalization", "InstanceNormalization", "QuantizeLinear"}
    | {"DequantizeLinear"}
)
_RESIZES: Final = ("Resize", "Upsample")
_HANDS_ON: Final = ("Identity", "Cast")
_MOST: Final = 64  # nodes to follow at most


def classes_before_argmax(proto: onnx.ModelProto, name: str, rank: int) -> int | None:
    """Return the number of classes that the ArgMax before the output `name` selects from, or None.

    Shape inference often loses the class axis at a Resize; then follow the graph back to the layer
    that gave the axis its length.

    Args:
        proto: The model.
        name: The output.
        rank: Number of the output's axes, including the batch.
    """
    maker = deciding_maker(proto.graph, name)
    if maker is None or maker.op_type != "ArgMax" or not maker.input:
        return None
    axis = next((a.i for a in maker.attribute if a.name == "axis"), 0)
    kept = next((a.i for a in maker.attribute if a.name == "keepdims"), 1)
    shape = infer_axes(proto).get(maker.input[0])
    rank = rank + (not kept) if shape is None else len(shape)
    if not -rank <= axis < rank:
        return None
    axis %= rank
    known = None if shape is None else lengths(shape)[axis]
    return known or _follow(proto.graph, maker.input[0], axis, rank)


def _follow(graph: onnx.GraphProto, value: str, axis: int, rank: int) -> int | None:
    """Return the length of an axis, found at the layer that determines it."""
    produced_by = producers(graph)
    constants = Constants(graph)
    for _ in range(_MOST):
        node = produced_by.get(value)
        if node is None or not node.input:
            return None
        if node.op_type in _RESIZES:
            length = _resize_length(node, axis, rank, produced_by, constants)
            if length != 0:
                return length
        elif node.op_type == "Transpose":
            turned = attribute(node, "perm")
            if turned is None or sorted(turned) != list(range(rank)):
                return None
            axis = turned[axis]
        elif node.op_type in ("Conv", "ConvTranspose", "MatMul") and len(node.input) < 2:
            return None  # damaged; the runtime reports it
        elif node.op_type in ("Conv", "ConvTranspose") and axis == 1:
            weight = constants.shape(node.input[1])
            groups = next((a.i for a in node.attribute if a.name == "group"), 1)
            if len(weight) != rank:
                return None
            return weight[0] if node.op_type == "Conv" else weight[1] * groups
        elif node.op_type == "MatMul" and axis == rank - 1:
            weight = constants.shape(node.input[1])
            return weight[1] if len(weight) == 2 else None
        elif node.op_type == "Add":
            # A constant bias is added; follow the other input.
            sides = [name for name in node.input if not constants.shape(name)]
            if len(sides) != 1:
                return None
            value = sides[0]
            continue
        elif node.op_type not in _KEEPS:
            return None
        value = node.input[0]
    return None


def _resize_length(
    node: onnx.NodeProto, axis: int, rank: int, produced_by: dict[str, Any], constants: Constants
) -> int | None:
    """Return the length of an axis after a Resize, 0 if it does not change, None if unknown."""
    only = attribute(node, "axes")
    if only is not None and axis not in [a % rank for a in only]:
        return 0
    place = axis if only is None else [a % rank for a in only].index(axis)
    upsample = node.op_type == "Upsample"
    scales = node.input[1 if upsample else 2] if len(node.input) > (1 if upsample else 2) else ""
    factors = constants.numbers(scales, 16)
    if len(factors) > place:
        return 0 if factors[place] == 1 else None
    sizes = node.input[3] if len(node.input) > 3 else ""
    known = constants.numbers(sizes, 16)
    if len(known) > place:
        return int(known[place]) if known[place] > 0 else None
    return 0 if _is_own_length(sizes, place, node.input[0], produced_by, constants) else None


def _is_own_length(
    sizes: str, place: int, value: str, produced_by: dict[str, Any], constants: Constants
) -> bool:
    """Return whether the number at `place` of `sizes` is this axis' own length in `value`."""
    node = _find_producer(sizes, produced_by)
    if node is None or node.op_type != "Concat":
        return False
    part = _find_producer(node.input[0], produced_by)
    if part is None or part.op_type != "Slice" or len(part.input) < 3:
        return False
    shape = _find_producer(part.input[0], produced_by)
    first, last = (constants.numbers(name, 16) for name in part.input[1:3])
    from_start = len(first) == len(last) == 1 and first[0] == 0 and last[0] > place
    is_shape = shape is not None and shape.op_type == "Shape"
    return from_start and is_shape and list(shape.input) == [value]


def _find_producer(name: str, produced_by: dict[str, Any]) -> Any:
    """Return the node that computes a value, skipping nodes that only pass it on."""
    node = produced_by.get(name)
    for _ in range(_MOST):
        if node is None or node.op_type not in _HANDS_ON or not node.input:
            return node
        node = produced_by.get(node.input[0])
    return None
