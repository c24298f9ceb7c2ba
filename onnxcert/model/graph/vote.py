"""Vote head: add nodes from the network's output to one label per component."""

from __future__ import annotations

import numpy as np

from onnxcert.model.contract.base import Contract
from onnxcert.model.graph.nodes import Nodes


def channels_first(nodes: Nodes, contract: Contract) -> str:
    """Bring the output to float32 scores [B, C, *grid]; class indices have C = 1.

    A classifier's grid is one cell, with as many axes as the components of its modality.
    """
    scores, full, rank = contract.output, max(contract.ranks), contract.answer_rank
    if contract.single:
        scores = nodes.add("Unsqueeze", scores, nodes.constant([0]))
    if rank < full:
        missing = range(rank, full) if contract.classifies else [1]
        scores = nodes.add("Unsqueeze", scores, nodes.constant(list(missing)))
    elif contract.channels_last:
        scores = nodes.add("Transpose", scores, perm=[0, full - 1, *range(1, full - 1)])
    return nodes.cast(scores, np.float32)


def labels(nodes: Nodes, scores: str, contract: Contract, *, candidates: str, output: str) -> None:
    """Predict labels; a component with a NaN or infinite score gets the invalid label.

    ArgMax of NaN is class 0 in NumPy and ONNX Runtime, and a comparison with NaN is false. So the
    sum over classes is checked: it is finite only if every score is, and costs one pass over them.
    A classifier gives [B, 1], or [B, labels] if it is multi-label.
    """
    match contract.output_form:
        case "multilabel":
            votes, total = _threshold(nodes, scores, contract), scores
        case "sigmoid" | "logit":
            scores = nodes.add("Squeeze", scores, nodes.constant([1]))
            votes, total = _threshold(nodes, scores, contract), scores
        case "labels":
            scores = nodes.add("Squeeze", scores, nodes.constant([1]))
            votes, total = _class_indices(nodes, scores, contract), scores
        case _:
            votes, total = _argmax(nodes, candidates, contract)
            if scores != candidates or not total:
                total = nodes.add("ReduceSum", scores, nodes.constant([1]), keepdims=0)
    finite = nodes.add("Less", nodes.add("Abs", total), nodes.constant(np.inf, np.float32))
    no_vote = nodes.constant(np.iinfo(contract.label_type).max)
    votes = nodes.add("Where", finite, votes, no_vote)
    if contract.classifies:
        # Keep one axis: that of the labels if multi-label, else that of the one cell.
        many = contract.output_form == "multilabel"
        cell = list(range(2, max(contract.ranks) if many else max(contract.ranks) - 1))
        votes = nodes.add("Squeeze", votes, nodes.constant(cell)) if cell else votes
    nodes.cast(votes, contract.label_type, output)


def _argmax(nodes: Nodes, scores: str, contract: Contract) -> tuple[str, str]:
    """Return (class of the highest score, the first if equal; sum over classes, or "").

    On large grids this goes class by class: ONNX Runtime's ArgMax and ReduceSum read all classes of
    one pixel at a time, miss the cache, and take two to eight times as long on a CPU.
    """
    classes = contract.classes
    if classes is None or classes < 2 or contract.classifies or max(contract.ranks) < 4:
        return nodes.add("ArgMax", scores, axis=1, keepdims=0), ""
    kind = np.uint8 if contract.label_type == np.uint8 else np.int32  # types that Where supports
    best = total = nodes.slice(scores, 0, 1, axis=1)
    votes = nodes.constant(0, kind)
    for c in range(1, classes):
        score = nodes.slice(scores, c, c + 1, axis=1)
        higher = nodes.add("Greater", score, best)
        votes = nodes.add("Where", higher, nodes.constant(c, kind), votes)
        best = nodes.add("Max", best, score)
        total = nodes.add("Add", total, score)
    axis = nodes.constant([1])
    votes = nodes.cast(nodes.add("Squeeze", votes, axis), np.int64)
    return votes, nodes.add("Squeeze", total, axis)


def _threshold(nodes: Nodes, scores: str, contract: Contract) -> str:
    """Return 1 where the score exceeds the threshold, else 0; int64."""
    threshold = nodes.constant(contract.decision_threshold, np.float32)
    return nodes.cast(nodes.add("Greater", scores, threshold), np.int64)


def _class_indices(nodes: Nodes, values: str, contract: Contract) -> str:
    """Return class indices as int64; a value that is not a class gets the invalid label."""
    assert contract.classes is not None
    low = nodes.add("Less", nodes.constant(-0.5, np.float32), values)
    high = nodes.add("Less", values, nodes.constant(contract.classes - 0.5, np.float32))
    known = nodes.add("And", low, high)
    no_vote = nodes.constant(np.iinfo(contract.label_type).max)
    return nodes.add("Where", known, nodes.cast(values, np.int64), no_vote)
