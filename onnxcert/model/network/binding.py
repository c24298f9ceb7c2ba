"""A network whose inputs and outputs stay on a device, by I/O binding.

ONNX Runtime reads the batch where the noise was written and leaves its output on the device. The
output lies in the session's arena. An array here keeps that memory alive; when the array is gone,
the session may reuse it in its next pass. Both are safe without synchronising with the host,
because the device runs a pass after all work queued before it and before all work queued later
(`onnxcert.sampling.backend.CupyDevice.model_runs`). ONNX Runtime synchronises at the end of a pass,
its default, so that timings are correct and a failure belongs to its batch. Its run option
``disable_synchronize_execution_providers`` would save the gap between two passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import onnx
from onnx import helper

from onnxcert._typing import Array, FloatArray, IntArray, Perturbation
from onnxcert.errors import ModelError
from onnxcert.model.adapter.base import INPUT, Adapter
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.adapter.normalisation import channelwise
from onnxcert.model.contract.base import Contract
from onnxcert.model.graph.extract import extract_subgraph
from onnxcert.model.graph.nodes import Nodes
from onnxcert.model.network.forward import Forward
from onnxcert.model.network.network import Network
from onnxcert.model.network.output_checks import check_labels
from onnxcert.model.network.surgery import labelling_model
from onnxcert.perturbation import Gaussian
from onnxcert.sampling.backend import Backend, DeviceBackend, NetworkInput
from onnxcert.sampling.kernels import Scores
from onnxcert.sampling.protocol import Function


@final
class Binding:
    """A network for batches on the device of a backend.

    Args:
        network: the network; it gives the same answers for batches in memory.
        backend: backend that owns the arrays of batches and answers.
    """

    def __init__(self, network: Network, backend: DeviceBackend) -> None:
        self._network = network
        self._backend = backend
        self._shapes: set[tuple[int, ...]] = set()
        self._source: Forward | None = None  # the network's `Forward` that this was built from
        self._ends: Ends
        self._forward: Forward

    def labels(self, batch: FloatArray) -> IntArray:
        """Return labels of declared inputs in memory, by the same graph that counted draws use."""
        segment, backend = self.bind(batch[0], None)
        labels: IntArray = backend.host(backend.labels(segment(backend.device(batch))))
        return labels

    def bind(self, x: FloatArray, perturbation: Perturbation | None) -> tuple[Function, Backend]:
        """Return the network for noisy copies of `x` on the device, and the backend for them.

        If noise covers all channels and the input reaches the network pixel by pixel, the noise is
        written directly as the network's input. Other noise is written first and then converted.
        """
        if x.shape not in self._shapes:
            self._open(self._network.forward_for(x))
            self._shapes.add(x.shape)
        network_input = self._ends.network_input
        if network_input is None:
            return lambda batch: self._answers(batch, x.shape), self._backend
        writer = self._backend.for_network_input(network_input)
        if isinstance(perturbation, Gaussian):
            return lambda batch: self._answers(batch, x.shape), writer
        return lambda batch: self._answers(writer.write_clean(batch), x.shape), self._backend

    def _open(self, forward: Forward) -> None:
        if forward is self._source:
            return
        network = self._network
        model, self._ends = bound_graph(
            network.file.proto, network.entry, batch=forward.rows, other_size=network.other_size
        )
        self._forward, self._source = network.open_model(model, forward.rows), forward

    def _answers(self, batch: Array, shape: tuple[int, ...]) -> Any:
        """Return labels or scores of a batch in the graph's input format, channels first.

        Rows are padded to the batch size of the graph; the answers to padding are dropped.
        """
        xp, many, rows = self._backend.xp, batch.shape[0], self._forward.rows or batch.shape[0]
        found = []
        for start in range(0, many, rows):
            part = batch[start : start + rows]
            missing = rows - part.shape[0]
            if missing:
                part = xp.concatenate([part, xp.repeat(part[-1:], missing, axis=0)])
            planes = self._planes(part, shape)
            found.append(planes[: rows - missing] if missing else planes)
        values = found[0] if len(found) == 1 else xp.concatenate(found)
        entry = self._network.entry
        if not self._ends.scores:
            return check_labels(values, batch, entry, self._forward.path)
        grid = entry.label_grid(shape) or tuple(values.shape[2:])
        threshold = entry.contract.decision_threshold if entry.contract.binary else None
        try:
            return Scores(values, grid, threshold)
        except ValueError:
            raise ModelError(
                f"{self._forward.path} must label every {entry.element.name.lower()} of "
                f"{entry.describe(shape)}, got scores of shape {list(values.shape)}."
            ) from None

    def _planes(self, batch: Array, shape: tuple[int, ...]) -> Array:
        """Return labels, or scores [B, C, *grid], of one batch of the size that the graph takes.

        Raises:
            ModelError: the output has another number of rows.
        """
        answer, entry = self._run(batch, shape), self._network.entry
        planes = (
            to_planes(answer, entry.contract, self._backend.xp) if self._ends.scores else answer
        )
        if planes.shape[0] != batch.shape[0]:
            raise ModelError(
                f"{self._forward.path} must give one output for each of {batch.shape[0]} "
                f"{entry.describe(shape)}, got an output of shape {list(answer.shape)}; export it "
                "with a batch axis."
            )
        return planes

    def _run(self, batch: Array, shape: tuple[int, ...]) -> Array:
        """Run the graph on one batch, channels first, of the size that it takes."""
        device, network_input = self._backend.of, self._ends.network_input
        xp, runtime = self._backend.xp, self._forward.session.runtime
        last = network_input is not None and network_input.last
        # Only padded batches are copied.
        contiguous = xp.ascontiguousarray(xp.moveaxis(batch, 1, -1) if last else batch)
        kind, index = device.place
        binding = runtime.io_binding()
        with self._forward.timed_pass(batch.shape[0], shape, self._network.entry):
            binding.bind_input(
                *(self._ends.input, kind, index, contiguous.dtype.type),
                *(list(contiguous.shape), device.pointer(contiguous)),
            )
            feeds = self._network.entry.feeds(shape)
            for further in {i.name for i in runtime.get_inputs()} & set(feeds):
                binding.bind_cpu_input(further, np.ascontiguousarray(feeds[further]))
            binding.bind_output(self._ends.output, kind, index)
            with device.model_runs():
                runtime.run_with_iobinding(binding)
            (value,) = binding.get_outputs()
        dtype = helper.tensor_dtype_to_np_dtype(value.element_type())
        return device.view(value.data_ptr(), tuple(value.shape()), dtype, value)


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
