"""Perturb, run the model, count votes. Knows nothing of ONNX, pictures or statistics.

Memory does not grow with n: of every pass only the counts survive. Votes per class are counted
over the n0 selection draws alone; after that one counter per component is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Segmenter
from onnxcert.draws import Draws, digest
from onnxcert.errors import ModelError, ParameterError
from onnxcert.labelling import noisy_labels, withheld
from onnxcert.result import PIXELS, UNIT, Ended, Selection, Tally, passes


def _smallest_counter(n: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype(np.min_scalar_type(n))


@dataclass(eq=False)
class Hits:
    """Votes for a fixed candidate over some draws. Disjoint parts add up to the whole."""

    draws: Draws
    candidate: IntArray
    hits: IntArray
    counted: tuple[range, ...] = ()
    joint: int = 0  # draws in which every component voted for its candidate

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
        self.joint += int(matches.reshape(len(indices), -1).all(axis=1).sum())
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
        self.joint += other.joint

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
        looks: numbers of tested draws at which the hits are noted, the last being n; or none.
        second: whether to keep the votes of the class with second most votes, too (PREDICT).
        done: draws counted, always draws 0 .. done - 1.
        votes: votes per class, [classes, *grid], while the candidate is being chosen, else None.
        hits: counted for the candidate, once it is chosen.
        single: labels of draw 0.
        path: hits at each look taken; nonfinite_path: votes withheld by then.
        runner_up: votes for the class with second most of the first n0, if they are kept.
    """

    draws: Draws
    n: int
    n0: int
    selection: Selection
    classes: int
    looks: tuple[int, ...] = ()
    second: bool = False
    done: int = 0
    nonfinite: int = 0
    votes: IntArray | None = None
    hits: Hits | None = None
    single: IntArray | None = field(default=None, repr=False)
    path: list[IntArray] = field(default_factory=list, repr=False)
    nonfinite_path: list[int] = field(default_factory=list)
    runner_up: IntArray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.total = passes(self.n, self.n0, self.selection)
        extra = self.n0 if self.selection == "split" else 0
        if self.looks and (self.looks[-1] != self.n or self.looks[0] + extra < self.n0):
            raise ParameterError(
                f"looks must lie between n0 {self.n0} and n {self.n} and end there, got "
                f"{', '.join(map(str, self.looks))}."
            )
        self._look_at = {look + extra: k for k, look in enumerate(self.looks)}

    @property
    def next_stop(self) -> int:
        """The draw that no batch may run over: the end of the selection, a look, or the last."""
        stops = (self.n0, *self._look_at, self.total)
        return next((stop for stop in sorted(stops) if stop > self.done), self.total)

    @property
    def at_look(self) -> bool:
        """Whether the draws counted are just those of a look."""
        return self.done in self._look_at

    def add(self, labels: IntArray) -> None:
        """Count the labels [b, *grid] of the next b draws, which must not run over a stop."""
        indices = range(self.done, self.done + len(labels))
        if indices.stop > self.next_stop:
            raise ParameterError(
                f"draws {indices.start} to {indices.stop - 1} run over the end of the selection "
                f"({self.n0}), a look or the end of the run ({self.total}); count them in two "
                "batches."
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
        if self.at_look:
            assert self.hits is not None
            self.path.append(self.hits.hits.copy())
            self.nonfinite_path.append(self.nonfinite)

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
        if self.second:
            two = np.sort(self.votes, axis=0)
            self.runner_up = two[-2] if self.classes > 1 else np.zeros_like(two[-1])
        if self.selection == "pooled":
            votes = np.take_along_axis(self.votes, candidate[None].astype(np.intp), axis=0)[0]
            self.hits.hits += votes
            self.hits.counted = (range(self.n0),)
        self.votes = None

    def tally(self, unit: str = UNIT, kind: str = PIXELS) -> Tally:
        """The finished tally.

        Raises:
            ParameterError: draws are missing.
        """
        if self.done != self.total or self.hits is None:
            raise ParameterError(f"{self.done} of {self.total} draws are counted.")
        if self.looks:
            return self.tally_at_last_look("", unit, kind)
        return self._tally(self.hits.hits, self.n, self.nonfinite, unit, kind)

    def tally_at_last_look(self, ended: Ended, unit: str = UNIT, kind: str = PIXELS) -> Tally:
        """The votes at the last look taken, whatever was counted since.

        Raises:
            ParameterError: no look was taken yet.
        """
        if not self.path:
            raise ParameterError(f"{self.done} draws are counted, and no look was taken yet.")
        taken = len(self.path)
        path, at = np.stack(self.path), self.looks[:taken]
        tally = self._tally(self.path[-1], at[-1], self.nonfinite_path[-1], unit, kind)
        return replace(tally, looks=at, path=path, ended=ended)

    def _tally(self, hits: IntArray, n: int, nonfinite: int, unit: str, kind: str) -> Tally:
        assert self.hits is not None
        assert self.single is not None
        split = self.selection == "split" and not self.looks
        return Tally(
            candidate=self.hits.candidate,
            hits=hits,
            single=self.single,
            n=n,
            n0=self.n0,
            selection=self.selection,
            classes=self.classes,
            nonfinite=nonfinite,
            draws=self.draws,
            unit=unit,
            kind=kind,
            joint=self.hits.joint if split else None,
            runner_up=self.runner_up,
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
    on_look: Callable[[Tally], Ended] | None = None,
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
        on_look: called at every look with the votes so far; a reason to stop, or nothing.
    """
    count.draws.perturbation.check(x)
    if digest(x) != count.draws.digest:
        raise ParameterError("the count was begun for another input; count each input apart.")
    while count.done < count.total:
        indices = range(count.done, count.next_stop)
        for labels in noisy_labels(segment, x, count.draws, indices, batch_size):
            count.add(labels)
            if on_batch is not None:
                on_batch(count)
        if on_look is not None and count.at_look:
            ended = on_look(count.tally_at_last_look("", unit, kind))
            if ended:
                return count.tally_at_last_look(ended, unit, kind)
    return count.tally(unit, kind)
