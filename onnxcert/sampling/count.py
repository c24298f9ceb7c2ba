"""The count of one input, which can resume after the last counted draw.

Memory does not grow with n: only the counts of a pass are kept. Votes are counted per class during
the n0 selection draws; afterwards one counter per component is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from onnxcert._typing import Array, IntArray
from onnxcert.errors import ModelError, ParameterError
from onnxcert.sampling.backend import NUMPY, Backend
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.hits import Hits, Part, smallest_counter
from onnxcert.sampling.leak_check import LeakCheck
from onnxcert.sampling.tally import UNIT, Element, Ended, Selection, Tally, passes


@dataclass(eq=False)
class Count:
    """A count in progress.

    Attributes:
        draws: draws of the input.
        n: number of tested draws.
        n0: number of selection draws.
        selection: whether selection draws are also tested (`pooled`) or not (`split`).
        classes: number of classes.
        looks: numbers of tested draws at the interim looks, the last being n; or none.
        second: whether to keep the votes of the runner-up class, too (PREDICT).
        done: number of counted draws, always draws 0 .. done - 1.
        nonfinite: number of invalid (non-finite) predictions.
        votes: votes per class [classes, *grid] during the selection, else None.
        hits: votes for the selected candidate, after the selection.
        single: labels of draw 0.
        path: hits at each look taken.
        nonfinite_path: invalid predictions up to each look.
        runner_up: votes for the runner-up class in the first n0 draws, if kept.
        law_error: error of the law of one draw; see `onnxcert.sampling.tally.Tally`.
        check: the draws to run again alone; None if unknown.
        unit: unit of the input, as text.
        kind: what a component is, as text; see `Component`.
        backend: backend of the arrays; `path`, `single` and `runner_up` are always NumPy arrays.
    """

    draws: Draws
    n: int
    n0: int
    selection: Selection
    classes: int
    looks: tuple[int, ...] = ()
    second: bool = False
    done: int = 0
    nonfinite: Any = 0
    votes: Array | None = None
    hits: Hits | None = None
    single: IntArray | None = field(default=None, repr=False)
    path: list[IntArray] = field(default_factory=list, repr=False)
    nonfinite_path: list[int] = field(default_factory=list)
    runner_up: IntArray | None = field(default=None, repr=False)
    law_error: float = 0.0
    check: LeakCheck | None = field(default=None, repr=False)
    unit: str = UNIT
    kind: str = Element.PIXEL.value
    backend: Backend = field(default=NUMPY, repr=False)

    def __post_init__(self) -> None:
        self.total = passes(self.n, self.n0, self.selection)
        extra = self.n0 if self.selection == "split" else 0
        if self.looks and (self.looks[-1] != self.n or self.looks[0] + extra < self.n0):
            raise ParameterError(
                f"looks must lie between n0 {self.n0} and n {self.n} and end at n, got "
                f"{', '.join(map(str, self.looks))}."
            )
        self._look_at = {look + extra: k for k, look in enumerate(self.looks)}
        self._grid = None if self.single is None else self.single.shape

    @property
    def fixed_parameters(self) -> tuple[Any, ...]:
        """Parameters fixed before the first draw; counts with equal values have the same draws."""
        return (
            *(self.draws, self.n, self.n0, self.selection, self.classes),
            *(self.looks, self.second, self.law_error),
        )

    @property
    def next_stop(self) -> int:
        """The next stop, at which a batch must end: end of the selection, look, or last draw."""
        stops = (self.n0, *self._look_at, self.total)
        return next((stop for stop in sorted(stops) if stop > self.done), self.total)

    @property
    def at_look(self) -> bool:
        """Whether the count is exactly at an interim look."""
        return self.done in self._look_at

    def add(self, answer: Any) -> None:
        """Count the labels [b, *grid] of the next b draws, which must not cross a stop."""
        indices = self._check_next(answer.shape[0])
        self._check_grid(answer.shape[1:])
        if self.single is None:
            self.single = np.array(self.backend.host(self.backend.labels(answer[:1])[0]))
        if self.hits is None:
            self.votes = self._zero_votes() if self.votes is None else self.votes
            invalid = self.backend.select(answer, self.votes)
        else:
            invalid = self.hits.add(answer, indices, self.backend, self.classes)
        self._advance(indices, invalid)

    def absorb(self, part: Part) -> None:
        """Add the counts of the next draws, made on any worker.

        Raises:
            ParameterError: they are of other draws, not the next ones, or of other candidates or
                classes.
        """
        if part.draws != self.draws or part.indices.start != self.done or part.indices.step != 1:
            raise ParameterError(
                f"counts of the draws from {self.done} on of {self.draws} were expected, got those "
                f"from {part.indices.start} on of {part.draws}."
            )
        self._check_next(len(part.indices))
        if (part.hits is None) != (self.hits is None):
            raise ParameterError("candidates are selected after the first n0 draws, not before.")
        if part.hits is not None and part.hits.counted != (part.indices,):
            raise ParameterError(
                f"counts of the draws {part.indices} were expected, got {part.hits.counted}."
            )
        if part.votes is not None and len(part.votes) != self.classes:
            raise ParameterError(
                f"votes for {self.classes} classes were expected, got {len(part.votes)} classes."
            )
        self._check_grid(part.grid)
        if self.single is None:
            self.single = part.single
        if self.hits is None:
            self.votes = self._zero_votes() if self.votes is None else self.votes
            assert part.votes is not None
            self.votes += self.backend.device(part.votes)
        else:
            assert part.hits is not None
            self.hits.merge(part.hits.on(self.backend))
        self._advance(part.indices, part.invalid)

    def on(self, backend: Backend) -> Self:
        """Return the same count with arrays of another backend."""
        return replace(
            self,
            backend=backend,
            nonfinite=int(self.nonfinite),
            votes=None if self.votes is None else backend.device(self.backend.host(self.votes)),
            hits=None if self.hits is None else self.hits.on(backend, self.backend),
            path=list(self.path),
            nonfinite_path=list(self.nonfinite_path),
        )

    def _check_next(self, rows: int) -> range:
        indices = range(self.done, self.done + rows)
        if indices.stop > self.next_stop:
            raise ParameterError(
                f"draws {indices.start} to {indices.stop - 1} cross the end of the selection "
                f"({self.n0}), a look or the end of the run ({self.total}); count them in two "
                "batches."
            )
        return indices

    def _check_grid(self, grid: tuple[int, ...]) -> None:
        """Raise ModelError unless labels have the grid of earlier ones; record the first grid."""
        if self._grid is None:
            self._grid = tuple(grid)
        if tuple(grid) != self._grid:
            raise ModelError(
                f"the model must label the same components in every pass, got a grid of "
                f"{tuple(grid)} after {self._grid}."
            )

    def _zero_votes(self) -> Array:
        assert self._grid is not None
        shape = (self.classes, *self._grid)
        return self.backend.xp.zeros(shape, dtype=smallest_counter(self.n0))

    def _advance(self, indices: range, invalid: Any) -> None:
        self.nonfinite = self.nonfinite + invalid
        self.done = indices.stop
        if self.done == self.n0 and self.hits is None:
            self._select_candidate()
        if self.at_look:
            assert self.hits is not None
            self.path.append(np.array(self.backend.host(self.hits.hits)))
            self.nonfinite_path.append(int(self.nonfinite))

    def _select_candidate(self) -> None:
        """Select the candidate: the class with most votes, the first one of a tie."""
        assert self.votes is not None
        xp = self.backend.xp
        candidate = xp.argmax(self.votes, axis=0).astype(smallest_counter(self.classes - 1))
        self.hits = Hits.empty(self.draws, candidate, self.n, self.backend)
        if self.second:
            two = xp.sort(self.votes, axis=0)
            runner_up = two[-2] if self.classes > 1 else xp.zeros_like(two[-1])
            self.runner_up = np.array(self.backend.host(runner_up))
        if self.selection == "pooled":
            # The candidate is the class with most votes, so these are its votes.
            self.hits.hits += xp.max(self.votes, axis=0)
            self.hits.counted = (range(self.n0),)
        self.votes = None

    def tally(self) -> Tally:
        """Return the finished tally.

        Raises:
            ParameterError: draws are missing.
        """
        if self.done != self.total or self.hits is None:
            raise ParameterError(f"{self.total} counted draws were expected, got {self.done}.")
        if self.looks:
            return self.tally_at_last_look("")
        hits = self.backend.host(self.hits.hits)
        return self._tally(hits, self.n, int(self.nonfinite))

    def tally_at_last_look(self, ended: Ended) -> Tally:
        """Return the tally at the last look taken, without later draws.

        Raises:
            ParameterError: no look was taken yet.
        """
        if not self.path:
            raise ParameterError(f"a look was expected, got {self.done} draws before the first.")
        taken = len(self.path)
        path, at = np.stack(self.path), self.looks[:taken]
        tally = self._tally(self.path[-1], at[-1], self.nonfinite_path[-1])
        return replace(tally, looks=at, path=path, ended=ended)

    def _tally(self, hits: IntArray, n: int, nonfinite: int) -> Tally:
        assert self.hits is not None
        assert self.single is not None
        split = self.selection == "split" and not self.looks
        counted = passes(n, self.n0, self.selection)
        return Tally(
            candidate=self.backend.host(self.hits.candidate),
            hits=hits,
            single=self.single,
            n=n,
            n0=self.n0,
            selection=self.selection,
            classes=self.classes,
            nonfinite=nonfinite,
            draws=self.draws,
            unit=self.unit,
            kind=self.kind,
            joint=int(self.hits.joint) if split else None,
            runner_up=self.runner_up,
            law_error=self.law_error,
            leak_check="" if self.check is None else self.check.describe(counted),
        )
