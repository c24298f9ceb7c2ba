"""An ONNX file as a `Segmenter`: declared inputs in, labels out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.backend import NUMPY, Backend
from onnxcert.errors import ModelError
from onnxcert.model.answers import close, labels_for
from onnxcert.model.contract import Contract
from onnxcert.model.entries import entry_of
from onnxcert.model.entry import INPUT, Entry
from onnxcert.model.graph import ModelFile, read_model
from onnxcert.model.inference import infer
from onnxcert.model.lint import Finding, lint, refuse_errors
from onnxcert.model.pass_clock import PassClock
from onnxcert.model.pictures.fit import Fit
from onnxcert.model.proposal import GRAPH
from onnxcert.model.session import Session, first_line, open_session, passes_at_once
from onnxcert.model.surgery import LABELS, SCORES, SHAPE, entry_model, labelling_model


class OnnxSegmenter:
    """A segmentation model, or a classifier, under ONNX Runtime.

    Call it with a float32 batch of declared inputs and get labels, unsigned integers; the largest
    value of their type is "no vote" (a score was not finite).

    Pictures are pixels [B, c, H, W] in [0, 1] (noise may lie outside), c = 1 for a grey model and 3
    for a colour model; labels are [B, H, W], or [B, h, w] on the model's own grid. Point clouds are
    [B, c, N], see `onnxcert.model.points.entry.PointEntry`; labels are [B, N]. A multi-label model,
    whose labels are 0 (no) and 1 (yes), gives [B, L, *grid]. A classifier, which has one answer for
    the whole input, gives [B, 1], a multi-label one [B, L]. Everything between the declared input
    and the labels happens inside the graph.

    Attributes:
        file: the model read.
        entry: how inputs reach it.
        findings: of the graph lint; warnings only, errors are refused.
        backend: where noise for it is drawn, and its answers are counted.
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
    ) -> None:
        self.file = file
        self.entry: Entry = entry_of(contract, fit=fit, fill=fill)
        self.findings: tuple[Finding, ...] = lint(file.proto, dict(contract.feeds))
        refuse_errors(self.findings, file.path)
        self.backend: Backend = NUMPY
        self._device = device
        self._threads = threads
        self._values: int | None = None
        self._clock = PassClock()
        # Scores usually come out on the grid that went in; the first call shows whether they do.
        self._other_size = False
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
        fill: bool = False,
        device: str = "auto",
        threads: int = 0,
        **contract: Any,
    ) -> Self:
        """Open the model at `path`; `contract` gives fields that its file leaves open.

        Args:
            path: the ONNX file.
            fit, fill: see `onnxcert.model.entries.entry_of`.
            device, threads: see `onnxcert.model.session.open_session`.

        Raises:
            ModelError: the file, its graph or its contract cannot be used.
            DeviceError: the device is not there.
        """
        file = read_model(path)
        return cls.of(file, contract, fit=fit, fill=fill, device=device, threads=threads)

    @classmethod
    def of(cls, file: ModelFile, given: Mapping[str, Any], **options: Any) -> Self:
        """Like `open`, for a model that has been read."""
        return cls(file, infer(file, given), **options)

    @property
    def contract(self) -> Contract:
        """How to talk to the model, with the source of each field."""
        return self.entry.contract

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
    def at_once(self) -> int:
        """How many threads may call it at once, on inputs of the size it was called with last."""
        return self.session.passes

    @property
    def seconds(self) -> float:
        """Time so far in which the runtime had a pass to run."""
        return self._clock.seconds

    @property
    def mixes_draws(self) -> bool:
        """Whether the lint found that draws of one batch act on each other."""
        return any(finding.mixes for finding in self.findings)

    @property
    def classifies(self) -> bool:
        """Whether the answer is about the whole input: labels [B, 1], or [B, L]."""
        return self.contract.classifies

    @property
    def components(self) -> str:
        """What one component is, in words."""
        many = self.contract.output_form == "multilabel"
        if self.classifies:
            whole = f"the whole {self.entry.whole}"
            return f"labels of {whole}" if many else whole
        return f"labels x {self.entry.parts}" if many else self.entry.parts

    @property
    def unit(self) -> str:
        """The unit of the declared input, in words."""
        return self.entry.unit

    def values(self, shape: tuple[int, ...]) -> int:
        """How many values the network gets for one declared input of this shape."""
        return self.entry.values(shape)

    def declared(self, prepared: Any) -> FloatArray:
        """An input as the array that is perturbed.

        Raises:
            InputError: it is no input of this model.
        """
        return self.entry.declared(prepared)

    def __call__(self, batch: FloatArray) -> IntArray:
        self.entry.check(batch.shape[1:], self.file.path)
        one = batch[:1]
        self._arrange(self.values(batch.shape[1:]))
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

    def seen(self, x: FloatArray) -> FloatArray:
        """What the network gets for one declared input, channels first: float32 [k, ...]."""
        model = entry_model(self.entry, self.file.proto)
        session = open_session(model, device="cpu", threads=1)
        feeds = {INPUT: x[None], **self.entry.feeds(x.shape)}
        values = np.asarray(session.runtime.run([self.contract.input], feeds)[0][0], np.float32)
        first = self.contract.layout in ("NCHW", "BCN")
        return values if first else np.moveaxis(values, -1, 0)

    # -- what the first calls show -----------------------------------------------------------

    def _arrange(self, values: int) -> None:
        """Open the session anew if inputs of this size are run in another number at once."""
        before, self._values = self._values, values
        if before != values and self.session.device == "cpu":
            if passes_at_once(self.session.threads, values) != self.session.passes:
                self.session = self._open()

    def _count_classes(self, one: FloatArray) -> None:
        """Note how many classes there are, or hold the contract to it."""
        if self.contract.binary or self.contract.output_form == "labels":
            return
        classes = int(self._infer(self._filled_up(one, self._rows), self.session)[1][1])
        if self.contract.classes is None:
            known = self.contract.override(f"{GRAPH}, when run", classes=classes)
            self.entry = replace(self.entry, contract=known)  # type: ignore[type-var]
            self.session = self._open()
        if self.contract.classes != classes:
            raise ModelError(
                f"{self.file.path} scores {classes} classes, its contract says "
                f"{self.contract.classes}; correct the contract."
            )

    def _enlarge_if_needed(self, one: FloatArray) -> None:
        """Bring scores to the components' grid from now on if they come out on another.

        Whether they do may depend on the size, so every new one is tried. Where they have the
        size already, bringing them to it changes nothing.
        """
        shape = one.shape[1:]
        wanted = None if self.classifies else self.entry.scored(shape)
        if self._other_size or wanted is None or shape in self._tried:
            return
        self._tried.add(shape)
        found = self._infer(self._filled_up(one, self._rows), self.session)[1]
        if tuple(found[2:]) != wanted:
            self._other_size = True
            self.session = self._open()

    def _free_batch(self, one: FloatArray) -> None:
        """Take the fixed batch axis as free if the graph then gives the same labels."""
        rng = np.random.default_rng(0)
        trial = rng.random((3, *one.shape[1:]), dtype=np.float32)
        told = self.contract.network_channels  # what comes after them is not for any values
        trial[:, told:] = one[:, told:]
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
            labels.append(labels_for(found, part, self.entry, self.file.path))
        return labels[0] if len(labels) == 1 else np.concatenate(labels)

    def _scores(self, batch: FloatArray, session: Session, rows: int | None) -> FloatArray:
        """Scores [B, C] of a batch of at most `rows`."""
        filled = self._filled_up(batch, rows)
        scores: FloatArray = self._run([SCORES], filled, session)[0]
        return scores.reshape(len(filled), -1)[: len(batch)]

    def _filled_up(self, batch: FloatArray, rows: int | None) -> FloatArray:
        """`batch` with its last row repeated up to the batch size the graph wants."""
        missing = 0 if rows is None else rows - len(batch)
        return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch

    def _infer(self, batch: FloatArray, session: Session) -> tuple[IntArray, IntArray]:
        """(labels, shape of the scores) of one pass."""
        labels, shape = self._run([LABELS, SHAPE], batch, session)
        return labels, shape

    def _run(self, outputs: list[str], batch: FloatArray, session: Session) -> list[Any]:
        shape = batch.shape[1:]
        feeds = {INPUT: np.ascontiguousarray(batch), **self.entry.feeds(shape)}
        try:
            with self._clock:
                values: list[Any] = session.runtime.run(outputs, feeds)
        except Exception as error:
            raise ModelError(
                f"{self.file.path} fails on {len(batch)} {self.entry.described(shape)} "
                f"({first_line(error)}); {self.entry.remedy}."
            ) from None
        return values

    def _open(self, *, free: bool = False) -> Session:
        model = labelling_model(
            self.file.proto,
            self.entry,
            batch=None if free else self._rows,
            other_size=self._other_size,
        )
        try:
            return open_session(
                model, device=self._device, threads=self._threads, values=self._values
            )
        except ModelError as error:
            raise ModelError(f"{self.file.path}: {error}") from None
