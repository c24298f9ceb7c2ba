"""The graph that remains where our kernels write the noise and count the votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper

from onnxcert.model.adapter.base import INPUT, Adapter
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.adapter.normalisation import channelwise
from onnxcert.model.contract.base import Contract
from onnxcert.model.graph.extract import extract_subgraph
from onnxcert.model.graph.nodes import Nodes
from onnxcert.model.network.surgery import labelling_model
from onnxcert.sampling.backend import NetworkInput

_SCORES: Final = ("logits", "probabilities", "sigmoid", "logit")


@dataclass(frozen=True, eq=False)
class Ends:
    """Start and end of a bound graph.

    Attributes:
        input: name of the graph's input.
        output: name of the graph's output.
        network_input: the network's own input, if only channel order, normalisation, a cast and the
            layout stand before the network; None if the graph takes declared inputs.
        scores: whether the graph ends at the network's scores, because only a resize to the
            components and one vote follow; otherwise it ends at labels.
    """

    input: str
    output: str
    network_input: NetworkInput | None
    scores: bool


def bound_graph(
    proto: onnx.ModelProto, entry: Adapter, *, batch: int | None, other_size: bool
) -> tuple[onnx.ModelProto, Ends]:
    """Return the labelling model without what kernels do, and its ends.

    It computes the same function. The kernels round every product and sum, as the separate
    operators do; a provider that fuses operators may differ in the last bit of a score.
    """
    whole = labelling_model(proto, entry, batch=batch, other_size=other_size)
    contract = entry.contract
    network_input = None
    if isinstance(entry, ImageAdapter) and _is_pixelwise(entry):
        network_input = channelwise(entry.contract)
    last = next(o for o in proto.graph.output if o.name == contract.output)
    scores = _has_plain_vote(entry, last)
    start = None
    if network_input is not None:
        axes = [batch or "batch", *[None] * (max(contract.ranks) - 1)]
        kind = helper.np_dtype_to_tensor_dtype(network_input.dtype)
        start = helper.make_tensor_value_info(contract.input, kind, axes)
    output = whole.graph.output[0]
    if scores:
        kind, rank = last.type.tensor_type.elem_type, contract.output_rank
        axes = [None] * rank if contract.single else [batch or "batch", *[None] * (rank - 1)]
        output = helper.make_tensor_value_info(contract.output, kind, axes)
    ends = Ends(INPUT if start is None else start.name, output.name, network_input, scores)
    return extract_subgraph(whole, output, start=start), ends


def to_planes(scores: Any, contract: Contract, xp: Any) -> Any:
    """Return the network's output as a view [B, C, *grid]."""
    if contract.single:
        scores = scores[None]
    if len(scores.shape) < max(contract.ranks):
        return scores[:, None]
    if contract.channels_last:
        return xp.moveaxis(scores, -1, 1)
    return scores


def _is_pixelwise(entry: ImageAdapter) -> bool:
    """Return whether an image reaches the network pixel by pixel."""
    fit = entry.fit
    return not (fit.resizes or fit.pad_to > 1 or fit.averages)


def _has_plain_vote(entry: Adapter, output: onnx.ValueInfoProto) -> bool:
    contract = entry.contract
    if contract.classifies or contract.output_form not in _SCORES:
        return False
    if contract.answer_rank < max(contract.ranks) - 1:
        return False
    float_types = [helper.np_dtype_to_tensor_dtype(np.dtype(t)) for t in ("float32", "float16")]
    if output.type.tensor_type.elem_type not in float_types:
        return False
    behind = Nodes("tried")
    entry.back(behind, "scores", "seen", False)
    return not behind.nodes
