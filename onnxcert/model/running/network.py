"""A network under ONNX Runtime, and what only its first passes show of it."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import onnx

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.answer_axes import Shape, channels_and_grid
from onnxcert.model.entry import Entry
from onnxcert.model.graph import ModelFile
from onnxcert.model.proposal import GRAPH
from onnxcert.model.running.answers import close
from onnxcert.model.running.bound_graph import Ends, bound_graph
from onnxcert.model.running.forward import Forward
from onnxcert.model.running.orientation import turned
from onnxcert.model.running.session import LARGE_INPUT, keeps_memory, open_session, passes_at_once
from onnxcert.model.running.stopwatch import Stopwatch
from onnxcert.model.running.trial_passes import answers_alike, refuse_other_axes, refuse_tried_axes
from onnxcert.model.surgery import labelling_model


class Network:
    """A graph from declared inputs to labels, or to the scores behind them, opened again where the
    first passes show it must be.

    They show whether the first axis of the answer is the rows that went in, how many rows the graph
    takes, how many classes there are, and whether the scores come out on another grid than went in.

    Attributes:
        entry: how inputs reach the network; its contract knows the number of classes after a pass.
        forward: how batches run through it.
        stopwatch: goes while the model runs.
        resized_from: the first other grid than the components' on which scores came out, if any.
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
        self.resized_from: Shape | None = None
        self._settled = False
        self._upright = False  # whether height and width are known to be in their places
        self._single_rows = False  # whether one row a pass is all that the graph takes
        self._many = False  # whether it is known how many rows the graph takes
        self._tried: set[tuple[int, ...]] = set()
        self._settling = threading.RLock()
        self._scoring: tuple[Forward, Forward] | None = None  # of labels, and of their scores
        self.forward = self._open(1 if entry.contract.single else entry.contract.batch)

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
                self._scoring = self.forward, self._open(self.forward.rows, votes=False)
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
        shape = batch.shape[1:]
        self._arrange(entry.values(shape))
        # Two rows of a large input may need more memory than any pass of the run: they are tried
        # only when a batch has them.
        by_rows = len(batch) > 1 or entry.values(shape) <= LARGE_INPUT or self.forward.rows
        if self._settled and entry.grid(shape) in self._tried and (self._many or not by_rows):
            return
        answer = self._answered(batch[:1], entry)
        if not self._many and by_rows:
            self._settle_rows(batch[:1], entry, answer)
            self._many = True
        channels, grid = channels_and_grid(answer, self.entry.contract)
        self._count_classes(channels)
        self._enlarge_if_needed(grid, entry.scored(shape))
        if (
            not self._settled
            and self.forward.rows is not None
            and not (self._single_rows or self.entry.contract.single)
        ):
            self._free_batch(batch[:1], entry)
        self._tried.add(entry.grid(shape))
        self._settled = True
        if not self._upright:
            self._refuse_turned(batch[0], entry, channels)

    def _answered(self, one: FloatArray, entry: Entry) -> Shape:
        """Shape of the network's answer to one row, filled up to the rows that its graph takes.

        Raises:
            ModelError: its axes are not those of the contract.
        """
        grid, said = entry.grid(one.shape[1:]), self.entry.contract
        rows = (self.forward.rows or 1) * getattr(said, "passes", 1)
        try:
            answer = self.forward.shape(one, entry)
        except ModelError:
            # Behind axes that are others than said, what brings scores back may fail before them.
            refuse_tried_axes(self._file, said, [grid])
            raise
        refuse_other_axes(self._file, said, answer, rows, grid)
        return answer

    def _settle_rows(self, one: FloatArray, entry: Entry, answer: Shape) -> None:
        """Run one row a pass where two do not get two answers along the first axis.

        Raises:
            ModelError: the batch is fixed, and the first axis is as long as it by accident.
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
            grid, said = entry.grid(one.shape[1:]), self.entry.contract
            alike = answers_alike(self._file.proto, said, grid, answer[0])
        if not alike:
            raise ModelError(
                f"{self._file.path} answers {rows} {entry.described(one.shape[1:])} with "
                f"{list(answer)}, whose first axis is not these {rows}; export it with a free "
                "batch axis."
            )

    def _refuse_turned(self, x: FloatArray, entry: Entry, channels: int) -> None:
        """Raise ModelError where height and width have changed places, which only sides of other
        lengths, or a trial, can show."""
        grid = entry.grid(x.shape)
        self._upright = True
        doubt = self.entry.contract.single and channels > 1 and channels in grid
        if self.entry.contract.classifies or len(grid) < 2 or not (grid[0] == grid[1] or doubt):
            return
        if turned(lambda batch: self._rough_labels(batch, entry), x, in_doubt=doubt):
            raise ModelError(
                f"{self._file.path} answers with width before height, or with other axes out of "
                "their order; export it with the height first, or choose another with --output."
            )

    def _rough_labels(self, batch: FloatArray, entry: Entry) -> IntArray:
        """Labels, or what is as good to see where they change."""
        if self._votes:
            return self.forward.labels(batch, entry)
        scores = self.forward.scores(batch, entry)
        many = scores.shape[1] > 1 and self.entry.contract.output_form != "multilabel"
        level = self.entry.contract.decision_threshold
        found: IntArray = scores.argmax(axis=1) if many else (scores > level).astype(np.int64)
        return found

    def _shape_of(self, forward: Forward, batch: FloatArray, entry: Entry) -> Shape | None:
        """Shape of the answer to a batch, or None where the graph does not take so many rows."""
        try:
            return forward.shape(batch, entry)
        except ModelError:
            return None

    def _arrange(self, values: int) -> None:
        """Open the session again if inputs of so many values run in another number at once."""
        before, self._values = self._values, values
        session = self.forward.session
        wanted = passes_at_once(session.threads, values), keeps_memory(values)
        there = session.passes, session.arena
        if values != before and session.device == "cpu" and there != wanted:
            self.forward = self._open(self.forward.rows)

    def _count_classes(self, channels: int) -> None:
        """Note how many classes there are, or hold the contract to it."""
        contract = self.entry.contract
        if contract.binary or contract.output_form == "labels":
            if channels != 1 and contract.output_form != "multilabel":
                raise ModelError(
                    f"{self._file.path} gives {channels} channels where an output of "
                    f"{contract.output_form} has one; pass --output-form logits if these are "
                    "scores of classes."
                )
            return
        if contract.classes is None:
            if channels == 1:
                raise ModelError(
                    f"{self._file.path} gives one channel, of which no largest can be chosen; pass "
                    "--output-form logit or --output-form sigmoid."
                )
            known = contract.override(f"{GRAPH}, when run", classes=channels)
            self.entry = replace(self.entry, contract=known)  # type: ignore[type-var]
            self.forward = self._open(self.forward.rows)
        elif contract.classes != channels:
            raise ModelError(
                f"{self._file.path} scores {channels} classes, its contract says "
                f"{contract.classes}; correct the contract."
            )

    def _enlarge_if_needed(self, grid: Shape, wanted: Shape | None) -> None:
        """Bring scores to the components' grid from now on if they come out on another.

        Whether they do may depend on the size, so every new one is tried. Where they have the
        size already, bringing them to it changes nothing.
        """
        if self.entry.contract.classifies or wanted is None or self._other_size:
            return
        if grid != wanted:
            self._other_size, self.resized_from = True, grid
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

    def _open(self, rows: int | None, *, votes: bool = True) -> Forward:
        model = labelling_model(
            self._file.proto,
            self.entry,
            batch=rows,
            other_size=self._other_size,
            votes=self._votes and votes,
        )
        return self._opened(model, rows)

    def _opened(self, model: onnx.ModelProto, rows: int | None) -> Forward:
        try:
            session = open_session(
                model, device=self._device, threads=self._threads, values=self._values
            )
        except ModelError as error:
            refuse_tried_axes(self._file, self.entry.contract, self.entry.contract.trial_grids)
            raise ModelError(f"{self._file.path}: {error}") from None
        return Forward(session, rows, self._file.path, self.stopwatch)
