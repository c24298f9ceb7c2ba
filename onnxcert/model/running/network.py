"""A network under ONNX Runtime, and what only its first passes show of it."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import onnx

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.entry import Entry
from onnxcert.model.graph import ModelFile
from onnxcert.model.proposal import GRAPH
from onnxcert.model.running.answers import close
from onnxcert.model.running.bound_graph import Ends, bound_graph
from onnxcert.model.running.forward import Forward
from onnxcert.model.running.session import open_session, passes_at_once
from onnxcert.model.running.stopwatch import Stopwatch
from onnxcert.model.surgery import labelling_model


class Network:
    """A graph from declared inputs to labels, or to the scores behind them, opened again where the
    first passes show it must be.

    They show how many classes there are, whether the scores come out on another grid than went in,
    and whether a fixed batch axis may be taken as free.

    Attributes:
        entry: how inputs reach the network; its contract knows the number of classes after a pass.
        forward: how batches run through it.
        stopwatch: goes while the model runs.
    """

    def __init__(
        self, file: ModelFile, entry: Entry, *, device: str, threads: int, votes: bool = True
    ) -> None:
        self.entry = entry
        self._votes = votes
        self.stopwatch = Stopwatch()
        self._file = file
        self._device = device
        self._threads = threads
        self._values: int | None = None  # that the network gets for one input of the last batch
        # Scores usually come out on the grid that went in; the first call shows whether they do.
        self._other_size = False
        self._settled = False
        self._tried: set[tuple[int, ...]] = set()
        self._settling = threading.RLock()
        self._scoring: tuple[Forward, Forward] | None = None  # of labels, and of their scores
        self.forward = self._open(entry.contract.batch)

    def labels(self, batch: FloatArray) -> IntArray:
        """Labels of declared inputs; see `onnxcert.model.segmenter.OnnxSegmenter`."""
        self._settle(batch, self.entry)
        return self.forward.labels(batch, self.entry)

    def scores(self, batch: FloatArray, entry: Entry | None = None) -> FloatArray:
        """Scores of declared inputs: float32 [B, C, *grid], of a classifier [B, C, 1 ...].

        Without votes, or for a classifier.

        Args:
            batch: of declared inputs.
            entry: how just these reach the network, where others do so in another way.
        """
        entry = entry or self.entry
        self._settle(batch, entry)
        return self.forward.scores(batch, entry)

    def looked_at(self, batch: FloatArray) -> FloatArray:
        """Scores behind the labels of declared inputs: float32 [B, C, *grid]; for looking on only.

        A graph of its own gives them, opened when first asked for, as scores that leave the graph
        of the labels would make that one slower.
        """
        self._settle(batch, self.entry)
        with self._settling:
            if self._scoring is None or self._scoring[0] is not self.forward:
                rows = self.forward.rows
                model = labelling_model(
                    self._file.proto,
                    self.entry,
                    batch=rows,
                    other_size=self._other_size,
                    votes=False,
                )
                self._scoring = self.forward, self._opened(model, rows)
        return self._scoring[1].scores(batch, self.entry)

    def settled(self, x: FloatArray) -> Forward:
        """How inputs like `x` run once the first passes have shown what they show."""
        self._settle(x[None], self.entry)
        return self.forward

    def bound(self) -> tuple[Forward, Ends]:
        """How batches run between noise and votes that are no part of the graph."""
        rows = self.forward.rows
        model, ends = bound_graph(
            self._file.proto, self.entry, batch=rows, other_size=self._other_size
        )
        return self._opened(model, rows), ends

    def _settle(self, batch: FloatArray, entry: Entry) -> None:
        """Find out what a first pass shows of inputs of this size; passes at once wait for it."""
        entry.check(batch.shape[1:], self._file.path)
        with self._settling:
            self._try(batch, entry)

    def _try(self, batch: FloatArray, entry: Entry) -> None:
        self._arrange(entry.values(batch.shape[1:]))
        one = batch[:1]
        if not self._settled:
            self._count_classes(one, entry)
        self._enlarge_if_needed(one, entry)
        if not self._settled and self.forward.rows is not None:
            self._free_batch(one, entry)
        self._settled = True

    def _arrange(self, values: int) -> None:
        """Open the session again if inputs of so many values run in another number at once."""
        before, self._values = self._values, values
        session = self.forward.session
        if (
            values != before
            and session.device == "cpu"
            and session.passes != passes_at_once(session.threads, values)
        ):
            self.forward = self._open(self.forward.rows)

    def _count_classes(self, one: FloatArray, entry: Entry) -> None:
        """Note how many classes there are, or hold the contract to it."""
        contract = self.entry.contract
        if contract.binary or contract.output_form == "labels":
            return
        classes = self.forward.shape(one, entry)[0]
        if contract.classes is None:
            known = contract.override(f"{GRAPH}, when run", classes=classes)
            self.entry = replace(self.entry, contract=known)  # type: ignore[type-var]
            self.forward = self._open(self.forward.rows)
        elif contract.classes != classes:
            raise ModelError(
                f"{self._file.path} scores {classes} classes, its contract says "
                f"{contract.classes}; correct the contract."
            )

    def _enlarge_if_needed(self, one: FloatArray, entry: Entry) -> None:
        """Bring scores to the components' grid from now on if they come out on another.

        Whether they do may depend on the size, so every new one is tried. Where they have the
        size already, bringing them to it changes nothing.
        """
        wanted = None if entry.contract.classifies else entry.scored(one.shape[1:])
        if self._other_size or wanted is None or wanted in self._tried:
            return
        self._tried.add(wanted)
        if self.forward.shape(one, entry)[1:] != wanted:
            self._other_size = True
            self.forward = self._open(self.forward.rows)

    def _free_batch(self, one: FloatArray, entry: Entry) -> None:
        """Take the fixed batch axis as free if the graph then gives the same answers."""
        rng = np.random.default_rng(0)
        many = 4 if self.forward.rows == 3 else 3  # another number than the graph may have baked in
        trial = rng.random((many, *one.shape[1:]), dtype=np.float32)
        told = entry.contract.network_channels  # what comes after them is not for any values
        trial[:, told:] = one[:, told:]
        try:
            freed = self._open(None)
            same = True
            if self._votes:
                first, second = (way.labels(trial, entry) for way in (freed, self.forward))
                same = np.array_equal(first, second)
            if not self._votes or entry.contract.classifies:  # whose three labels tell little
                alone = [self.forward.scores(row[None], entry) for row in trial]
                same &= close(freed.scores(trial, entry), np.concatenate(alone))
        except ModelError:
            return
        if same:
            self.forward = freed

    def _open(self, rows: int | None) -> Forward:
        model = labelling_model(
            self._file.proto,
            self.entry,
            batch=rows,
            other_size=self._other_size,
            votes=self._votes,
        )
        return self._opened(model, rows)

    def _opened(self, model: onnx.ModelProto, rows: int | None) -> Forward:
        try:
            session = open_session(
                model, device=self._device, threads=self._threads, values=self._values
            )
        except ModelError as error:
            raise ModelError(f"{self._file.path}: {error}") from None
        return Forward(session, rows, self._file.path, self.stopwatch)
