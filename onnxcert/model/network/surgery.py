"""Graph surgery: one graph from the declared input to labels.

Nodes before the network do the preprocessing (`onnxcert.model.adapter.base`). Nodes after it bring
scores to the components, predict labels and check that the scores are finite
(`onnxcert.model.graph.vote`). So only labels leave the session, and every part of f runs on the
device of the model.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxcert.model.adapter.base import Adapter
from onnxcert.model.graph import vote
from onnxcert.model.graph.lint import nodes
from onnxcert.model.graph.nodes import Nodes

LABELS: Final = "onnxcert_labels"
SHAPE: Final = "onnxcert_shape"
SCORES: Final = "onnxcert_scores"


def labelling_model(
    proto: onnx.ModelProto,
    entry: Adapter,
    *,
    batch: int | None,
    other_size: bool = False,
    votes: bool = True,
) -> onnx.ModelProto:
    """Return a copy of `proto` that maps declared inputs to labels, or to scores.

    Inputs: those of `entry`. Outputs: `LABELS`, [batch, *grid] (multi-label: [batch, labels,
    *grid]) of `contract.label_type`, its largest value if a score is not finite; `SHAPE`, int64,
    the shape of the network's own output. For a classifier, `LABELS` is [batch, 1] (multi-label:
    [batch, labels]), and `SCORES`, float32 [batch, channels, 1 ...], is a further output. Without
    `votes` there is no `LABELS`; `SCORES`, float32 [batch, channels, *grid], are those of the
    components.

    Args:
        proto: The model, opset 13 or later.
        entry: The adapter of the modality.
        batch: The batch size to declare; None leaves it free.
        other_size: Whether the grid of the scores differs from that of the input, so that they
            are resized first.
        votes: Whether the graph ends at labels.
    """
    contract = entry.contract
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    graph = model.graph
    inputs = {i.name: i for i in graph.input}
    front, feeds, back = Nodes("front"), Nodes("feed"), Nodes("back")
    seen = entry.front(front, inputs)
    back.add("Shape", contract.output, output=SHAPE)
    scores = vote.channels_first(back, contract)
    native, candidates = entry.back(back, scores, seen, other_size)
    if contract.classifies or not votes:
        back.add("Identity", native if not votes else scores, output=SCORES)
    if votes:
        vote.labels(back, native, contract, candidates=candidates, output=LABELS)

    fed = dict(contract.feeds)
    present = {contract.input, *fed, *(name for node in front.nodes for name in node.output)}
    constants = {i.name for i in graph.initializer}
    kept = [i for name, i in inputs.items() if name in constants - present]
    rows: int | str = batch or "batch"
    del graph.input[:]
    graph.input.extend([*entry.inputs(rows), *kept])
    for name, value in fed.items():
        _feed(feeds, name, value, inputs[name], like=contract.input)
    every = [*front.nodes, *feeds.nodes, *graph.node, *back.nodes]
    graph.initializer.extend([*feeds.constants, *front.constants, *back.constants])
    del graph.value_info[:]  # recorded shapes of inner values may be wrong now
    del graph.node[:]
    graph.node.extend(every)
    _drop_unused_domains(model)
    del graph.output[:]
    kind = helper.np_dtype_to_tensor_dtype(contract.label_type)
    full = max(contract.ranks)
    sides = 0 if contract.classifies else full - 2
    labels = 1 if contract.output_form == "multilabel" or contract.classifies else 0
    axes: list[int | str | None] = [rows, *[None] * (labels + sides)]
    info = helper.make_tensor_value_info
    if votes:
        graph.output.append(info(LABELS, kind, axes))
    graph.output.append(info(SHAPE, TensorProto.INT64, [None]))
    if contract.classifies or not votes:
        graph.output.append(info(SCORES, TensorProto.FLOAT, [rows, *[None] * (full - 1)]))
    return model


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    """Remove operator sets that no node uses; some exporters list unknown ones."""
    used = {node.domain for node in nodes(model)} | {"", "ai.onnx"}
    kept = [o for o in model.opset_import if o.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def preprocessing_model(entry: Adapter, network: onnx.ModelProto) -> onnx.ModelProto:
    """Return only the preprocessing: a graph from an input to the graph input `contract.input`."""
    front = Nodes("front")
    entry.front(front, {i.name: i for i in network.graph.input})
    contract = entry.contract
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(contract.dtype))
    output = helper.make_tensor_value_info(contract.input, kind, [None] * max(contract.ranks))
    inputs = entry.inputs("batch")
    graph = helper.make_graph(front.nodes, "entry", inputs, [output], front.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _feed(nodes: Nodes, name: str, value: Any, declared: onnx.ValueInfoProto, *, like: str) -> None:
    """Add the value of the further input `name`, repeated along a batch axis if it has one.

    `like` is the input that gives the batch size.
    """
    kind = helper.tensor_dtype_to_np_dtype(declared.type.tensor_type.elem_type)
    constant = nodes.constant(value, kind)
    rank = len(declared.type.tensor_type.shape.dim)
    if declared.type.tensor_type.HasField("shape") and np.ndim(value) == rank - 1:
        rows = nodes.axes(like, 0, 1)
        shape = nodes.add("Concat", rows, nodes.constant(list(np.shape(value))), axis=0)
        nodes.add("Expand", constant, shape, output=name)
    else:
        nodes.add("Identity", constant, output=name)
