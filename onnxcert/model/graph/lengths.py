"""Lengths of axes in a graph, and the whole numbers that compute shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import onnx
from onnx import helper, numpy_helper

from onnxcert.model.graph.tracing import LARGEST_CONSTANT, infer_axes, lengths, producers

Dims = list[int | None]
Lengths = list[int | str | None]  # of a computed shape; BATCH stands for the number of rows

BATCH: Final = "batch"
_END: Final = 2**31 - 1


class GraphLengths:
    """Lengths of axes, and whole numbers, in a graph whose batch axis is followed.

    Args:
        proto: The model.
        constants: Known values by name.

    Attributes:
        axis: Value -> its batch axis, as far as it has been followed.
    """

    def __init__(self, proto: onnx.ModelProto, constants: Mapping[str, onnx.TensorProto]) -> None:
        self._constants = constants
        self._dims = _dims(proto)
        self._makers = producers(proto.graph)
        self.axis: dict[str, int] = {}

    def dims(self, name: str) -> Dims | None:
        """Return the lengths of a value's axes, None for a free one; None if all are unknown."""
        return self._dims.get(name)

    def rank(self, name: str) -> int | None:
        """Return the number of axes of a value, or None if unknown."""
        dims = self._dims.get(name)
        return None if dims is None else len(dims)

    def positive(self, name: str, axis: int) -> int | None:
        """Return the axis counted from the front."""
        rank = self.rank(name)
        return axis if axis >= 0 else None if rank is None else axis + rank

    def known(self, node: onnx.NodeProto, place: int) -> list[int] | None:
        """Return the whole numbers of the node's input at `place`, or None if unknown."""
        name = node.input[place] if len(node.input) > place else ""
        found = self.lengths(name) if name else None
        return None if found is None or not all(isinstance(v, int) for v in found) else found  # type: ignore[return-value]

    def axes(self, node: onnx.NodeProto, place: int) -> list[int] | None:
        """Return the axes, an attribute in old opsets and an input in new ones; None if unknown."""
        return get_attribute(node, "axes", None) or self.known(node, place)

    def lengths(self, name: str, depth: int = 0) -> Lengths | None:
        """Return the numbers in a value that computes a shape, or None if unknown."""
        if name in self._constants:
            tensor = self._constants[name]
            if math.prod(tensor.dims) > LARGEST_CONSTANT:
                return None
            return [int(v) for v in numpy_helper.to_array(tensor).reshape(-1)]
        node = self._makers.get(name)
        if node is None or depth > 30:
            return None
        each = [self.lengths(i, depth + 1) for i in node.input] if node.op_type != "Shape" else []
        match node.op_type:
            case "Shape":
                axis, dims = self.axis.get(node.input[0]), self._dims.get(node.input[0])
                if dims is None:
                    return None
                whole = [BATCH if i == axis else length for i, length in enumerate(dims)]
                return whole[get_attribute(node, "start", 0) : get_attribute(node, "end", _END)]
            case "Concat" if all(part is not None for part in each):
                return [v for part in each if part is not None for v in part]
            case "Gather" | "Slice" if all(part is not None for part in each):
                data, *picks = each
                assert data is not None
                if node.op_type == "Gather":
                    return [data[int(i)] for i in picks[0] or [] if isinstance(i, int)]
                start, end = (int((part or [0])[0] or 0) for part in picks[:2])
                return data[start:end]
            case "Mul" if all(part is not None and len(part) == 1 for part in each):
                values = [part[0] for part in each if part]
                if BATCH in values:
                    return [BATCH]
                return [math.prod(values) if None not in values else None]  # type: ignore[arg-type]
            case "Unsqueeze" | "Squeeze" | "Cast" | "Identity" | "Reshape":
                return each[0]
            case _:
                return None

    def picks_own_rows(self, data: str, picks: str) -> bool:
        """Return whether indices along the first axis of `data` stay in the row they belong to.

        So it is if `data` [batch, many, ...] was reshaped to [batch * many, ...] and the indices
        are offsets 0, many, 2 * many, ... of the rows plus an index. That index is known only in a
        run; if it is `many` or more, only the batch-invariance checks find it.
        """
        table, total = self._makers.get(data), self._find_source(picks)
        if table is None or table.op_type != "Reshape" or self.axis.get(table.input[0]) != 0:
            return False
        before, after = self.dims(table.input[0]) or [], self.dims(data) or []
        if len(before) < 3 or len(after) != len(before) - 1 or total is None:
            return False
        alike = all(a in (None, b) or b is None for a, b in zip(after[1:], before[2:], strict=True))
        return (
            alike
            and total.op_type == "Add"
            and any(self._is_row_offset(name, table.input[0]) for name in total.input)
        )

    def _is_row_offset(self, name: str, data: str) -> bool:
        """Return whether a value is row number times the length of axis 1 of `data`."""
        product, many = self._find_source(name), (self.dims(data) or [])[1]
        if product is None or product.op_type != "Mul":
            return False
        for count, factor in (product.input, product.input[::-1]):
            rows = self._find_source(count)
            if rows is not None and rows.op_type == "Range":
                of = [self.lengths(bound) for bound in rows.input]
                known = many is not None and self.lengths(factor) == [many]
                return of == [[0], [BATCH], [1]] and (known or self._is_length(factor, data))
        return False

    def _is_length(self, name: str, data: str) -> bool:
        """Return whether a value is computed as the length of axis 1 of `data`."""
        pick = self._find_source(name)
        if pick is None or pick.op_type != "Gather" or self.known(pick, 1) != [1]:
            return False
        shape = self._makers.get(pick.input[0])
        whole = shape is not None and shape.op_type == "Shape" and not shape.attribute
        return whole and shape is not None and shape.input[0] == data

    def _find_source(self, name: str) -> onnx.NodeProto | None:
        """Return the node that computes a value, before changes of shape and type."""
        node = self._makers.get(name)
        while node is not None and node.op_type in ("Reshape", "Unsqueeze", "Cast", "Identity"):
            node = self._makers.get(node.input[0])
        return node


def get_attribute(node: onnx.NodeProto, name: str, usual: Any) -> Any:
    """Return the value of an attribute, or `usual` if it is missing."""
    for attribute in node.attribute:
        if attribute.name == name:
            value = helper.get_attribute_value(attribute)
            return list(value) if isinstance(value, Sequence) and attribute.ints else value
    return usual


def _dims(proto: onnx.ModelProto) -> dict[str, Dims]:
    """Return the lengths of the axes of each value for which shape inference finds them."""
    weights = {i.name: list(i.dims) for i in proto.graph.initializer}
    return weights | {name: list(lengths(shape)) for name, shape in infer_axes(proto).items()}
