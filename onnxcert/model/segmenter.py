"""An ONNX file as a `Segmenter`: pixels in, labels out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError, ParameterError
from onnxcert.model.contract import Contract
from onnxcert.model.graph import ModelFile, read_model
from onnxcert.model.inference import GRAPH, infer
from onnxcert.model.lint import Finding, lint, refuse_errors
from onnxcert.model.session import Session, first_line, open_session
from onnxcert.model.surgery import CLASSES, LABELS, PIXELS, label_type, labelling_model


class OnnxSegmenter:
    """A segmentation model under ONNX Runtime.

    Call it with float32 pixels [B, 3, H, W] in [0, 1] (noise may lie outside) and get labels
    [B, H, W], unsigned integers; the largest value of their type is "no vote" (a score was not
    finite). Resizing by `scale`, normalising, upsampling and argmax happen inside the graph.

    Attributes:
        file: the model read.
        contract: how to talk to it, with the source of each field.
        findings: of the graph lint; warnings only, errors are refused.
        seconds: time spent inside the runtime so far.
    """

    def __init__(
        self,
        file: ModelFile,
        contract: Contract,
        *,
        scale: float = 1.0,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        if not 0.0 < scale <= 16.0:
            raise ParameterError(f"the scale must be above 0 and at most 16, got {scale:g}.")
        self.file = file
        self.contract = contract
        self.scale = scale
        self.findings: tuple[Finding, ...] = lint(file.proto)
        refuse_errors(self.findings, file.path)
        self.seconds = 0.0
        self._device = device
        self._threads = threads
        # Scores usually come out at the size that went in; the first call shows whether they do.
        self._upsample = scale != 1.0
        self.session = self._open()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        scale: float = 1.0,
        device: str = "auto",
        threads: int = 0,
        **contract: Any,
    ) -> Self:
        """Open the model at `path`; `contract` gives fields that its file leaves open.

        Raises:
            ModelError: the file, its graph or its contract cannot be used.
            DeviceError: the device is not there.
        """
        return cls.from_file(
            read_model(path), contract, scale=scale, device=device, threads=threads
        )

    @classmethod
    def from_file(cls, file: ModelFile, given: Mapping[str, Any], **options: Any) -> Self:
        """Like `open`, for a model that has been read."""
        return cls(file, infer(file, given), **options)

    @property
    def classes(self) -> int:
        """Number of classes.

        Raises:
            ModelError: the graph does not say and the model has not run yet.
        """
        if self.contract.classes is None:
            raise ModelError(f"{self.file.path} does not say how many classes it has before a run.")
        return self.contract.classes

    def __call__(self, batch: FloatArray) -> IntArray:
        if batch.ndim != 4 or batch.shape[1] != 3:
            raise ModelError(
                f"the model takes pictures as [batch, 3, height, width], got {batch.shape}."
            )
        self._check_size(batch.shape[2], batch.shape[3])
        rows = self.contract.batch
        if rows is None:
            return self._run(batch)
        parts = [self._run_fixed(batch[i : i + rows], rows) for i in range(0, len(batch), rows)]
        return np.concatenate(parts)

    def _run_fixed(self, batch: FloatArray, rows: int) -> IntArray:
        """Fill up to the batch size the graph wants; the rows filled in are never counted."""
        missing = rows - len(batch)
        if missing:
            batch = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
        return self._run(batch)[: rows - missing]

    def _run(self, batch: FloatArray) -> IntArray:
        labels, classes = self._infer(batch)
        if self._settle_classes(classes) or (
            labels.shape != (len(batch), *batch.shape[2:]) and not self._upsample
        ):
            self._upsample = self._upsample or labels.shape[1:] != batch.shape[2:]
            self.session = self._open()
            labels, _ = self._infer(batch)
        if labels.shape != (len(batch), *batch.shape[2:]):
            raise ModelError(
                f"{self.file.path} must label every pixel of {batch.shape}, got labels of shape "
                f"{labels.shape}."
            )
        return labels

    def _infer(self, batch: FloatArray) -> tuple[IntArray, int]:
        start = time.perf_counter()
        try:
            labels, classes = self.session.runtime.run(
                [LABELS, CLASSES], {PIXELS: np.ascontiguousarray(batch)}
            )
        except Exception as error:
            raise ModelError(
                f"{self.file.path} fails on {len(batch)} pictures of {batch.shape[2]}x"
                f"{batch.shape[3]} pixels ({first_line(error)}); try another size or --scale."
            ) from None
        finally:
            self.seconds += time.perf_counter() - start
        return labels, int(classes[0])

    def _settle_classes(self, classes: int) -> bool:
        """Note the number of classes at the first run; True if labels need a wider type."""
        if self.contract.classes is None:
            before = label_type(None)
            self.contract = self.contract.override(f"{GRAPH}, when run", classes=classes)
            return label_type(classes) != before
        if self.contract.classes != classes:
            raise ModelError(
                f"{self.file.path} scores {classes} classes, its contract says "
                f"{self.contract.classes}; correct the contract."
            )
        return False

    def _check_size(self, height: int, width: int) -> None:
        seen = (int(height * self.scale), int(width * self.scale))
        if min(seen) < 1:
            raise ModelError(
                f"a picture of {height}x{width} pixels at scale {self.scale:g} has no pixel left."
            )
        if self.contract.size is not None and seen != self.contract.size:
            wanted = "x".join(map(str, self.contract.size))
            raise ModelError(
                f"{self.file.path} takes pictures of {wanted} pixels only, got "
                f"{seen[0]}x{seen[1]}; give pictures of that size, or choose --scale so that they "
                "reach it."
            )

    def _open(self) -> Session:
        model = labelling_model(
            self.file.proto, self.contract, scale=self.scale, upsample=self._upsample
        )
        try:
            return open_session(model, device=self._device, threads=self._threads)
        except ModelError as error:
            raise ModelError(f"{self.file.path}: {error}") from None
