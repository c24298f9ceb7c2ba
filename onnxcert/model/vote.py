"""From the network's output to one vote per component."""

from __future__ import annotations

import numpy as np

from onnxcert.model.contract import Contract
from onnxcert.model.fit import Fit
from onnxcert.model.nodes import Nodes


def channels_first(nodes: Nodes, contract: Contract) -> str:
    """The output as float32 scores [B, C, h, w]; class indices have C = 1, a classifier 1 x 1."""
    scores = contract.output
    if contract.output_rank < 3:
        axes = [2, 3] if contract.output_rank == 2 else [1, 2, 3]
        return nodes.cast(nodes.add("Unsqueeze", scores, nodes.constant(axes)), np.float32)
    if contract.output_rank == 3:
        axis = 1 if contract.output_layout == "NCHW" else 3
        scores = nodes.add("Unsqueeze", scores, nodes.constant([axis]))
    if contract.output_layout == "NHWC":
        scores = nodes.add("Transpose", scores, perm=[0, 3, 1, 2])
    return nodes.cast(scores, np.float32)


def fitted_back(
    nodes: Nodes,
    scores: str,
    contract: Contract,
    fit: Fit,
    *,
    seen: str,
    pixels: str,
    resized: str,
    upsample: bool,
) -> str:
    """Scores on the grid of the components: the picture's own size, or as they are."""
    if fit.grid == "model" or contract.classifies:
        return scores
    nearest = contract.output_form == "labels"
    if fit.pad_to > 1:
        if upsample:
            scores = nodes.resized(scores, nodes.axes(seen, 2, 4), nearest=nearest)
        begin, axes = nodes.constant([0, 0]), nodes.constant([2, 3])
        scores = nodes.add("Slice", scores, begin, resized, axes)
    if fit.resizes or (upsample and fit.pad_to == 1):
        scores = nodes.resized(scores, nodes.axes(pixels, 2, 4), nearest=nearest)
    return scores


def labels(nodes: Nodes, scores: str, contract: Contract, *, output: str) -> None:
    """The vote, and "no vote" where a score is NaN or infinite.

    NumPy and ONNX Runtime both answer class 0 for a column of NaN, and a comparison with NaN is
    false. A sum over classes is finite only if every score is, and costs one pass over them.
    A classifier's one cell leaves as [B, 1], or [B, labels] where it is multi-label.
    """
    match contract.output_form:
        case "multilabel":
            votes, total = _above(nodes, scores, contract), scores
        case "sigmoid" | "logit":
            scores = nodes.add("Squeeze", scores, nodes.constant([1]))
            votes, total = _above(nodes, scores, contract), scores
        case "labels":
            scores = nodes.add("Squeeze", scores, nodes.constant([1]))
            votes, total = _indices(nodes, scores, contract), scores
        case _:
            votes = nodes.add("ArgMax", scores, axis=1, keepdims=0)
            total = nodes.add("ReduceSum", scores, nodes.constant([1]), keepdims=0)
    finite = nodes.add("Less", nodes.add("Abs", total), nodes.constant(np.inf, np.float32))
    no_vote = nodes.constant(np.iinfo(contract.label_type).max)
    votes = nodes.add("Where", finite, votes, no_vote)
    if contract.classifies:
        cell = [2, 3] if contract.output_form == "multilabel" else [2]
        votes = nodes.add("Squeeze", votes, nodes.constant(cell))
    nodes.cast(votes, contract.label_type, output)


def _above(nodes: Nodes, scores: str, contract: Contract) -> str:
    """1 where the score exceeds the threshold, else 0; int64."""
    threshold = nodes.constant(contract.decision_threshold, np.float32)
    return nodes.cast(nodes.add("Greater", scores, threshold), np.int64)


def _indices(nodes: Nodes, values: str, contract: Contract) -> str:
    """Class indices as they are; what is no class becomes "no vote"; int64."""
    assert contract.classes is not None
    low = nodes.add("Less", nodes.constant(-0.5, np.float32), values)
    high = nodes.add("Less", values, nodes.constant(contract.classes - 0.5, np.float32))
    known = nodes.add("And", low, high)
    no_vote = nodes.constant(np.iinfo(contract.label_type).max)
    return nodes.add("Where", known, nodes.cast(values, np.int64), no_vote)
