"""Find nodes that work along the batch axis, so that draws of one batch influence each other.

The axis is followed from the inputs through each operator that keeps or moves it, by the operator
and the lengths of axes. If the axis is lost, nothing is found; the batch-invariance checks while
the model runs remain. Values that compute shapes carry no batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import onnx

from onnxcert.model.graph.lengths import BATCH, GraphLengths, get_attribute

_END: Final = 2**31 - 1

_ALONG: Final = ("ArgMax", "ArgMin", "TopK", "CumSum", "Hardmax", "Softmax", "LogSoftmax")
_NORMALISES: Final = ("LayerNormalization", "RMSNormalization")
_RECURRENT: Final = ("LSTM", "GRU", "RNN")
_FIRST_AXIS_ONLY: Final = (
    *("Conv", "ConvTranspose", "QLinearConv", "ConvInteger", "MaxPool", "AveragePool"),
    *("GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "GroupNormalization"),
    *("LRN", "Resize", "Upsample", "GridSample", "DepthToSpace"),
)
_NO_BATCH: Final = ("Shape", "Size", "Constant", "ConstantOfShape", "NonZero", "Unique")


class BatchAxis:
    """The axis that carries the batch, for each value of a graph.

    Args:
        proto: The model.
        constants: Known values by name.
        inputs: Names of the inputs whose first axis is the batch.
    """

    def __init__(
        self,
        proto: onnx.ModelProto,
        constants: Mapping[str, onnx.TensorProto],
        inputs: Iterable[str],
    ) -> None:
        self._graph = proto.graph
        self._lengths = GraphLengths(proto, constants)
        self._opset = max((o.version for o in proto.opset_import if not o.domain), default=17)
        self.axis = self._lengths.axis
        for name in inputs:
            if self._lengths.rank(name) != 0:
                self.axis[name] = 0

    def find_mixing(self) -> list[onnx.NodeProto]:
        """Return the nodes that work along the batch, in graph order."""
        found = []
        for node in self._graph.node:
            try:
                if self._follow(node):
                    found.append(node)
            except (IndexError, TypeError, ValueError):
                continue  # an invalid node; ONNX Runtime reports it
        return found

    def _follow(self, node: onnx.NodeProto) -> bool:
        """Record the batch axis of the node's outputs; return whether it works along the batch."""
        carrying = [name for name in node.input if name in self.axis]
        if not carrying or node.op_type in _NO_BATCH:
            return False
        special: Callable[[onnx.NodeProto], tuple[bool, int | None]] | None
        special = getattr(self, f"_{node.op_type.lower()}", None)
        if special is not None:
            mixes, axis = special(node)
        elif node.op_type.startswith("Reduce"):
            mixes, axis = self._reduction(node)
        elif node.op_type in _ALONG:
            mixes, axis = self._along(node)
        elif node.op_type in _NORMALISES:
            mixes, axis = self._from_axis(node, -1)
        elif node.op_type in _RECURRENT:
            first = get_attribute(node, "layout", 0) == 0
            mixes, axis = self.axis.get(node.input[0]) == int(not first), None
        elif node.op_type in _FIRST_AXIS_ONLY:
            axis = self.axis.get(node.input[0])
            mixes = axis not in (0, None)
        else:
            mixes, axis = self._element_wise(node, carrying)
        if axis is not None:
            for name in node.output:
                rank = self._lengths.rank(name)
                if rank is None or axis < rank:
                    self.axis[name] = axis
        return bool(mixes)

    # -- operators ---------------------------------------------------------------------------

    def _element_wise(
        self, node: onnx.NodeProto, carrying: Sequence[str]
    ) -> tuple[bool, int | None]:
        """Align the axes at the back; two batch axes at different positions mix draws."""
        out = self._lengths.rank(node.output[0])
        places = set()
        for name in carrying:
            rank = self._lengths.rank(name)
            if rank is None or out is None or rank > out:
                return False, None
            places.add(self.axis[name] + out - rank)
        return len(places) > 1, min(places)

    def _along(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        data = node.input[0]
        if node.op_type in ("Softmax", "LogSoftmax", "Hardmax") and self._opset < 13:
            return self._from_axis(node, 1)  # all axes from this one on are flattened
        if node.op_type in ("ArgMax", "ArgMin"):
            return self._removal(node, [get_attribute(node, "axis", 0)])
        axis_given = get_attribute(node, "axis", -1)
        if node.op_type == "CumSum":
            known = self._lengths.known(node, 1)
            if known is None:
                return False, self.axis.get(data)
            axis_given = known[0]
        return self._lengths.positive(data, axis_given) == self.axis.get(data, -1), self.axis.get(
            data
        )

    def _from_axis(self, node: onnx.NodeProto, usual: int) -> tuple[bool, int | None]:
        """Handle operators that work on all axes from one on."""
        data = node.input[0]
        first, axis = (
            self._lengths.positive(data, get_attribute(node, "axis", usual)),
            self.axis.get(data),
        )
        return first is not None and axis is not None and axis >= first, axis

    def _reduction(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        axes = self._lengths.axes(node, 1)
        if axes is None and len(node.input) > 1 and node.input[1]:
            return False, None
        if not axes:
            if get_attribute(node, "noop_with_empty_axes", 0):
                return False, self.axis[node.input[0]]
            return True, None
        return self._removal(node, axes)

    def _removal(self, node: onnx.NodeProto, axes: Sequence[int]) -> tuple[bool, int | None]:
        data = node.input[0]
        axis = self.axis[data]
        gone = [self._lengths.positive(data, a) for a in axes]
        if axis in gone:
            return True, axis if get_attribute(node, "keepdims", 1) else None
        if get_attribute(node, "keepdims", 1):
            return False, axis
        return False, None if None in gone else axis - sum(a < axis for a in gone if a is not None)

    def _squeeze(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        axes, data = self._lengths.axes(node, 1), node.input[0]
        gone = [self._lengths.positive(data, a) for a in axes or []]
        if axes is None or None in gone or self.axis.get(data) in gone:
            return False, None
        return False, self.axis[data] - sum(a < self.axis[data] for a in gone if a is not None)

    def _unsqueeze(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        axes, axis = self._lengths.axes(node, 1), self.axis.get(node.input[0])
        if axes is None or axis is None:
            return False, None
        for new in sorted(self._lengths.positive(node.output[0], a) or 0 for a in axes):
            axis += new <= axis
        return False, axis

    def _transpose(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        rank, axis = self._lengths.rank(node.input[0]), self.axis[node.input[0]]
        order = get_attribute(node, "perm", None)
        if order is None and rank is None:
            return False, None
        return False, (order or list(range(rank or 0))[::-1]).index(axis)

    def _flatten(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        first = self._lengths.positive(node.input[0], get_attribute(node, "axis", 1))
        return False, None if first is None else int(self.axis[node.input[0]] >= first)

    def _reshape(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        axis, lengths = self.axis.get(node.input[0]), self._lengths.lengths(node.input[1])
        if axis is None or lengths is None:
            return False, None
        if BATCH in lengths:
            return False, lengths.index(BATCH)
        if all(length == 0 for length in lengths[: axis + 1]) and len(lengths) > axis:
            return False, axis
        if -1 not in lengths and lengths[:1] == [1]:
            return False, 0  # the number of rows is a constant of the graph
        if axis == 0:  # rows vary slowest: they are in the first axis that is not of length 1
            return False, next((i for i, length in enumerate(lengths) if length != 1), None)
        before = (self._lengths.dims(node.input[0]) or [None])[:axis]
        if None in before:
            return False, None
        for i in range(len(lengths)):
            front = lengths[:i]
            if all(isinstance(v, int) and v > 0 for v in front) and lengths[i] != 1:
                product = math.prod(v for v in front if isinstance(v, int))
                if product == math.prod(v for v in before if v is not None):
                    return False, i
        return False, None

    def _expand(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        rank, out = self._lengths.rank(node.input[0]), self._lengths.rank(node.output[0])
        if node.input[0] not in self.axis or rank is None or out is None:
            return False, None
        axis = self.axis[node.input[0]] + out - rank
        lengths = self._lengths.lengths(node.input[1]) or []
        return BATCH in [v for i, v in enumerate(lengths) if i != axis], axis

    def _slice(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        data = node.input[0]
        if data not in self.axis:
            return False, None
        starts, ends, axes, steps = (
            get_attribute(node, name, None) or self._lengths.known(node, place)
            for place, name in enumerate(("starts", "ends", "axes", "steps"), 1)
        )
        axes = list(range(self._lengths.rank(data) or 0)) if axes is None else axes
        places = [self._lengths.positive(data, a) for a in axes]
        if self.axis[data] not in places:
            return False, self.axis[data]
        i = places.index(self.axis[data])
        step = 1 if steps is None else steps[i]
        every = starts is not None and ends is not None and starts[i] == 0 and ends[i] >= _END
        return not (every and bool(step == 1)), self.axis[data]

    def _gather(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        data, picks = node.input[:2]
        along = self._lengths.positive(data, get_attribute(node, "axis", 0))
        axis, rank = self.axis.get(data), self._lengths.rank(picks)
        if axis is None:
            axis = self.axis[picks]
            return False, None if along is None else along + axis
        if axis == along:
            return not (
                axis == 0 and self._lengths.picks_own_rows(data, picks)
            ), axis if rank else None
        if along is None or (axis > along and rank is None):
            return False, None
        return False, axis if axis < along else axis + (rank or 0) - 1

    def _gatherelements(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        data = node.input[0]
        axis = self.axis.get(data)
        return axis is not None and axis == self._lengths.positive(
            data, get_attribute(node, "axis", 0)
        ), axis

    def _matmul(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        return self._product(*node.input[:2], out=node.output[0])

    def _matmulinteger(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        return self._product(*node.input[:2], out=node.output[0])

    def _gemm(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        turned = [bool(get_attribute(node, name, 0)) for name in ("transA", "transB")]
        return self._product(*node.input[:2], out=node.output[0], turned=turned)

    def _product(
        self, first: str, second: str, *, out: str, turned: Sequence[bool] = (False, False)
    ) -> tuple[bool, int | None]:
        """Handle a product of the rows of the first with the columns of the second."""
        ranks, rank = (
            [self._lengths.rank(first), self._lengths.rank(second)],
            self._lengths.rank(out),
        )
        axes: list[int | None] = []  # from the back
        for name, many, flipped in zip((first, second), ranks, turned, strict=True):
            if name in self.axis and many is None:
                return False, None
            axis = self.axis[name] - (many or 0) if name in self.axis else None
            axes.append({-1: -2, -2: -1}.get(axis, axis) if flipped and axis else axis)
        row, column = axes
        if row == -1 or (column == -2 and (ranks[1] or 0) > 1):
            return True, None  # summed over
        found = {axis for axis in axes if axis is not None}
        if rank is None or not found:
            return False, None
        return len(found) > 1, min(found) + rank

    def _einsum(self, node: onnx.NodeProto) -> tuple[bool, int | None]:
        left, _, right = (
            get_attribute(node, "equation", b"").decode().replace(" ", "").partition("->")
        )
        letters = {
            terms[self.axis[name]]
            for name, terms in zip(node.input, left.split(","), strict=False)
            if name in self.axis and len(terms) > self.axis[name]
        }
        if "." in left or not right or not letters:
            return False, None
        letter = min(letters)
        if len(letters) > 1 or letter not in right:
            return True, None
        return False, right.index(letter)
