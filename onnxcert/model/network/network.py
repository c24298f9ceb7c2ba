"""A network under ONNX Runtime, and the properties that only its first passes show."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import onnx

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.adapter.base import Adapter
from onnxcert.model.contract.answer_axes import Shape, channels_and_grid
from onnxcert.model.detect.trial_passes import (
    gives_equal_rows,
    refuse_other_axes,
    refuse_tried_axes,
)
from onnxcert.model.detect.values import GRAPH
from onnxcert.model.graph.file import ModelFile
from onnxcert.model.network.forward import Forward, Stopwatch
from onnxcert.model.network.output_checks import is_transposed, scores_agree
from onnxcert.model.network.surgery import labelling_model
from onnxcert.model.runtime.session import LARGE_INPUT, keeps_memory, open_session, passes_at_once


class Network:
    """A graph from declared inputs to labels or scores, adapted after the first passes.

    The first passes show whether the first axis of the output is the batch, the batch size of the
    graph, the number of classes, and whether scores have another grid than the input. The
    graph is then changed and reopened if needed.

    Attributes:
        file: the model file.
        entry: adapter of the inputs; its contract knows the number of classes after one pass.
        forward: runs batches through the network.
        stopwatch: runs while the model runs.
        other_size: whether scores have another grid than the components.
        resized_from: first grid of scores that differs from the components' grid, if any.
    """

    def __init__(
        self, file: ModelFile, entry: Adapter, *, device: str, threads: int, votes: bool = True
    ) -> None:
        self.file, self.entry = file, entry
        self._votes = votes
        self.stopwatch = Stopwatch()
        self._device = device
        self._threads = threads
        self._values: int | None = None  # network values of one input of the last batch
        # Scores usually have the grid of the input; the first pass checks this.
        self.other_size = False
        self.resized_from: Shape | None = None
        self._adapted = False
        self._orientation_checked = False  # whether the order of height and width is checked
        self._single_rows = False  # whether the graph takes only one row per pass
        self._rows_known = False  # whether the graph's batch size is known
        self._tried: set[tuple[int, ...]] = set()
        self._lock = threading.RLock()
        self._scoring: tuple[Forward, Forward] | None = None  # (of labels, of their scores)
        self.forward = self._open(1 if entry.contract.single else entry.contract.batch)

    def labels(self, batch: FloatArray) -> IntArray:
        """Return labels of declared inputs; see `onnxcert.model.segmenter.OnnxSegmenter`."""
        self._adapt(batch, self.entry)
        return self.forward.labels(batch, self.entry)

    def scores(self, batch: FloatArray, entry: Adapter | None = None) -> FloatArray:
        """Return scores of declared inputs: float32 [B, C, *grid], of a classifier [B, C, 1 ...].

        Only for a network without votes, or for a classifier. `entry` replaces the network's own.
        """
        entry = entry or self.entry
        self._adapt(batch, entry)
        return self.forward.scores(batch, entry)

    def inspect_scores(self, batch: FloatArray) -> FloatArray:
        """Return the scores behind the labels, float32 [B, C, *grid], for inspection only.

        A separate graph gives them, opened at the first call: an extra output of scores would slow
        down the graph of the labels.
        """
        self._adapt(batch, self.entry)
        with self._lock:
            if self._scoring is None or self._scoring[0] is not self.forward:
                self._scoring = self.forward, self._open(self.forward.rows, votes=False)
        return self._scoring[1].scores(batch, self.entry)

    def forward_for(self, x: FloatArray) -> Forward:
        """Return how inputs like `x` run, after the trial passes."""
        self._adapt(x[None], self.entry)
        return self.forward

    def _adapt(self, batch: FloatArray, entry: Adapter) -> None:
        """Run the trial passes for inputs of this size; concurrent calls wait."""
        entry.check(batch.shape[1:], self.file.path)
        with self._lock:
            self._run_trials(batch, entry)

    def _run_trials(self, batch: FloatArray, entry: Adapter) -> None:
        shape = batch.shape[1:]
        self._reopen_for_size(entry.values(shape))
        # Two rows of a large input may need more memory than any pass of the run: they are tried
        # only when a batch has them.
        by_rows = len(batch) > 1 or entry.values(shape) <= LARGE_INPUT or self.forward.rows
        if self._adapted and entry.grid(shape) in self._tried and (self._rows_known or not by_rows):
            return
        answer = self._trial_shape(batch[:1], entry)
        if not self._rows_known and by_rows:
            self._detect_rows(batch[:1], entry, answer)
            self._rows_known = True
        channels, grid = channels_and_grid(answer, self.entry.contract)
        self._count_classes(channels)
        self._enlarge_if_needed(grid, entry.score_grid(shape))
        if (
            not self._adapted
            and self.forward.rows is not None
            and not (self._single_rows or self.entry.contract.single)
        ):
            self._free_batch(batch[:1], entry)
        self._tried.add(entry.grid(shape))
        self._adapted = True
        if not self._orientation_checked:
            self._check_orientation(batch[0], entry, channels)

    def _trial_shape(self, one: FloatArray, entry: Adapter) -> Shape:
        """Return the shape of the network's output for one row, padded to the graph's batch size.

        Raises:
            ModelError: its axes are not those of the contract.
        """
        grid, contract = entry.grid(one.shape[1:]), self.entry.contract
        rows = (self.forward.rows or 1) * contract.passes
        try:
            answer = self.forward.shape(one, entry)
        except ModelError:
            # If the axes differ from the contract, the nodes that resize scores may fail first.
            refuse_tried_axes(self.file, contract, [grid])
            raise
        refuse_other_axes(self.file, contract, answer, rows, grid)
        return answer

    def _detect_rows(self, one: FloatArray, entry: Adapter, answer: Shape) -> None:
        """Run one row per pass unless two rows give two answers along the first axis.

        Raises:
            ModelError: the batch size is fixed, and only by coincidence equals the first axis.
        """
        rows = self.forward.rows
        if self.entry.contract.single or rows == 1:
            return
        if rows is None:
            wanted = (2 * answer[0], *answer[1:])
            if self._shape_of(self.forward, np.concatenate([one, one]), entry) != wanted:
                self.forward, self._single_rows = self._open(1), True
            return
        freed = self._shape_of(self._open(None), one, entry)
        alike = freed == (answer[0] // rows, *answer[1:])
        if not alike and (freed is None or freed[0] != answer[0]):
            grid, contract = entry.grid(one.shape[1:]), self.entry.contract
            alike = gives_equal_rows(self.file.proto, contract, grid, answer[0])
        if not alike:
            raise ModelError(
                f"{self.file.path} gives {list(answer)} for {rows} "
                f"{entry.describe(one.shape[1:])}, but the first axis is not the batch; export it "
                "with a free batch axis."
            )

    def _check_orientation(self, x: FloatArray, entry: Adapter, channels: int) -> None:
        """Raise ModelError if height and width are swapped.

        The shape shows it if the sides differ; otherwise a trial does.
        """
        grid = entry.grid(x.shape)
        self._orientation_checked = True
        doubt = self.entry.contract.single and channels > 1 and channels in grid
        if self.entry.contract.classifies or len(grid) < 2 or not (grid[0] == grid[1] or doubt):
            return
        if is_transposed(lambda batch: self._rough_labels(batch, entry), x, in_doubt=doubt):
            raise ModelError(
                f"{self.file.path} gives width before height, or other axes in a wrong order; "
                "export it with the height first, or choose another with --output."
            )

    def _rough_labels(self, batch: FloatArray, entry: Adapter) -> IntArray:
        """Return labels, or an approximation from scores that shows where labels change."""
        if self._votes:
            return self.forward.labels(batch, entry)
        scores = self.forward.scores(batch, entry)
        many = scores.shape[1] > 1 and self.entry.contract.output_form != "multilabel"
        level = self.entry.contract.decision_threshold
        found: IntArray = scores.argmax(axis=1) if many else (scores > level).astype(np.int64)
        return found

    def _shape_of(self, forward: Forward, batch: FloatArray, entry: Adapter) -> Shape | None:
        """Return the shape of the output for a batch, or None if the graph rejects its size."""
        try:
            return forward.shape(batch, entry)
        except ModelError:
            return None

    def _reopen_for_size(self, values: int) -> None:
        """Reopen the session if inputs of this size need another concurrency."""
        before, self._values = self._values, values
        session = self.forward.session
        wanted = passes_at_once(session.threads, values), keeps_memory(values)
        there = session.passes, session.arena
        if values != before and session.device == "cpu" and there != wanted:
            self.forward = self._open(self.forward.rows)

    def _count_classes(self, channels: int) -> None:
        """Record the number of classes, or check it against the contract."""
        contract = self.entry.contract
        if contract.binary or contract.output_form == "labels":
            if channels != 1 and contract.output_form != "multilabel":
                raise ModelError(
                    f"{self.file.path} gives {channels} channels, but an output of "
                    f"{contract.output_form} has one; pass --output-form logits if these are "
                    "scores of classes."
                )
            return
        if contract.classes is None:
            if channels == 1:
                raise ModelError(
                    f"{self.file.path} gives one channel, but an argmax needs several; pass "
                    "--output-form logit or --output-form sigmoid."
                )
            known = contract.override(f"{GRAPH}, when run", classes=channels)
            self.entry = replace(self.entry, contract=known)  # type: ignore[type-var]
            self.forward = self._open(self.forward.rows)
        elif contract.classes != channels:
            raise ModelError(
                f"{self.file.path} gives scores of {channels} classes, but its contract says "
                f"{contract.classes}; correct the contract."
            )

    def _enlarge_if_needed(self, grid: Shape, wanted: Shape | None) -> None:
        """Resize scores to the components' grid from now on, if they have another grid.

        This may depend on the input size, so every new size is tried.
        """
        if self.entry.contract.classifies or wanted is None or self.other_size:
            return
        if grid != wanted:
            self.other_size, self.resized_from = True, grid
            self.forward = self._open(self.forward.rows)

    def _free_batch(self, one: FloatArray, entry: Adapter) -> None:
        """Free the fixed batch axis if the graph then gives the same answers."""
        rng = np.random.default_rng(0)
        many = 4 if self.forward.rows == 3 else 3  # differs from a size fixed inside the graph
        trial = rng.random((many, *one.shape[1:]), dtype=np.float32)
        channels = entry.contract.network_channels  # later channels must keep their values
        trial[:, channels:] = one[:, channels:]
        try:
            freed = self._open(None)
            same = True
            if self._votes:
                first, second = (way.labels(trial, entry) for way in (freed, self.forward))
                same = np.array_equal(first, second)
            if not self._votes or entry.contract.classifies:  # three labels show too little
                alone = [self.forward.scores(row[None], entry) for row in trial]
                same &= scores_agree(freed.scores(trial, entry), np.concatenate(alone))
        except ModelError:
            return
        if same:
            self.forward = freed

    def _open(self, rows: int | None, *, votes: bool = True) -> Forward:
        model = labelling_model(
            self.file.proto,
            self.entry,
            batch=rows,
            other_size=self.other_size,
            votes=self._votes and votes,
        )
        return self.open_model(model, rows)

    def open_model(self, model: onnx.ModelProto, rows: int | None) -> Forward:
        """Open a graph made of this network, which takes `rows` inputs per pass."""
        try:
            session = open_session(
                model, device=self._device, threads=self._threads, values=self._values
            )
        except ModelError as error:
            refuse_tried_axes(self.file, self.entry.contract, self.entry.contract.trial_grids)
            raise ModelError(f"{self.file.path}: {error}") from None
        return Forward(session, rows, self.file.path, self.stopwatch)
