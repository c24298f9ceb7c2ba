"""Small queries of a graph: the node that reads or computes a value, the lengths of its axes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

LARGEST_CONSTANT: Final = 4096  # elements; larger ones are weights, whose values are not needed

_MOST: Final = 64  # nodes to follow at most
# Attribute of a Constant node -> its field.
_VALUES: Final = {
    "value_float": "f",
    "value_int": "i",
    "value_floats": "floats",
    "value_ints": "ints",
}

Axes = tuple[int | str | None, ...]
Numbers = npt.NDArray[np.float64]

# Operators that keep the meaning of values.
_THROUGH: Final = frozenset(
    {"Identity", "Cast", "Mul", "Div", "Add", "Sub", "Pad", "Clip", "QuantizeLinear", "Slice"}
    | {"DequantizeLinear", "BatchNormalization", "Resize", "Upsample", "Reshape", "Squeeze"}
    | {"Unsqueeze", "Transpose", "Gather"}
)


def element_type(value: onnx.ValueInfoProto) -> str:
    """Return NumPy's name of the element type, e.g. float32 or int64."""
    if kind_name := container(value):
        return kind_name
    kind = value.type.tensor_type.elem_type
    if kind == onnx.TensorProto.UNDEFINED:
        return "undefined"
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(kind).name)
    except (KeyError, ValueError):
        return str(onnx.TensorProto.DataType.Name(kind)).lower()


def container(value: onnx.ValueInfoProto) -> str:
    """Return the kind of a value that is not a tensor (sequence, map, ...), or an empty string."""
    kind = value.type.WhichOneof("value") or "tensor_type"
    return "" if kind == "tensor_type" else kind.removesuffix("_type").replace("_", " ")


def axes(value: onnx.ValueInfoProto) -> Axes | None:
    """Return the axis lengths, a symbol or None for a free axis; None if the graph has no shape."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else (d.dim_param or None)
        for d in kind.shape.dim
    )


def rank(value: onnx.ValueInfoProto) -> int | None:
    """Return the number of axes, or None if the graph has no shape."""
    shape = axes(value)
    return None if shape is None else len(shape)


def lengths(shape: Axes) -> tuple[int | None, ...]:
    """Return `shape` with None for each symbol."""
    return tuple(a if isinstance(a, int) else None for a in shape)


def describe(shape: Sequence[int | str | None] | None) -> str:
    """Return `shape` as text."""
    if shape is None:
        return "of unknown shape"
    return "[" + ", ".join("?" if a is None else str(a) for a in shape) + "]"


def within(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield the nodes and those of their subgraphs, breadth first."""
    pending = deque(nodes)
    while pending:
        node = pending.popleft()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                pending.extend(graph.node)


def producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Return value -> the node that computes it; an unused output has an empty name."""
    return {output: node for node in graph.node for output in node.output if output}


def first_reader(graph: onnx.GraphProto, name: str) -> Any:
    """Return the first Conv or Transpose node that reads `name`, or None.

    Operators in `_THROUGH` are skipped.
    """
    seen = {name}
    for node in graph.node:
        if node.input and seen & set(node.input[:1]):
            if node.op_type in ("Conv", "QLinearConv", "ConvInteger", "Transpose"):
                return node
            if node.op_type in _THROUGH:
                seen.update(node.output[:1])
    return None


def deciding_maker(graph: onnx.GraphProto, name: str) -> Any:
    """Return the node that gives `name` its meaning, or None; skip operators that keep it."""
    produced_by = producers(graph)
    node = produced_by.get(name)
    while node is not None and node.op_type in (
        _THROUGH - {"Mul", "Div", "Add", "Sub", "BatchNormalization"}
    ):
        before = produced_by.get(node.input[0]) if node.input else None
        if before is None:
            return node
        node = before
    return node


def attribute(node: onnx.NodeProto, name: str) -> Sequence[int] | None:
    """Return an attribute of `node` that is a list of integers, or None."""
    return next((list(a.ints) for a in node.attribute if a.name == name), None)


class Constants:
    """The constants of a graph, also behind nodes that keep their values.

    Args:
        graph: The graph.
        through: Operators to look through.
    """

    def __init__(self, graph: onnx.GraphProto, through: Container[str] = ("Identity", "Cast")):
        self._initializers = {i.name: i for i in graph.initializer}
        self._makers = producers(graph)
        self._through = through

    def tensor(self, name: str) -> onnx.TensorProto | None:
        """Return the constant `name`, or None if it is not one."""
        for _ in range(_MOST):
            node = self._makers.get(name)
            if name in self._initializers or node is None:
                return self._initializers.get(name)
            if node.op_type == "Constant":
                return _constant_value(node)
            if node.op_type not in self._through or not node.input:
                return None
            name = node.input[0]
        return None

    def shape(self, name: str) -> list[int]:
        """Return the shape of a constant; empty if `name` is not one."""
        tensor = self.tensor(name)
        return [] if tensor is None else list(tensor.dims)

    def numbers(self, name: str, most: int = 2**16) -> Numbers:
        """Return the finite numbers of a constant, flat; empty if `name` is not one.

        Also empty for more than `most` numbers.
        """
        tensor = self.tensor(name)
        if tensor is None or np.prod(tensor.dims, dtype=np.float64) > most:
            return np.zeros(0)
        try:
            array = numpy_helper.to_array(tensor).reshape(-1)
        except Exception:  # damaged, or in a missing file: other checks report it
            return np.zeros(0)
        finite = array.dtype.kind in "biuf" and np.isfinite(array).all()
        return array.astype(np.float64) if finite else np.zeros(0)


def _constant_value(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """Return the value of a Constant node, or None if it is text or sparse."""
    for attribute in node.attribute:
        if attribute.name == "value":
            return cast(onnx.TensorProto, attribute.t)
        if attribute.name in _VALUES:
            value = np.asarray(getattr(attribute, _VALUES[attribute.name]))
            return numpy_helper.from_array(value)
    return None


def infer_axes(proto: onnx.ModelProto) -> dict[str, Axes]:
    """Return the axes of each value for which the graph or shape inference gives them."""
    try:
        graph = onnx.shape_inference.infer_shapes(without_weights(proto)).graph
    except Exception:  # shape inference is optional; without it less is known
        graph = proto.graph
    values = (*graph.input, *graph.output, *graph.value_info)
    return {value.name: shape for value in values if (shape := axes(value)) is not None}


def without_weights(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with only types and shapes of weights, and values of small constants."""
    light = onnx.ModelProto(ir_version=proto.ir_version)
    light.opset_import.extend(proto.opset_import)
    light.functions.extend(proto.functions)
    graph = light.graph
    graph.name = proto.graph.name
    graph.node.extend(proto.graph.node)
    graph.input.extend(proto.graph.input)
    graph.output.extend(proto.graph.output)
    graph.value_info.extend(proto.graph.value_info)
    known = {i.name for i in proto.graph.input}
    for weight in proto.graph.initializer:
        if math.prod(weight.dims) <= LARGEST_CONSTANT:
            graph.initializer.append(weight)
        elif weight.name not in known:
            graph.input.append(
                onnx.helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims))
            )
    return light
