"""A network whose inputs and outputs stay on a device, by I/O binding.

ONNX Runtime reads the batch where the noise was written and leaves its output on the device. The
output lies in the session's arena. An array here keeps that memory alive; when the array is gone,
the session may reuse it in its next pass. Both are safe without synchronising with the host,
because the device runs a pass after all work queued before it and before all work queued later
(`onnxcert.sampling.backend.Device.model_runs`). ONNX Runtime synchronises at the end of a pass,
its default, so that timings are correct and a failure belongs to its batch. Its run option
``disable_synchronize_execution_providers`` would save the gap between two passes.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from onnx import helper

from onnxcert._typing import Array, FloatArray, IntArray, Perturbation, Segmenter
from onnxcert.errors import ModelError
from onnxcert.model.network.device_graph import Ends, to_planes
from onnxcert.model.network.forward import Forward
from onnxcert.model.network.label_checks import check_labels
from onnxcert.model.network.network import Network
from onnxcert.perturbation import Gaussian
from onnxcert.sampling.backend import Backend, DeviceBackend
from onnxcert.sampling.kernels import Scores


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

    def bind(self, x: FloatArray, perturbation: Perturbation | None) -> tuple[Segmenter, Backend]:
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
        self._forward, self._ends = self._network.open_bound()
        self._source = forward

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
                f"{self._forward.path} must label every {entry.parts.removesuffix('s')} of "
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
