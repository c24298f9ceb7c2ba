"""Graph surgery: a model from pixels in the declared unit to labels, all inside one graph.

In front: resizing, padding, channel order, normalisation, element type, layout
(`onnxcert.model.entry`). Behind: layout, upsampling, the vote and the check that the scores are
finite (`onnxcert.model.vote`). What leaves the session is as small as labels can be, and
everything that is part of f runs where the model runs.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxcert._typing import IntArray
from onnxcert.model import entry, vote
from onnxcert.model.contract import Contract
from onnxcert.model.fit import Fit
from onnxcert.model.lint import nodes
from onnxcert.model.nodes import Nodes

PIXELS: Final = "onnxcert_pixels"
RESIZED: Final = "onnxcert_resized"
PADS: Final = "onnxcert_pads"
LABELS: Final = "onnxcert_labels"
SHAPE: Final = "onnxcert_shape"
SCORES: Final = "onnxcert_scores"


def labelling_model(
    proto: onnx.ModelProto,
    contract: Contract,
    fit: Fit,
    *,
    batch: int | None,
    upsample: bool = False,
) -> onnx.ModelProto:
    """A copy of `proto` that maps pixels to labels.

    Inputs: `PIXELS`, float32 [batch, c, H, W] in [0, 1], c = 1 for grey and 3 for colour;
    `RESIZED`, int64 [2], the size after resizing, and `PADS`, int64 [8], as the operator Pad takes
    them, where `fit` needs them. Outputs: `LABELS`, [batch, h, w] (multi-label: [batch, labels, h,
    w]) of `contract.label_type`, its largest value where a score was not finite; `SHAPE`, int64
    [4], shape of the scores as [batch, channels, h, w]. Of a classifier `LABELS` is [batch, 1]
    (multi-label: [batch, labels]), and there is `SCORES`, float32 [batch, channels, 1, 1].

    Args:
        proto: the model, opset 13 or later.
        contract: how to talk to it.
        fit: how pictures are brought to its size.
        batch: the batch size to declare; None leaves it free.
        upsample: the scores come out at another size than went in; bring them to that size first.
    """
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    graph = model.graph
    front, back = Nodes("front"), Nodes("back")
    seen = entry.fitted(front, PIXELS, fit, resized=RESIZED, pads=PADS)
    entry.normalised(front, seen, contract)
    scores = vote.channels_first(back, contract)
    back.add("Shape", scores, output=SHAPE)
    if contract.classifies:
        back.add("Identity", scores, output=SCORES)
    native = vote.fitted_back(
        back, scores, contract, fit, seen=seen, pixels=PIXELS, resized=RESIZED, upsample=upsample
    )
    vote.labels(back, native, contract, output=LABELS)

    fed = dict(contract.feeds)
    constants = {i.name for i in graph.initializer}
    inputs = {i.name: i for i in graph.input}
    kept = [i for name, i in inputs.items() if name in constants - {contract.input, *fed}]
    rows: int | str = batch or "batch"
    del graph.input[:]
    graph.input.extend([*_inputs(contract, fit, rows), *kept])
    feeds = Nodes("feed")
    for name, value in fed.items():
        _feed(feeds, name, value, inputs[name])
    every = [*feeds.nodes, *front.nodes, *graph.node, *back.nodes]
    graph.initializer.extend([*feeds.constants, *front.constants, *back.constants])
    del graph.value_info[:]  # what was noted of inner shapes may not hold any more
    del graph.node[:]
    graph.node.extend(every)
    _drop_unused_domains(model)
    del graph.output[:]
    kind = helper.np_dtype_to_tensor_dtype(contract.label_type)
    sides = 0 if contract.classifies else 2
    labels = 1 if contract.output_form == "multilabel" or contract.classifies else 0
    axes: list[int | str | None] = [rows, *[None] * (labels + sides)]
    info = helper.make_tensor_value_info
    graph.output.append(info(LABELS, kind, axes))
    graph.output.append(info(SHAPE, TensorProto.INT64, [4]))
    if contract.classifies:
        graph.output.append(info(SCORES, TensorProto.FLOAT, [rows, None, None, None]))
    return model


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    """Forget operator sets that no node uses; some exporters name ones that nobody has."""
    used = {node.domain for node in nodes(model)} | {"", "ai.onnx"}
    kept = [o for o in model.opset_import if o.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def entry_model(contract: Contract, fit: Fit) -> onnx.ModelProto:
    """Only what stands in front of the network: pixels to the input `contract.input`."""
    front = Nodes("front")
    seen = entry.fitted(front, PIXELS, fit, resized=RESIZED, pads=PADS)
    entry.normalised(front, seen, contract)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(contract.dtype))
    output = helper.make_tensor_value_info(contract.input, kind, [None] * 4)
    inputs = _inputs(contract, fit, "batch")
    graph = helper.make_graph(front.nodes, "entry", inputs, [output], front.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def fit_feeds(fit: Fit, height: int, width: int) -> dict[str, IntArray]:
    """Sizes that `_inputs` asks for, of a picture of height x width."""
    resized, padded = fit.resized(height, width), fit.padded(height, width)
    feeds: dict[str, IntArray] = {}
    if fit.resizes or fit.pad_to > 1:
        feeds[RESIZED] = np.array(resized, dtype=np.int64)
    if fit.pad_to > 1:
        added = [after - before for before, after in zip(resized, padded, strict=True)]
        feeds[PADS] = np.array([0, 0, 0, 0, 0, 0, *added], dtype=np.int64)
    return feeds


def _inputs(contract: Contract, fit: Fit, rows: int | str) -> list[onnx.ValueInfoProto]:
    """What must be fed: the pixels, and the sizes that `fit` needs."""
    info = helper.make_tensor_value_info
    inputs = [info(PIXELS, TensorProto.FLOAT, [rows, contract.channels, "height", "width"])]
    if fit.resizes or fit.pad_to > 1:
        inputs.append(info(RESIZED, TensorProto.INT64, [2]))
    if fit.pad_to > 1:
        inputs.append(info(PADS, TensorProto.INT64, [8]))
    return inputs


def _feed(nodes: Nodes, name: str, value: Any, declared: onnx.ValueInfoProto) -> None:
    """Give the further input `name` its value, repeated along a batch axis it may have."""
    kind = helper.tensor_dtype_to_np_dtype(declared.type.tensor_type.elem_type)
    constant = nodes.constant(value, kind)
    rank = len(declared.type.tensor_type.shape.dim)
    if declared.type.tensor_type.HasField("shape") and np.ndim(value) == rank - 1:
        rows = nodes.axes(PIXELS, 0, 1)
        shape = nodes.add("Concat", rows, nodes.constant(list(np.shape(value))), axis=0)
        nodes.add("Expand", constant, shape, output=name)
    else:
        nodes.add("Identity", constant, output=name)
