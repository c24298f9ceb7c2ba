"""Perturb, run the model, count votes. Knows nothing of ONNX, pictures or statistics.

Memory does not grow with n: of every pass only the counts survive. Votes per class are counted
over the n0 selection draws alone; after that one counter per component is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Segmenter
from onnxcert.draws import Draws, digest
from onnxcert.errors import ModelError, ParameterError
from onnxcert.result import PIXELS, UNIT, Selection, Tally, passes


def noisy_labels(
    segment: Segmenter, x: FloatArray, draws: Draws, indices: range, batch_size: int
) -> Iterator[IntArray]:
    """Labels of the draws `indices` in order, at most `batch_size` at a time; [b, *grid] each.

    The noise of the next batch is drawn while the model runs: two buffers, whatever n is.
    """
    if batch_size < 1:
        raise ParameterError(f"the batch size must be at least 1, got {batch_size}.")
    x = np.ascontiguousarray(x, dtype=np.float32)
    shape = (min(batch_size, max(1, len(indices))), *x.shape)
    buffers = [np.empty(shape, dtype=np.float32) for _ in range(2)]

    def draw(start: int) -> tuple[FloatArray, range]:
        part = range(start, min(start + batch_size, indices.stop))
        noisy = buffers[(start - indices.start) // batch_size % 2][: len(part)]
        if part:
            draws.write(x, part, noisy)
        return noisy, part

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="onnxcert-noise") as worker:
        drawn = worker.submit(draw, indices.start)
        while True:
            noisy, part = drawn.result()
            if not part:
                return
            drawn = worker.submit(draw, part.stop)
            yield checked(segment(noisy), len(part))


def checked(labels: IntArray, rows: int) -> IntArray:
    """`labels` if they are what a `Segmenter` promises.

    Raises:
        ModelError: not integers, not one row per input, or no components.
    """
    labels = np.array(labels)  # a copy, as a model may fill one buffer again and again
    if not np.issubdtype(labels.dtype, np.integer):
        raise ModelError(f"the model must return integer labels, got {labels.dtype}.")
    if labels.ndim < 1 or labels.shape[0] != rows or labels.size == 0:
        raise ModelError(
            f"the model must return labels for each of the {rows} inputs, got an array of shape "
            f"{labels.shape}."
        )
    return labels


def withheld(labels: IntArray, classes: int) -> int:
    """How many of `labels` are no vote: outside 0 .. classes - 1."""
    count = int(np.count_nonzero(labels >= classes))
    if np.issubdtype(labels.dtype, np.signedinteger):
        count += int(np.count_nonzero(labels < 0))
    return count


def _smallest_counter(n: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype(np.min_scalar_type(n))


@dataclass(eq=False)
class Hits:
    """Votes for a fixed candidate over some draws. Disjoint parts add up to the whole."""

    draws: Draws
    candidate: IntArray
    hits: IntArray
    counted: tuple[range, ...] = ()

    @classmethod
    def none(cls, draws: Draws, candidate: IntArray, n: int) -> Self:
        """No draw counted yet, with counters wide enough for n."""
        return cls(draws, candidate, np.zeros(candidate.shape, dtype=_smallest_counter(n)))

    def add(self, labels: IntArray, indices: range) -> None:
        """Count the labels [b, *grid] of the b draws `indices`."""
        if labels.shape != (len(indices), *self.candidate.shape):
            raise ParameterError(
                f"labels of {len(indices)} draws on the grid {self.candidate.shape} were expected, "
                f"got {labels.shape}."
            )
        self._claim((indices,))
        matches = np.equal(labels, self.candidate)
        if len(indices) < 256:
            self.hits += np.add.reduce(matches.view(np.uint8), axis=0, dtype=np.uint8)
        else:
            self.hits += np.add.reduce(matches, axis=0, dtype=self.hits.dtype)

    def merge(self, other: Hits) -> None:
        """Add another part of the same tally.

        Raises:
            ParameterError: other draws (seed, input, generator, perturbation), another candidate,
                or a draw that was counted already.
        """
        if self.draws != other.draws:
            raise ParameterError(
                f"only counts of the same draws add up, got {self.draws} and {other.draws}."
            )
        if not np.array_equal(self.candidate, other.candidate):
            raise ParameterError("only counts of the same candidates add up.")
        self._claim(other.counted)
        wide = _smallest_counter(sum(map(len, self.counted)))
        self.hits = self.hits.astype(np.promote_types(wide, self.hits.dtype)) + other.hits

    def _claim(self, new: tuple[range, ...]) -> None:
        for a in self.counted:
            for b in new:
                if max(a.start, b.start) < min(a.stop, b.stop):
                    raise ParameterError(f"draws {b.start} to {b.stop - 1} were counted already.")
        joined = list(self.counted)
        for b in new:
            if joined and joined[-1].stop == b.start:
                joined[-1] = range(joined[-1].start, b.stop)
            else:
                joined.append(b)
        self.counted = tuple(joined)


@dataclass(eq=False)
class Count:
    """A count under way: all that is needed to go on from the last counted draw.

    Attributes:
        done: draws counted, always draws 0 .. done - 1.
        votes: votes per class, [classes, *grid], while the candidate is being chosen, else None.
        hits: counted for the candidate, once it is chosen.
        single: labels of draw 0.
    """

    draws: Draws
    n: int
    n0: int
    selection: Selection
    classes: int
    done: int = 0
    nonfinite: int = 0
    votes: IntArray | None = None
    hits: Hits | None = None
    single: IntArray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.total = passes(self.n, self.n0, self.selection)

    def add(self, labels: IntArray) -> None:
        """Count the labels [b, *grid] of the next b draws, all before or all after draw n0."""
        indices = range(self.done, self.done + len(labels))
        if self.done < self.n0 < indices.stop or indices.stop > self.total:
            raise ParameterError(
                f"draws {indices.start} to {indices.stop - 1} run over the end of the selection "
                f"({self.n0}) or of the run ({self.total}); count them in two batches."
            )
        if self.single is None:
            self.single = labels[0].copy()
        elif labels.shape[1:] != self.single.shape:
            raise ModelError(
                f"the model must label the same components in every pass, got a grid of "
                f"{labels.shape[1:]} after {self.single.shape}."
            )
        self.nonfinite += withheld(labels, self.classes)
        if self.hits is None:
            self._select(labels)
        else:
            self.hits.add(labels, indices)
        self.done = indices.stop
        if self.done == self.n0 and self.hits is None:
            self._choose()

    def _select(self, labels: IntArray) -> None:
        if self.votes is None:
            shape = (self.classes, *labels.shape[1:])
            self.votes = np.zeros(shape, dtype=_smallest_counter(self.n0))
        for c in range(self.classes):
            self.votes[c] += np.add.reduce(labels == c, axis=0, dtype=self.votes.dtype)

    def _choose(self) -> None:
        """Fix the candidate: the class with most votes, the first of several."""
        assert self.votes is not None
        candidate = np.argmax(self.votes, axis=0).astype(_smallest_counter(self.classes - 1))
        self.hits = Hits.none(self.draws, candidate, self.n)
        if self.selection == "pooled":
            votes = np.take_along_axis(self.votes, candidate[None].astype(np.intp), axis=0)[0]
            self.hits.hits += votes
            self.hits.counted = (range(self.n0),)
        self.votes = None

    def tally(self, unit: str = UNIT, kind: str = PIXELS) -> Tally:
        """The finished tally."""
        if self.done != self.total or self.hits is None or self.single is None:
            raise ParameterError(f"{self.done} of {self.total} draws are counted.")
        return Tally(
            candidate=self.hits.candidate,
            hits=self.hits.hits,
            single=self.single,
            n=self.n,
            n0=self.n0,
            selection=self.selection,
            classes=self.classes,
            nonfinite=self.nonfinite,
            draws=self.draws,
            unit=unit,
            kind=kind,
        )


def sample(
    segment: Segmenter,
    x: FloatArray,
    count: Count,
    *,
    batch_size: int = 1,
    unit: str = UNIT,
    kind: str = PIXELS,
    on_batch: Callable[[Count], None] | None = None,
) -> Tally:
    """Run the draws that `count` still lacks and return the tally.

    Args:
        segment: the model.
        x: one input, float32, without a batch axis.
        count: a fresh count, or one to go on with.
        batch_size: draws per call of the model; the tally does not depend on it.
        unit: the unit of `x`, in words.
        kind: what a component is, in words.
        on_batch: called after every batch, to show progress or to keep a checkpoint.
    """
    count.draws.perturbation.check(x)
    if digest(x) != count.draws.digest:
        raise ParameterError("the count was begun for another input; count each input apart.")
    while count.done < count.total:
        stop = count.n0 if count.done < count.n0 else count.total
        for labels in noisy_labels(segment, x, count.draws, range(count.done, stop), batch_size):
            count.add(labels)
            if on_batch is not None:
                on_batch(count)
    return count.tally(unit, kind)
