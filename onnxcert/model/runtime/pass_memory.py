"""Estimate of the memory of a pass before the model runs.

A few bytes in a graph can demand any amount: a Resize by 3000, a ConstantOfShape of 2e9. Operating
systems promise memory that they do not have, and kill the process when it writes to it. So the
sizes from shape inference are added up, and a pass that cannot fit is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, final

import numpy as np
import onnx
from onnx import inliner, numpy_helper

from onnxcert.errors import ModelError
from onnxcert.model.graph.external_data import tensor_bytes
from onnxcert.model.graph.tracing import LARGEST_CONSTANT, within, without_weights
from onnxcert.model.runtime.machine import HostMemory

_ALWAYS: Final = 2**26  # bytes; every machine has these, so less is not checked
# Operators whose output shares the memory of their first input.
_VIEWS: Final = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Dropout"})
# Operators that ONNX Runtime runs in place, if no other node reads the input later.
_IN_PLACE: Final = frozenset(
    {"Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "Abs", "Neg", "Sqrt", "Exp", "Log", "Floor"}
    | {"Add", "Sub", "Mul", "Div", "Max", "Min", "Elu", "HardSigmoid", "HardSwish", "Erf", "Not"}
    | {"BatchNormalization", "Softmax", "LogSoftmax", "PRelu", "Pow", "Gelu", "Mish", "Ceil"}
)
# Operators whose values shape inference propagates.
_FOLLOWED: Final = frozenset(
    {"Add", "Sub", "Mul", "Concat", "Cast", "Gather", "Slice", "Squeeze", "Unsqueeze"}
)
_ROUNDS: Final = 8  # of shape inference; each may find more shapes


@final
class PassMemory:
    """Memory that passes of one session need.

    Args:
        model: graph of the session.
        memory: memory of the machine; None for this machine's.

    Raises:
        ModelError: the values that depend only on constants or on inputs of a fixed size do not
            fit.
    """

    def __init__(self, model: onnx.ModelProto, memory: HostMemory | None = None) -> None:
        self._memory = HostMemory() if memory is None else memory
        weights = {i.name for i in model.graph.initializer}
        self._inputs = {i.name for i in model.graph.input} - weights
        self._graph = without_weights(model)
        self._most = 0  # the largest need of a pass that was allowed
        self._room: int | None = None  # for passes: what is free and what the session holds already
        self._known: dict[tuple[tuple[str, tuple[int, ...]], ...], int] = {}
        self._need = self._check({}, "")
        self._most = 0  # the memory for making the session is released

    def check(self, feeds: Mapping[str, Any]) -> None:
        """Raise ModelError if a pass over these arrays needs more memory than is free.

        The session keeps the memory of passes of other shapes, so that counts as free.
        """
        shapes = tuple((name, np.shape(value)) for name, value in feeds.items())
        if shapes not in self._known:
            self._known[shapes] = self._check(feeds, f" for a pass over {list(shapes[0][1])}")
        self._need = self._known[shapes]

    def at_once(self, passes: int) -> int:
        """Return how many of `passes` concurrent passes over the arrays last checked fit."""
        if self._room is None or self._need <= _ALWAYS:
            return passes
        return max(1, min(passes, self._room // self._need))

    def _check(self, feeds: Mapping[str, Any], of: str) -> int:
        need = pass_bytes(self._graph, feeds, self._inputs)
        if need > max(_ALWAYS, self._most):
            free = self._memory.free()
            self._room = None if free is None else free + self._most
            if self._room is not None and need > self._room:
                raise ModelError(
                    f"the model needs at least {_gib(need)} GiB of memory{of}, but only "
                    f"{_gib(self._room)} GiB are free; use smaller inputs, a smaller --batch-size "
                    "or a machine with more memory."
                )
        self._most = max(self._most, need)
        return need


def pass_bytes(model: onnx.ModelProto, feeds: Mapping[str, Any], inputs: Collection[str]) -> int:
    """Return the most bytes that a pass holds at once, as far as shape inference finds them.

    Values that no later node reads are released, as ONNX Runtime does. Weights and the working
    memory of operators are left out.

    Args:
        model: the graph; of its weights only the shapes are used.
        feeds: the arrays of its inputs; if empty, the memory for making a session counts as well.
        inputs: names of its inputs; inputs of other names are weights.
    """
    fed = onnx.ModelProto()
    fed.CopyFrom(model)
    _feed(fed.graph, feeds)
    try:
        if fed.functions:
            fed = inliner.inline_local_functions(fed)
        values = _inferred(fed)
    except Exception:  # shape inference may fail on any graph; ONNX Runtime reports what is wrong
        return 0
    sizes = {name: _bytes(value) for name, value in values.items()}
    read = {name: sizes.get(name, 0) for name in inputs}
    most = _peak(fed.graph, sizes, read)
    return most if feeds else max(most, _peak(fed.graph, sizes, read, folds=True))


def _inferred(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """Return what shape inference finds for every value, also for shapes computed from others.

    For these it keeps each number of a one-dimensional value, about 70 bytes each, however long the
    value is. So it follows an operator only once its values are known to be short: each round may
    show more of them.
    """
    values = _values(onnx.shape_inference.infer_shapes(model).graph)
    for _ in range(_ROUNDS):
        followed = onnx.ModelProto()
        followed.CopyFrom(model)
        _cut_long(followed.graph, values, {i.name for i in model.graph.initializer})
        found = _values(onnx.shape_inference.infer_shapes(followed, data_prop=True).graph)
        better = {n: v for n, v in found.items() if _known(v) > _known(values.get(n))}
        if not better:
            break
        values |= better
    return values


def _cut_long(
    graph: onnx.GraphProto, values: Mapping[str, onnx.ValueInfoProto], short: Collection[str]
) -> None:
    """Remove from `graph` the nodes through which values of a long tensor would be propagated.

    `values` are the known types and shapes; tensors named in `short` are known to be short.
    """
    kept = []
    for node in graph.node:
        for branch in (g for a in node.attribute for g in (a.g, *a.graphs)):
            _cut_long(branch, values, short)
        touched = [name for name in (*node.input, *node.output) if name and name not in short]
        if node.op_type not in _FOLLOWED or all(_is_short(values.get(name)) for name in touched):
            kept.append(node)
        elif node.op_type in ("Add", "Sub", "Mul"):
            node.op_type = "Div"  # of the same shape and types, and never followed
            kept.append(node)
        else:
            graph.input.extend(values[name] for name in node.output if name in values)
    del graph.node[:]
    graph.node.extend(kept)


def _known(value: onnx.ValueInfoProto | None) -> int:
    """Return 0 if nothing is known of a shape, else 1 plus the number of known lengths."""
    if value is None or not value.type.tensor_type.HasField("shape"):
        return 0
    return 1 + int(sum(axis.dim_value > 0 for axis in value.type.tensor_type.shape.dim))


def _values(graph: onnx.GraphProto) -> dict[str, onnx.ValueInfoProto]:
    """Return the values of a graph and its subgraphs that have a known type."""
    inner = (g for node in within(graph.node) for a in node.attribute for g in (a.g, *a.graphs))
    each = (v for g in (*inner, graph) for v in (*g.value_info, *g.input, *g.output))
    return {value.name: value for value in each}


def _is_short(value: onnx.ValueInfoProto | None) -> bool:
    """Return whether a value is known to be short, or not one-dimensional."""
    if value is None or not value.type.tensor_type.HasField("shape"):
        return False
    axes = value.type.tensor_type.shape.dim
    return len(axes) != 1 or 0 < axes[0].dim_value <= LARGEST_CONSTANT


def _feed(graph: onnx.GraphProto, feeds: Mapping[str, Any]) -> None:
    """Set the shapes of inputs, and also their values if these may become shapes."""
    for value in graph.input:
        if value.name not in feeds:
            continue
        array = np.asarray(feeds[value.name])
        tensor = value.type.tensor_type
        tensor.shape.Clear()
        for length in array.shape:
            tensor.shape.dim.add(dim_value=length)
        if array.dtype.kind == "i" and array.size <= LARGEST_CONSTANT:
            graph.initializer.append(numpy_helper.from_array(array, value.name))
    known = {i.name for i in graph.initializer}
    kept = [value for value in graph.input if value.name not in known]
    del graph.input[:]
    graph.input.extend(kept)


def _peak(
    graph: onnx.GraphProto,
    sizes: Mapping[str, int],
    read: Mapping[str, int],
    *,
    folds: bool = False,
) -> int:
    """Return the most bytes that values of a graph take at once.

    Args:
        graph: the graph.
        sizes: bytes of each value.
        read: bytes of each input.
        folds: count only values computed from constants, and count them twice: ONNX Runtime
            computes them when it makes a session, and then copies them into the graph.
    """
    last = {name: i for i, node in enumerate(graph.node) for name in _reads(node)}
    last.update({value.name: len(graph.node) for value in graph.output})
    owner = {name: name for name in read}  # value -> the value whose memory it uses
    users = dict.fromkeys(read, 1)  # number of values in that memory that are still read
    held = dict(read)
    varies = set(read)  # values that depend on the inputs
    total = most = sum(held.values())
    for i, node in enumerate(graph.node):
        ended = [name for name in dict.fromkeys(_reads(node)) if last[name] == i and name in owner]
        varying = any(name in varies for name in _reads(node))
        varies.update(node.output if varying else ())
        counted = 1 if not folds else 0 if varying else 2
        inside = max(
            (_peak(g, sizes, {}) for a in node.attribute for g in (a.g, *a.graphs)), default=0
        )
        reused = _reused(node, ended, owner, users, held, sizes)
        for name in filter(None, node.output):
            if reused:
                owner[name] = reused
                users[reused] += 1
                reused = ""
            else:
                owner[name], users[name], held[name] = name, 1, counted * sizes.get(name, 0)
                total += held[name]
        most = max(most, total + inside)
        ended += [name for name in node.output if name and last.get(name, -1) <= i]
        for name in ended:
            buffer = owner.pop(name, "")
            if buffer:
                users[buffer] -= 1
                if not users[buffer]:
                    total -= held.pop(buffer)
    return most


def _reused(
    node: onnx.NodeProto,
    ended: Iterable[str],
    owner: Mapping[str, str],
    users: Mapping[str, int],
    held: Mapping[str, int],
    sizes: Mapping[str, int],
) -> str:
    """Return the memory that the first output of a node takes over, or an empty string."""
    if node.op_type in _VIEWS and node.input:
        return owner.get(node.input[0], "")
    if node.op_type in _IN_PLACE:
        for name in ended:
            buffer = owner[name]
            if users[buffer] == 1 and held[buffer] == sizes.get(node.output[0], -1):
                return buffer
    return ""


def _reads(node: onnx.NodeProto) -> list[str]:
    """Return the values that a node and its subgraphs read."""
    return [name for each in within([node]) for name in each.input if name]


def _bytes(value: onnx.ValueInfoProto) -> int:
    """Return the bytes of a value, or 0 if its shape is not known."""
    tensor = value.type.tensor_type
    if not all(axis.HasField("dim_value") for axis in tensor.shape.dim):
        return 0
    return tensor_bytes(tensor.elem_type, [axis.dim_value for axis in tensor.shape.dim])


def _gib(number: int) -> str:
    return f"{number / 2**30:,.1f}"
