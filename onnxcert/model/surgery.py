"""Graph surgery: a model from pixels in the declared unit to labels, all inside one graph.

In front: resize (`--scale`) and normalisation. Behind: upsampling to the size that came in, argmax,
and the check that the scores are finite. What leaves the session is as small as labels can be, and
everything that is part of f runs where the model runs.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnxcert.model.contract import Contract

PIXELS: Final = "onnxcert_pixels"
LABELS: Final = "onnxcert_labels"
CLASSES: Final = "onnxcert_classes"


def label_type(classes: int | None) -> np.dtype[np.unsignedinteger]:
    """Smallest unsigned integer for labels 0 .. classes - 1 and one value more for "no vote"."""
    return np.dtype(np.min_scalar_type(255 if classes is None else max(classes, 2)))


def labelling_model(
    proto: onnx.ModelProto, contract: Contract, *, scale: float = 1.0, upsample: bool = False
) -> onnx.ModelProto:
    """A copy of `proto` that maps pixels to labels.

    Input `PIXELS`: float32 [batch, 3, H, W] in [0, 1]. Outputs `LABELS`: [batch, H, W] of
    `label_type(contract.classes)`, its largest value where a score was not finite; `CLASSES`:
    the number of classes, int64 [1].

    Args:
        proto: the model, opset 13 or later.
        contract: how to talk to it.
        scale: the network sees the picture resized by this factor (bilinear, half-pixel centres,
            no antialiasing, as the training frameworks do by default).
        upsample: bring the scores to H x W (bilinear, half-pixel centres) before the argmax;
            needed where they come out at another size.
    """
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    graph = model.graph
    before = _Nodes()
    source = PIXELS
    if scale != 1.0:
        source = before.resize(source, scales=(1.0, 1.0, scale, scale))
    _normalise(before, source, contract)
    after = _Nodes()
    scores = contract.output
    if upsample:
        scores = after.resize_like(scores, PIXELS)
    _label(after, scores, contract)

    shape = _input_shape(contract, free_size=scale != 1.0)
    constants = {i.name for i in graph.initializer}
    kept = [i for i in graph.input if i.name in constants and i.name != contract.input]
    nodes = [*before.nodes, *graph.node, *after.nodes]
    graph.initializer.extend([*before.constants, *after.constants])
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, shape))
    graph.input.extend(kept)
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.output[:]
    kind = helper.np_dtype_to_tensor_dtype(label_type(contract.classes))
    graph.output.append(helper.make_tensor_value_info(LABELS, kind, [shape[0], None, None]))
    graph.output.append(helper.make_tensor_value_info(CLASSES, TensorProto.INT64, [1]))
    return model


class _Nodes:
    """Nodes under construction, with names that no exported graph uses."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"onnxcert_{operator.lower()}_{inputs[0]}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs), [output], name=output, **attributes)
        )
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        name = f"onnxcert_{name}_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def resize(self, source: str, *, scales: tuple[float, ...]) -> str:
        factors = self.constant("scales", np.asarray(scales, dtype=np.float32))
        return self.add("Resize", source, "", factors, **_BILINEAR)

    def resize_like(self, source: str, reference: str) -> str:
        """`source` [B, C, h, w] at the height and width of `reference`."""
        sizes = self.add(
            "Concat",
            self.axes(source, 0, 2),
            self.axes(reference, 2, 4),
            axis=0,
        )
        return self.add("Resize", source, "", "", sizes, **_BILINEAR)

    def axes(self, source: str, start: int, stop: int, output: str = "") -> str:
        """Lengths of the axes start .. stop - 1 of `source`; int64 [stop - start]."""
        first, last = (self.constant(f"axis_{i}", np.array([i])) for i in (start, stop))
        return self.add("Slice", self.add("Shape", source), first, last, output=output)


_BILINEAR: Final = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


def _normalise(nodes: _Nodes, source: str, contract: Contract) -> None:
    """(low + x (high - low) - mean) / std as one multiplication and one addition."""
    assert contract.value_range is not None
    low, high = contract.value_range
    std = np.asarray(contract.std or (1.0,), dtype=np.float64)
    mean = np.asarray(contract.mean or (0.0,), dtype=np.float64)
    factor = np.broadcast_to((high - low) / std, 3).reshape(1, 3, 1, 1).astype(np.float32)
    offset = np.broadcast_to((low - mean) / std, 3).reshape(1, 3, 1, 1).astype(np.float32)
    if np.any(factor != 1):
        source = nodes.add("Mul", source, nodes.constant("factor", factor))
    if np.any(offset != 0):
        source = nodes.add("Add", source, nodes.constant("offset", offset))
    nodes.add("Identity", source, output=contract.input)


def _label(nodes: _Nodes, scores: str, contract: Contract) -> None:
    """Argmax over classes, and "no vote" where a score is NaN or infinite.

    NumPy and ONNX Runtime both answer class 0 for a column of NaN. A sum over classes is finite
    only if every score is, and costs one pass over them.
    """
    kind = label_type(contract.classes)
    best = nodes.add("ArgMax", scores, axis=1, keepdims=0)
    total = nodes.add("ReduceSum", scores, nodes.constant("class_axis", np.array([1])), keepdims=0)
    infinity = nodes.constant("infinity", np.array(np.inf, dtype=np.float32))
    finite = nodes.add("Less", nodes.add("Abs", total), infinity)
    no_vote = nodes.constant("no_vote", np.array(np.iinfo(kind).max, dtype=np.int64))
    votes = nodes.add("Where", finite, best, no_vote)
    nodes.add("Cast", votes, to=helper.np_dtype_to_tensor_dtype(kind), output=LABELS)
    nodes.axes(scores, 1, 2, output=CLASSES)


def _input_shape(contract: Contract, *, free_size: bool) -> list[int | str]:
    height, width = contract.size if contract.size and not free_size else ("height", "width")
    return [contract.batch or "batch", 3, height, width]
