"""Counts of some draws of one input; the counts of disjoint draws add up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from onnxcert._typing import Array, IntArray
from onnxcert.errors import ParameterError
from onnxcert.sampling.backend import NUMPY, Backend
from onnxcert.sampling.draws import Draws


def smallest_counter(n: int) -> np.dtype[np.unsignedinteger[Any]]:
    """Return the narrowest unsigned type that holds n."""
    return np.dtype(np.min_scalar_type(n))


@dataclass(eq=False)
class Hits:
    """Votes for a fixed candidate over some draws.

    Attributes:
        draws: draws of the input.
        candidate: candidate class of each component [*grid].
        hits: votes for it [*grid].
        counted: ranges of the counted draws.
        joint: number of draws in which every component voted for its candidate.
    """

    draws: Draws
    candidate: Array
    hits: Array
    counted: tuple[range, ...] = ()
    joint: Any = 0

    @classmethod
    def empty(cls, draws: Draws, candidate: Array, n: int, backend: Backend = NUMPY) -> Self:
        """Return empty counts, with counters wide enough for n."""
        return cls(draws, candidate, backend.xp.zeros(candidate.shape, dtype=smallest_counter(n)))

    def add(
        self, labels: Array, indices: range, backend: Backend = NUMPY, classes: int = 2**31
    ) -> Any:
        """Count the labels [b, *grid] of the b draws `indices`.

        Returns:
            The number of invalid labels, which are none of the classes.
        """
        if labels.shape != (len(indices), *self.candidate.shape):
            raise ParameterError(
                f"labels of {len(indices)} draws on the grid {self.candidate.shape} were expected, "
                f"got {labels.shape}."
            )
        self._claim((indices,))
        joint, invalid = backend.match(labels, self.candidate, self.hits, classes)
        self.joint = self.joint + joint
        return invalid

    def on(self, backend: Backend, of: Backend = NUMPY) -> Self:
        """Return the same counts with arrays of `backend` instead of the backend `of`."""
        return replace(
            self,
            candidate=backend.device(of.host(self.candidate)),
            hits=backend.device(of.host(self.hits)),
            joint=int(self.joint),
        )

    def merge(self, other: Hits) -> None:
        """Add another part of the same tally.

        Raises:
            ParameterError: other draws (seed, input, generator, perturbation), another candidate,
                or a draw that is counted already.
        """
        if self.draws != other.draws:
            raise ParameterError(
                f"only counts of the same draws add up, got {self.draws} and {other.draws}."
            )
        same = self.candidate.shape == other.candidate.shape
        if not (same and bool((self.candidate == other.candidate).all())):
            raise ParameterError("only counts of the same candidates add up.")
        self._claim(other.counted)
        wide = smallest_counter(sum(map(len, self.counted)))
        self.hits = self.hits.astype(np.promote_types(wide, self.hits.dtype)) + other.hits
        self.joint = self.joint + other.joint

    def _claim(self, new: tuple[range, ...]) -> None:
        for a in self.counted:
            for b in new:
                if max(a.start, b.start) < min(a.stop, b.stop):
                    raise ParameterError(f"draws {b.start} to {b.stop - 1} are counted already.")
        joined = list(self.counted)
        for b in new:
            if joined and joined[-1].stop == b.start:
                joined[-1] = range(joined[-1].start, b.stop)
            else:
                joined.append(b)
        self.counted = tuple(joined)


@dataclass(frozen=True, eq=False)
class Part:
    """Counts of the draws `indices`, in memory.

    Attributes:
        draws: draws of the input.
        indices: the counted draws.
        invalid: number of invalid labels.
        single: labels of the first of these draws, [*grid].
        votes: votes per class [classes, *grid], for selection draws.
        hits: votes for the candidate, for all other draws.
    """

    draws: Draws
    indices: range
    invalid: int
    single: IntArray
    votes: IntArray | None = None
    hits: Hits | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the components."""
        return self.single.shape
