"""An ONNX model as a `Segmenter`: maps declared inputs to labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self, final

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Perturbation
from onnxcert.errors import ModelError, ParameterError
from onnxcert.model.adapter.base import INPUT, Adapter
from onnxcert.model.adapter.choose import make_adapter
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.contract.base import Contract
from onnxcert.model.detect.detect import detect
from onnxcert.model.detect.other_tasks import image_findings
from onnxcert.model.graph.file import ModelFile, read_model
from onnxcert.model.graph.lint import Finding, lint, refuse_errors
from onnxcert.model.network.averaging import TestTimeAugmentation
from onnxcert.model.network.binding import Binding
from onnxcert.model.network.network import Network
from onnxcert.model.network.surgery import preprocessing_model
from onnxcert.model.runtime.session import Session, open_session
from onnxcert.sampling.backend import NUMPY, Backend, DeviceBackend
from onnxcert.sampling.protocol import Function, Segmenter
from onnxcert.sampling.tally import Component, Element


@final
class OnnxSegmenter(Segmenter):
    """A segmentation model or a classifier in ONNX Runtime.

    A call maps a float32 batch of declared inputs to labels, unsigned integers. The largest value
    of their type marks an invalid prediction (a score was not finite).

    Images are pixels [B, c, H, W] in [0, 1] (with noise also outside), c = 1 for a grey model and 3
    for a colour model; labels are [B, H, W], or [B, h, w] on the model's own grid. Point clouds are
    [B, c, N], see `onnxcert.model.adapter.points.PointAdapter`; labels are [B, N]. A multi-label
    model, with labels 0 (no) and 1 (yes), gives [B, L, *grid]. A classifier gives one label per
    input, [B, 1], a multi-label classifier [B, L]. All steps from the declared input to the labels
    are inside the graph.

    Attributes:
        file: The model file.
        findings: Warnings of the graph lint; errors are refused.
        anew: Opens the same model again, also in another process; takes `device` and `threads`.
    """

    def __init__(
        self,
        file: ModelFile,
        contract: Contract,
        *,
        fit: Fit | None = None,
        fill: bool = False,
        device: str = "auto",
        threads: int = 0,
        backend: Backend | None = None,
    ) -> None:
        self.file = file
        self._entry = make_adapter(contract, fit=fit, fill=fill)
        images = image_findings(contract, file)
        self.findings: tuple[Finding, ...] = (*lint(file.proto, dict(contract.feeds)), *images)
        refuse_errors(self.findings, file.path)
        self.reopen = partial(type(self), file, contract, fit=fit, fill=fill)
        self._network, self._averaging = _open_network(
            file, self._entry, device=device, threads=threads
        )
        self._backend = backend or self.session.backend
        self._binding: Binding | None = None
        if isinstance(self._backend, DeviceBackend) and self._averaging is None:
            self._binding = Binding(self._network, self._backend)

    def __repr__(self) -> str:
        classes = self.contract.classes or "unknown"
        return (
            f"<model {self.file.path}: {self.contract.modality.inputs}, {classes} classes, "
            f"{self.session.device}>"
        )

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        fit: Fit | None = None,
        fill: bool = False,
        device: str = "auto",
        threads: int = 0,
        **contract: Any,
    ) -> Self:
        """Open the model at `path`.

        Args:
            path: The ONNX file.
            fit: See `onnxcert.model.adapter.choose.make_adapter`.
            fill: See `onnxcert.model.adapter.choose.make_adapter`.
            device: See `onnxcert.model.runtime.session.open_session`.
            threads: See `onnxcert.model.runtime.session.open_session`.
            **contract: Fields of the contract that the file does not give.

        Raises:
            ModelError: The file, its graph or its contract cannot be used.
            DeviceError: The device is not available.
        """
        file = read_model(path)
        return cls.of(file, contract, fit=fit, fill=fill, device=device, threads=threads)

    @classmethod
    def of(cls, file: ModelFile, given: Mapping[str, Any], **options: Any) -> Self:
        """Open a model that has been read; see `open`."""
        return cls(file, detect(file, given), **options)

    @property
    def entry(self) -> Adapter:
        """The adapter of the model's modality."""
        return replace(self._entry, contract=self._network.entry.contract)  # type: ignore[type-var]

    def update_contract(self, contract: Contract) -> None:
        """Use a contract that the same model, opened elsewhere, completed in its first passes."""
        self._network.entry = replace(self._network.entry, contract=contract)  # type: ignore[type-var]

    @property
    def session(self) -> Session:
        """The session that runs the model."""
        return self._network.forward.session

    @property
    def backend(self) -> Backend:
        """Draws the noise and counts the votes; by default on the device of the session."""
        return self._backend

    @property
    def seconds(self) -> float:
        """Wall-clock seconds that the runtime has spent on passes."""
        return self._network.stopwatch.seconds

    @property
    def rows(self) -> int | None:
        return self._network.forward.rows

    @property
    def resized_from(self) -> tuple[int, ...] | None:
        """The first grid of scores that differed from the grid of components, or None."""
        return self._network.resized_from

    @property
    def at_once(self) -> int:
        """Number of threads that may call it concurrently, for inputs of the last size."""
        return self.session.at_once

    @property
    def contract(self) -> Contract:
        """The contract, with the source of each field."""
        return self._network.entry.contract

    @property
    def classes(self) -> int:
        """Number of classes.

        Raises:
            ModelError: The graph does not give it and the model has not run yet.
        """
        if self.contract.classes is None:
            raise ModelError(
                f"{self.file.path} does not give its number of classes before a run; run it once."
            )
        return self.contract.classes

    @property
    def mixes_draws(self) -> bool:
        return any(finding.mixes for finding in self.findings)

    @property
    def scored(self) -> bool:
        return self.contract.output_form != "labels"

    @property
    def classifies(self) -> bool:
        """Whether there is one label for the whole input: labels [B, 1], or [B, L]."""
        return self.contract.classifies

    @property
    def component(self) -> Component:
        """What gets one certificate."""
        whole = f"the whole {self.contract.modality.whole}"
        element = Element(whole) if self.classifies else self.entry.element
        return Component(element, self.contract.output_form == "multilabel", self.entry.averaged)

    @property
    def unit(self) -> str:
        """The unit of the declared input, as text."""
        return self.entry.unit

    def values(self, shape: tuple[int, ...]) -> int:
        return self.entry.values(shape)

    def check_noise(self, x: FloatArray, noisy: FloatArray, perturbation: Perturbation) -> None:
        self.entry.check_noise(x, noisy, perturbation)

    def to_array(self, prepared: Any) -> FloatArray:
        """Return an input as the array that noise is added to.

        Raises:
            InputError: It is not a valid input of this model.
        """
        return self.entry.to_array(prepared)

    def __call__(self, batch: FloatArray) -> IntArray:
        if self._binding is not None:
            return self._binding.labels(batch)
        return (self._averaging or self._network).labels(batch)

    def bind(
        self, x: FloatArray, perturbation: Perturbation, backend: Backend, /
    ) -> tuple[Function, Backend]:
        """See `Segmenter.bind` and `onnxcert.model.network.binding`."""
        if backend is NUMPY:
            return self, backend
        if self._binding is None:
            return lambda batch: self(self.backend.host(batch)), self.backend
        return self._binding.bind(x, perturbation)

    def scores(self, batch: FloatArray) -> FloatArray:
        """Return the scores: float32 [B, C, *grid], of a classifier [B, C].

        For inspection only: votes come from the labels.
        """
        if self.classifies:
            scores = (self._averaging or self._network).scores(batch)
            return scores.reshape(len(batch), -1)
        if self._averaging is not None:
            return self._averaging.scores(batch)
        return self._network.inspect_scores(batch)

    @property
    def on_device(self) -> bool:
        return self.session.device != "cpu" or isinstance(self.backend, DeviceBackend)

    def network_input(self, x: FloatArray) -> FloatArray:
        """Return the network's input for one declared input, channels first: float32 [k, ...].

        With test-time augmentation, return the first view.
        """
        entry = self.entry
        if self._averaging is not None:
            x, entry = self._averaging.first(x)
        session = open_session(preprocessing_model(entry, self.file.proto), device="cpu", threads=1)
        feeds = {INPUT: np.ascontiguousarray(x[None]), **entry.feeds(x.shape)}
        values = np.asarray(session.runtime.run([self.contract.input], feeds)[0][0], np.float32)
        first = self.contract.layout in ("NCHW", "BCN")
        return values if first else np.moveaxis(values, -1, 0)


def _open_network(
    file: ModelFile, entry: Adapter, *, device: str, threads: int
) -> tuple[Network, TestTimeAugmentation | None]:
    """Return the network, and its test-time augmentation if the adapter asks for one."""
    if not isinstance(entry, ImageAdapter) or not entry.fit.averages:
        return Network(file, entry, device=device, threads=threads), None
    one = replace(entry, fit=entry.fit.plain((1, 1)))
    network = Network(file, one, device=device, threads=threads, votes=False)
    return network, TestTimeAugmentation(network, entry, file.path, threads=threads)


def resolve_class_names(
    segmenter: OnnxSegmenter, given: tuple[str, ...], grid: tuple[int, ...]
) -> tuple[str, ...]:
    """Return a name for each class, or for each label of a multi-label model.

    Args:
        segmenter: a model that has run once.
        given: names from the user; if empty, those of the contract, or numbers.
        grid: shape of its labels for one input; [L, ...] for a multi-label model.

    Raises:
        ParameterError: the number of names differs from the number of classes.
    """
    count = grid[0] if segmenter.contract.output_form == "multilabel" else segmenter.classes
    names = given or segmenter.contract.class_names
    if len(names) not in (0, count):
        raise ParameterError(
            f"the model has {count} classes, but {len(names)} class names were given; give one "
            "name for each class."
        )
    return names or tuple(f"class {c}" for c in range(count))
