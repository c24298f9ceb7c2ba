"""The tally: the stored votes of one input, and what they are of."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, Final, Literal, Self, final, get_args

import numpy as np

from onnxcert._typing import IntArray, LevelArray, Perturbation
from onnxcert.errors import ParameterError
from onnxcert.sampling.draws import Draws

LARGEST_N: Final = 10_000_000
UNIT: Final = "pixel values in [0, 1] at native resolution"

Selection = Literal["pooled", "split"]
Ended = Literal["", "until", "futility", "time", "interrupted"]
_ENDINGS: Final = get_args(Ended)


class Element(Enum):
    """What is labelled; the value is its name in stored tallies."""

    PIXEL = "pixels"
    POINT = "points"
    CELL = "cells of the model's own output grid"
    IMAGE = "the whole picture"
    SHAPE = "the whole shape"
    OTHER = ""

    @property
    def is_whole(self) -> bool:
        """Whether it is the input itself, as for a classifier."""
        return self in (Element.IMAGE, Element.SHAPE)


@final
@dataclass(frozen=True)
class Component:
    """What gets one certificate; as text it is the `kind` of a tally.

    Attributes:
        element: what is labelled.
        multilabel: whether each label of an element has its own certificate.
        detail: further words, such as what scores are averaged over.
    """

    element: Element
    multilabel: bool = False
    detail: str = ""

    @classmethod
    def parse(cls, kind: str) -> Self:
        """Return the component that a stored tally names."""
        name, _, detail = kind.partition(", ")
        part = name.removeprefix("labels of ").removeprefix("labels x ")
        try:
            return cls(Element(part), part != name, detail)
        except ValueError:  # of a callable or a simulation
            return cls(Element.OTHER, detail=kind)

    def __str__(self) -> str:
        joint = ("labels of " if self.element.is_whole else "labels x ") if self.multilabel else ""
        return ", ".join(filter(None, (joint + self.element.value, self.detail)))

    @property
    def is_input_element(self) -> bool:
        """Whether it is a pixel or point of the input, so that their number is known."""
        return self.element in (Element.PIXEL, Element.POINT) and not self.multilabel


def passes(n: int, n0: int, selection: Selection) -> int:
    """Return the noisy passes of a run that tests n draws: n pooled, n0 + n split.

    Raises:
        ParameterError: n or n0 is below 1, n0 is above n in pooled selection, or the selection is
            unknown.
    """
    if selection not in get_args(Selection):
        raise ParameterError(f"selection must be pooled or split, got {selection!r}.")
    if max(n, n0) > LARGEST_N:
        raise ParameterError(f"n and n0 may be {LARGEST_N} at most, got n {n} and n0 {n0}.")
    if n < 1 or n0 < 1:
        raise ParameterError(f"n and n0 must be at least 1, got n {n} and n0 {n0}.")
    if selection == "split":
        return n0 + n
    if n0 > n:
        raise ParameterError(
            f"pooled selection chooses the candidate from the first n0 of n draws, so n0 must be "
            f"at most n, got n0 {n0} and n {n}; lower n0 or use split selection."
        )
    return n


@dataclass(frozen=True, eq=False)
class Tally:
    """The votes of one input: all data that a certificate is decided from.

    Attributes:
        candidate: tested class of each component; integers [*grid].
        hits: votes for the candidate among the n tested draws; integers [*grid].
        single: labels of draw 0 alone ("one noisy pass"); integers [*grid]. A value outside
            0 .. classes - 1 is an invalid (non-finite) prediction.
        n: draws tested.
        n0: draws the candidate was chosen from.
        selection: `pooled` (the n0 are the first of the n) or `split` (they are extra).
        classes: number of classes.
        nonfinite: invalid votes (the model's output was not finite), over all passes.
        draws: seed, input digest, generator and perturbation, to reproduce the votes.
        unit: the unit of the input, of sigma and of the radius, as text.
        kind: what a component is, as text; see `Component`.
        looks: tested draws at each look taken, the last one is n; empty without looks.
        path: hits at each of these looks; integers [looks, *grid], or None.
        ended: why the count stopped early; empty if all requested draws are counted.
        joint: tested draws in which *every* component voted for its candidate; None under pooled
            selection, where the first n0 draws are not stored one by one.
        runner_up: votes for the class with the second most votes among the n0 draws; integers
            [*grid], only for PREDICT.
        law_error: bound on the total variation distance between the distribution of one computed
            draw (of all input values) and that of the theorem; 0 <= law_error < 1/2, and 0 for
            records of old generators. Every decision adds it to tau
            (`onnxcert.statistics.family.tested_tau`) or subtracts it from alpha (PREDICT).
        leak_check: how the run checked batch invariance, as text; empty if not recorded.
    """

    candidate: IntArray
    hits: IntArray
    single: IntArray
    n: int
    n0: int
    selection: Selection
    classes: int
    nonfinite: int
    draws: Draws
    unit: str = UNIT
    kind: str = Element.PIXEL.value
    looks: tuple[int, ...] = ()
    path: IntArray | None = None
    ended: Ended = ""
    joint: int | None = None
    runner_up: IntArray | None = None
    law_error: float = 0.0
    leak_check: str = ""

    def __post_init__(self) -> None:
        passes(self.n, self.n0, self.selection)
        check_law_error(self.law_error)
        shapes = {np.shape(a) for a in (self.candidate, self.hits, self.single)}
        if len(shapes) != 1:
            raise ParameterError(f"candidate, hits and single must have one shape, got {shapes}.")
        if self.hits.size == 0:
            raise ParameterError("a tally needs at least one component.")
        low, high = int(self.hits.min()), int(self.hits.max())
        if not 0 <= low <= high <= self.n:
            raise ParameterError(
                f"hits must lie between 0 and the {self.n} draws tested, got {low} to {high}."
            )
        if not 0 <= int(self.candidate.min()) <= int(self.candidate.max()) < self.classes:
            raise ParameterError(f"candidates must be classes from 0 to {self.classes - 1}.")
        if self.ended not in _ENDINGS:
            raise ParameterError(
                f"a count ends for one of {', '.join(filter(None, _ENDINGS))}, got {self.ended!r}."
            )
        if self.joint is not None and not 0 <= self.joint <= low:
            raise ParameterError(
                f"the draws in which all components agree must be at most the smallest hits {low}, "
                f"got {self.joint}."
            )
        if self.runner_up is not None and self.runner_up.shape != self.hits.shape:
            raise ParameterError("the runner-up's votes must have one number for each component.")
        if self.runner_up is not None:
            second = self.runner_up.astype(np.int64)
            leads = self.n0 < self.n or bool((second <= self.hits).all())
            both = second + (self.hits if self.n0 == self.n else 0)
            if not leads or int(second.min()) < 0 or int(both.max()) > self.n0:
                raise ParameterError(
                    f"the runner-up's votes must be at most those for the candidate, and both "
                    f"together at most the {self.n0} draws."
                )
        if self.looks or self.path is not None:
            self._check_path()

    def _check_path(self) -> None:
        rising = all(a < b for a, b in zip((0, *self.looks), self.looks, strict=False))
        if not self.looks or not rising or self.looks[-1] != self.n:
            raise ParameterError(
                f"looks must increase up to the {self.n} draws tested, got {self.looks}."
            )
        path = self.path
        if path is None or path.shape != (len(self.looks), *self.hits.shape):
            raise ParameterError("the path must have hits for each look and component.")
        before = 0
        for k, look in enumerate(self.looks):
            gained = path[k].astype(np.int64) - (path[k - 1] if k else 0)
            if int(gained.min()) < 0 or int(gained.max()) > look - before:
                raise ParameterError(
                    f"hits between the looks at {before} and {look} draws must lie between 0 and "
                    f"{look - before}."
                )
            before = look
        if not np.array_equal(path[-1], self.hits):
            raise ParameterError("the hits at the last look must be those of the tally.")

    @classmethod
    def in_file(cls, **values: Any) -> Self:
        """Return a tally whose arrays are still in a file; only `to_memory` checks its values."""
        tally = cls.__new__(cls)
        tally.__dict__.update(values)
        return tally

    def to_memory(self) -> Self:
        """Return the tally with its arrays in memory.

        Raises:
            ParameterError: a value is impossible, e.g. more hits than draws.
        """
        return replace(self, **read_arrays(self))

    @property
    def components(self) -> int:
        return int(self.hits.size)

    @property
    def perturbation(self) -> Perturbation:
        return self.draws.perturbation

    @property
    def hit_rate(self) -> LevelArray:
        """Share of the tested draws that voted for the candidate; float64 [*grid]."""
        return np.asarray(self.hits / self.n, dtype=np.float64)

    @property
    def histogram(self) -> IntArray:
        """Number of components with 0, 1, ..., n hits; integers [n + 1]."""
        return np.bincount(self.hits.ravel(), minlength=self.n + 1)


def read_arrays(record: Any) -> dict[str, Any]:
    """Return the arrays among the fields of a dataclass by name, in memory."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {
        name: value[...]
        for name, value in values.items()
        if hasattr(value, "shape") and not isinstance(value, np.generic)
    }


def check_law_error(law_error: float) -> None:
    """Raise ParameterError unless 0 <= law_error < 1/2."""
    if not 0.0 <= law_error < 0.5:
        raise ParameterError(
            f"the law error of one draw must be at least 0 and below 0.5, got {law_error:g}."
        )
