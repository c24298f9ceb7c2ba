"""An ONNX file as a `Segmenter`: pixels in, labels out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.inputs.grey import grey
from onnxcert.model.answers import close, labels_for
from onnxcert.model.contract import Contract
from onnxcert.model.entry import check_size
from onnxcert.model.fit import Fit
from onnxcert.model.graph import ModelFile, read_model
from onnxcert.model.inference import infer
from onnxcert.model.lint import Finding, lint, refuse_errors
from onnxcert.model.proposal import GRAPH
from onnxcert.model.session import Session, first_line, open_session
from onnxcert.model.surgery import (
    LABELS,
    PIXELS,
    SCORES,
    SHAPE,
    entry_model,
    fit_feeds,
    labelling_model,
)
from onnxcert.result import WHOLE


class OnnxSegmenter:
    """A segmentation model, or a classifier, under ONNX Runtime.

    Call it with float32 pixels [B, c, H, W] in [0, 1] (noise may lie outside), c = 1 for a grey
    model and 3 for a colour model, and get labels, unsigned integers; the largest value of their
    type is "no vote" (a score was not finite). Labels are [B, H, W], or [B, h, w] on the model's
    own grid, or [B, L, H, W] for a multi-label model, whose labels are 0 (no) and 1 (yes). A
    classifier, which has one answer for the picture, gives [B, 1], a multi-label one [B, L].
    Everything between pixels and labels happens inside the graph.

    Attributes:
        file: the model read.
        contract: how to talk to it, with the source of each field.
        fit: how pictures are brought to its size.
        findings: of the graph lint; warnings only, errors are refused.
        seconds: time spent inside the runtime so far.
    """

    def __init__(
        self,
        file: ModelFile,
        contract: Contract,
        *,
        fit: Fit | None = None,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        self.file = file
        self.contract = contract
        self.fit = fit or Fit(pad_to=contract.multiple or 1)
        self.findings: tuple[Finding, ...] = lint(file.proto, dict(contract.feeds))
        refuse_errors(self.findings, file.path)
        self.seconds = 0.0
        self._device = device
        self._threads = threads
        # Scores usually come out at the size that went in; the first call shows whether they do.
        self._upsample = False
        self._rows = contract.batch
        self._settled = False
        self._tried: set[tuple[int, ...]] = set()
        self.session = self._open()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        fit: Fit | None = None,
        device: str = "auto",
        threads: int = 0,
        **contract: Any,
    ) -> Self:
        """Open the model at `path`; `contract` gives fields that its file leaves open.

        Raises:
            ModelError: the file, its graph or its contract cannot be used.
            DeviceError: the device is not there.
        """
        file = read_model(path)
        return cls.of(file, contract, fit=fit, device=device, threads=threads)

    @classmethod
    def of(cls, file: ModelFile, given: Mapping[str, Any], **options: Any) -> Self:
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

    @property
    def mixes_draws(self) -> bool:
        """Whether the lint found that draws of one batch act on each other."""
        return any(finding.mixes for finding in self.findings)

    @property
    def classifies(self) -> bool:
        """Whether the answer is about the whole picture: labels [B, 1], or [B, L]."""
        return self.contract.classifies

    @property
    def components(self) -> str:
        """What one component is, in words."""
        if self.classifies:
            many = self.contract.output_form == "multilabel"
            return f"labels of {WHOLE}" if many else WHOLE
        cells = "pixels" if self.fit.grid == "native" else "cells of the model's own output grid"
        return f"labels x {cells}" if self.contract.output_form == "multilabel" else cells

    @property
    def unit(self) -> str:
        """The unit of the input, of sigma and of the radius, in words."""
        kind = "grey" if self.contract.channels == 1 else "pixel"
        return f"{kind} values in [0, 1] at native resolution"

    def values(self, height: int, width: int) -> int:
        """How many values the network gets for a picture of height x width."""
        high, wide = self.fit.padded(height, width)
        return self.contract.network_channels * high * wide

    def declared(self, picture: FloatArray) -> FloatArray:
        """The picture [3, H, W] as this model's input: itself, or grey [1, H, W] (ITU-R 601)."""
        return grey(picture) if self.contract.channels == 1 else picture

    def __call__(self, batch: FloatArray) -> IntArray:
        if batch.ndim != 4 or batch.shape[1] != self.contract.channels:
            raise ModelError(
                f"the model takes pictures as [batch, {self.contract.channels}, height, width], "
                f"got {list(batch.shape)}."
            )
        check_size(self.contract, self.fit, self.file.path, *batch.shape[2:])
        one = batch[:1]
        if not self._settled:
            self._count_classes(one)
        self._enlarge_if_needed(one)
        if not self._settled and self._rows is not None:
            self._free_batch(one)
        self._settled = True
        return self._labels(batch, self.session, self._rows)

    def scores(self, batch: FloatArray) -> FloatArray:
        """What a classifier scores: float32 [B, C].

        For looking on only: votes come from the labels.
        """
        if not self._settled:
            self(batch[:1])
        rows = self._rows or len(batch)
        parts = [batch[i : i + rows] for i in range(0, len(batch), rows)]
        return np.concatenate([self._scores(part, self.session, self._rows) for part in parts])

    def seen(self, pixels: FloatArray) -> FloatArray:
        """What the network gets for one picture [c, H, W], channels first: float32 [k, h, w]."""
        model = entry_model(self.contract, self.fit)
        session = open_session(model, device="cpu", threads=1)
        feeds = {PIXELS: pixels[None], **fit_feeds(self.fit, *pixels.shape[1:])}
        values = np.asarray(session.runtime.run([self.contract.input], feeds)[0][0], np.float32)
        return values.transpose(2, 0, 1) if self.contract.layout == "NHWC" else values

    # -- what the first calls show -----------------------------------------------------------

    def _count_classes(self, one: FloatArray) -> None:
        """Note how many classes there are, or hold the contract to it."""
        if self.contract.binary or self.contract.output_form == "labels":
            return
        kind = self.contract.label_type
        classes = int(self._infer(self._filled_up(one, self._rows), self.session)[1][1])
        if self.contract.classes is None:
            self.contract = self.contract.override(f"{GRAPH}, when run", classes=classes)
        if self.contract.classes != classes:
            raise ModelError(
                f"{self.file.path} scores {classes} classes, its contract says "
                f"{self.contract.classes}; correct the contract."
            )
        if self.contract.label_type != kind:
            self.session = self._open()

    def _enlarge_if_needed(self, one: FloatArray) -> None:
        """Bring scores to the picture's size from now on if they come out at another.

        Whether they do may depend on the size, so every new one is tried. Where they have the
        size already, bringing them to it changes nothing.
        """
        size = one.shape[2:]
        native = self.fit.grid == "native" and not self.classifies
        if self._upsample or not native or size in self._tried:
            return
        self._tried.add(size)
        shape = self._infer(self._filled_up(one, self._rows), self.session)[1]
        if tuple(shape[2:]) != self.fit.padded(*size):
            self._upsample = True
            self.session = self._open()

    def _free_batch(self, one: FloatArray) -> None:
        """Take the fixed batch axis as free if the graph then gives the same labels."""
        rng = np.random.default_rng(0)
        trial = rng.random((3, *one.shape[1:]), dtype=np.float32)
        try:
            freed = self._open(free=True)
            same = np.array_equal(
                self._labels(trial, freed, None), self._labels(trial, self.session, self._rows)
            )
            if self.classifies:  # three labels tell little; the scores behind them tell more
                alone = [self._scores(row[None], self.session, self._rows) for row in trial]
                same &= close(self._scores(trial, freed, None), np.concatenate(alone))
        except ModelError:
            return
        if same:
            self.session, self._rows = freed, None

    # -- every call ------------------------------------------------------------------------

    def _labels(self, batch: FloatArray, session: Session, rows: int | None) -> IntArray:
        """Labels of `batch`, `rows` at a time; rows filled in are never counted."""
        parts = [batch[i : i + rows] for i in range(0, len(batch), rows)] if rows else [batch]
        labels = []
        for part in parts:
            found = self._infer(self._filled_up(part, rows), session)[0]
            found = found if rows is None else found[: len(part)]
            labels.append(labels_for(found, part, self.contract, self.fit, self.file.path))
        return labels[0] if len(labels) == 1 else np.concatenate(labels)

    def _scores(self, batch: FloatArray, session: Session, rows: int | None) -> FloatArray:
        """Scores [B, C] of a batch of at most `rows`."""
        filled = self._filled_up(batch, rows)
        feeds = {PIXELS: np.ascontiguousarray(filled), **fit_feeds(self.fit, *batch.shape[2:])}
        scores: FloatArray = self._run([SCORES], feeds, session)[0]
        return scores[: len(batch), :, 0, 0]

    def _filled_up(self, batch: FloatArray, rows: int | None) -> FloatArray:
        """`batch` with its last row repeated up to the batch size the graph wants."""
        missing = 0 if rows is None else rows - len(batch)
        return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch

    def _infer(self, batch: FloatArray, session: Session) -> tuple[IntArray, IntArray]:
        """(labels, shape of the scores) of one pass."""
        feeds = {PIXELS: np.ascontiguousarray(batch), **fit_feeds(self.fit, *batch.shape[2:])}
        labels, shape = self._run([LABELS, SHAPE], feeds, session)
        return labels, shape

    def _run(self, outputs: list[str], feeds: dict[str, Any], session: Session) -> list[Any]:
        start = time.perf_counter()
        try:
            values: list[Any] = session.runtime.run(outputs, feeds)
        except Exception as error:
            many, _, height, width = feeds[PIXELS].shape
            raise ModelError(
                f"{self.file.path} fails on {many} pictures of {height}x{width} pixels "
                f"({first_line(error)}); try --pad-to 32, --size or --scale."
            ) from None
        finally:
            self.seconds += time.perf_counter() - start
        return values

    def _open(self, *, free: bool = False) -> Session:
        model = labelling_model(
            self.file.proto,
            self.contract,
            self.fit,
            batch=None if free else self._rows,
            upsample=self._upsample,
        )
        try:
            return open_session(model, device=self._device, threads=self._threads)
        except ModelError as error:
            raise ModelError(f"{self.file.path}: {error}") from None
