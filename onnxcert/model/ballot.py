"""From scores outside of the network's session to votes, by the very nodes that end it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, final

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxcert._typing import FloatArray, IntArray
from onnxcert.model import vote
from onnxcert.model.contract import Contract
from onnxcert.model.nodes import Nodes
from onnxcert.model.session import open_session
from onnxcert.model.surgery import LABELS, SCORES

_GIVEN: Final = "onnxcert_given"
_ACTIVATION: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "logits": ("Softmax", {"axis": 1}),
    "logit": ("Sigmoid", {}),
}


@final
class Ballot:
    """Scores [B, C, *grid] to probabilities, and to labels.

    Args:
        contract: of the model, with its classes.
        probabilities: whether labels are of means of probabilities, and not of raw scores.
    """

    def __init__(self, contract: Contract, *, probabilities: bool, threads: int) -> None:
        self.contract = contract
        activation = _ACTIVATION.get(contract.output_form) if probabilities else None
        self._probabilities = _session(_activated(*activation), threads) if activation else None
        self._labels = _session(_voted(_of_means(contract) if activation else contract), threads)

    def probabilities(self, scores: FloatArray) -> FloatArray:
        """The softmax of logits, the sigmoid of a logit, other scores as they are.

        What is not finite stays so: a class ruled out by minus infinity withholds the vote as it
        does where nothing is averaged.
        """
        found: FloatArray = scores if self._probabilities is None else self._probabilities(scores)
        return found

    def labels(self, scores: FloatArray) -> IntArray:
        """Labels, and "no vote" where a score is not finite; see `onnxcert.model.vote.labels`."""
        labels: IntArray = self._labels(scores)
        return labels


def _of_means(contract: Contract) -> Contract:
    """The contract of probabilities, with the threshold that says the same of them."""
    if contract.output_form == "logits":
        return replace(contract, output_form="probabilities")
    threshold = 1 / (1 + math.exp(-min(max(contract.decision_threshold, -700), 700)))
    return replace(contract, output_form="sigmoid", threshold=threshold)


def _activated(operator: str, attributes: Mapping[str, Any]) -> onnx.ModelProto:
    nodes = Nodes("ballot")
    values = nodes.add(operator, _GIVEN, **attributes)
    finite = nodes.add("Less", nodes.add("Abs", _GIVEN), nodes.constant(np.inf, np.float32))
    nodes.add("Where", finite, values, nodes.constant(np.nan, np.float32), output=SCORES)
    return _model(nodes, SCORES, TensorProto.FLOAT, 4)


def _voted(contract: Contract) -> onnx.ModelProto:
    nodes = Nodes("ballot")
    vote.labels(nodes, _GIVEN, contract, candidates=_GIVEN, output=LABELS)
    kind = helper.np_dtype_to_tensor_dtype(contract.label_type)
    many = contract.output_form == "multilabel"
    return _model(nodes, LABELS, kind, 2 if contract.classifies else 3 + many)


def _model(nodes: Nodes, output: str, kind: int, axes: int) -> onnx.ModelProto:
    given, made = (
        helper.make_tensor_value_info(name, of, [None] * rank)
        for name, of, rank in ((_GIVEN, TensorProto.FLOAT, 4), (output, kind, axes))
    )
    graph = helper.make_graph(nodes.nodes, "ballot", [given], [made], nodes.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _session(model: onnx.ModelProto, threads: int) -> Callable[[FloatArray], Any]:
    runtime = open_session(model, device="cpu", threads=threads).runtime
    return lambda scores: runtime.run(None, {_GIVEN: np.ascontiguousarray(scores)})[0]
