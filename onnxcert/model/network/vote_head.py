"""The vote head: from scores to labels, by the same ONNX nodes that end the network's graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, final

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxcert._typing import FloatArray, IntArray
from onnxcert.model.contract.base import Contract
from onnxcert.model.graph import vote
from onnxcert.model.graph.nodes import Nodes
from onnxcert.model.network.surgery import LABELS, SCORES
from onnxcert.model.runtime.session import open_session

_GIVEN: Final = "onnxcert_given"


@final
class VoteHead:
    """Maps scores [B, C, *grid] to probabilities and to labels.

    Args:
        contract: contract of the model; its number of classes is known.
        probabilities: whether labels are taken from mean probabilities instead of raw scores.
        threads: threads of the CPU session.
    """

    def __init__(self, contract: Contract, *, probabilities: bool, threads: int) -> None:
        self.contract = contract
        raw = probabilities and contract.output_form in ("logits", "logit")
        self._probabilities = _open(_build_activation(contract), threads) if raw else None
        voting = _probability_contract(contract) if raw else contract
        self._labels = _open(_build_vote(voting), threads)

    def probabilities(self, scores: FloatArray) -> FloatArray:
        """Return the softmax of logits or the sigmoid of one logit; leave other scores unchanged.

        Non-finite scores stay non-finite: a class excluded by minus infinity makes the prediction
        invalid, as it does without averaging.
        """
        found: FloatArray = scores if self._probabilities is None else self._probabilities(scores)
        return found

    def labels(self, scores: FloatArray) -> IntArray:
        """Return labels, invalid where a score is not finite; see `vote.labels`."""
        labels: IntArray = self._labels(scores)
        return labels


def _probability_contract(contract: Contract) -> Contract:
    """Return the contract of the probabilities, with the equivalent decision threshold."""
    if contract.output_form == "logits":
        return replace(contract, output_form="probabilities")
    threshold = 1 / (1 + math.exp(-min(max(contract.decision_threshold, -700), 700)))
    return replace(contract, output_form="sigmoid", threshold=threshold)


def _build_activation(contract: Contract) -> onnx.ModelProto:
    """Return a model that gives probabilities, NaN where a score is not finite (x - x is no 0)."""
    nodes = Nodes("ballot")
    if contract.output_form == "logit":
        nothing = nodes.add("Sub", _GIVEN, _GIVEN)
        nodes.add("Add", nodes.add("Sigmoid", _GIVEN), nothing, output=SCORES)
    else:
        # The operator Softmax is many times slower along any axis but the last.
        total = _sum_classes(nodes, _GIVEN, contract)
        most = nodes.add("ReduceMax", _GIVEN, axes=[1])
        powers = nodes.add("Exp", nodes.add("Sub", _GIVEN, most))
        whole = _sum_classes(nodes, powers, contract)
        whole = nodes.add("Add", whole, nodes.add("Sub", total, total))
        nodes.add("Div", powers, whole, output=SCORES)
    return _build_model(nodes, SCORES, TensorProto.FLOAT, 4)


def _sum_classes(nodes: Nodes, scores: str, contract: Contract) -> str:
    """Add nodes that sum over classes in their order; return the name of the sum.

    ReduceSum uses another order for one input than for several, but the vote of a draw must not
    depend on the number of draws in its batch.
    """
    assert contract.classes is not None
    total = nodes.slice(scores, 0, 1, axis=1)
    for c in range(1, contract.classes):
        total = nodes.add("Add", total, nodes.slice(scores, c, c + 1, axis=1))
    return total


def _build_vote(contract: Contract) -> onnx.ModelProto:
    nodes = Nodes("ballot")
    vote.labels(nodes, _GIVEN, contract, candidates=_GIVEN, output=LABELS)
    dtype = helper.np_dtype_to_tensor_dtype(contract.label_type)
    many = contract.output_form == "multilabel"
    return _build_model(nodes, LABELS, dtype, 2 if contract.classifies else 3 + many)


def _build_model(nodes: Nodes, output: str, dtype: int, axes: int) -> onnx.ModelProto:
    given, output_info = (
        helper.make_tensor_value_info(name, of, [None] * rank)
        for name, of, rank in ((_GIVEN, TensorProto.FLOAT, 4), (output, dtype, axes))
    )
    graph = helper.make_graph(nodes.nodes, "ballot", [given], [output_info], nodes.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _open(model: onnx.ModelProto, threads: int) -> Callable[[FloatArray], Any]:
    runtime = open_session(model, device="cpu", threads=threads).runtime
    return lambda scores: runtime.run(None, {_GIVEN: np.ascontiguousarray(scores)})[0]
