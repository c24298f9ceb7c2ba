"""The results of a run: the Tally (the stored votes) and the Certificate (the decision)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, get_args

import numpy as np

from onnxcert._typing import BoolArray, IntArray, LevelArray, Perturbation
from onnxcert.draws import Draws
from onnxcert.errors import ParameterError
from onnxcert.rule import Rule, check_law_error
from onnxcert.statement import Controls, guarantee

ABSTAIN: Final = -1
LARGEST_N: Final = 10_000_000
UNIT: Final = "pixel values in [0, 1] at native resolution"
PIXELS: Final = "pixels"
POINTS: Final = "points"
WHOLE: Final = "the whole "  # the `kind` of a classifier's single component begins with it

Selection = Literal["pooled", "split"]
Ended = Literal["", "until", "futility", "time", "interrupted"]
_ENDINGS: Final = get_args(Ended)


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
        kind: what a component is, as text.
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
            (`onnxcert.decision.family.tested_tau`) or subtracts it from alpha (PREDICT).
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
    kind: str = PIXELS
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


@dataclass(frozen=True, eq=False)
class Certificate:
    """The decision on one tally; a pure function of the tally and the rule.

    Attributes:
        tally: the votes.
        rule: the decision rule.
        controls: what the correction controls: `FWER`, `k-FWER` or `FDR`.
        levels: all tau at which components may be certified, ascending; float64 [L].
        level: 0 where a component abstains, j where it is certified at levels[j - 1] and every
            smaller tau; unsigned integers [*grid].
        thresholds: for each tau of the rule the smallest hits that certify a component, under
            interim looks those at the last look taken; one more than the draws if none do.
        own_radius: replaces the radius that follows from tau (IndivClass).
        notes: further information for the reader, e.g. why everything abstains.
    """

    tally: Tally = field(repr=False)
    rule: Rule
    controls: Controls
    levels: LevelArray = field(repr=False)
    level: IntArray = field(repr=False)
    thresholds: tuple[int, ...]
    own_radius: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def tau(self) -> float:
        return self.rule.tau

    @property
    def threshold(self) -> int:
        """Smallest hits that certify a component at the rule's first tau."""
        return self.thresholds[0]

    @cached_property
    def labels(self) -> IntArray:
        """Classes certified at the rule's first tau, `ABSTAIN` elsewhere; int32 [*grid]."""
        return self.labels_at(self.rule.tau)

    def labels_at(self, tau: float) -> IntArray:
        """Return the classes certified at tau or above, `ABSTAIN` elsewhere; int32 [*grid]."""
        return np.where(
            self.certified_at(tau), self.tally.candidate.astype(np.int32), np.int32(ABSTAIN)
        )

    def certified_at(self, tau: float) -> BoolArray:
        """Return whether each component is certified at tau or above; bool [*grid]."""
        return np.asarray(self.level > np.searchsorted(self.levels, tau, side="left"))

    @property
    def radius(self) -> float:
        """Size of the attack ruled out for `labels`, in the tally's unit."""
        return self.radius_at(self.rule.tau)

    def radius_at(self, tau: float) -> float:
        """Return the size of the attack ruled out for `labels_at(tau)`."""
        return self.tally.perturbation.radius(tau) if self.own_radius is None else self.own_radius

    @property
    def level_radii(self) -> LevelArray:
        """Radius of each of `levels`; float64 [L]."""
        return np.array([self.radius_at(float(tau)) for tau in self.levels], dtype=np.float64)

    @property
    def radii(self) -> LevelArray:
        """Largest radius each component is certified for, NaN where it abstains; [*grid]."""
        table = np.concatenate([[np.nan], self.level_radii])
        return np.asarray(table[self.level])

    @property
    def abstained(self) -> int:
        return int(np.count_nonzero(self.labels == ABSTAIN))

    @property
    def abstain_share(self) -> float:
        return self.abstained / self.tally.components

    def statement(self, *, before: bool = False) -> str:
        """Return the guarantee in one sentence, with every number it depends on.

        Args:
            before: use the wording of older records.
        """
        return guarantee(
            rule=self.rule,
            controls=self.controls,
            perturbation=self.tally.perturbation,
            unit=self.tally.unit,
            n=self.tally.n,
            n0=self.tally.n0,
            selection=self.tally.selection,
            components=self.tally.components,
            kind=self.tally.kind,
            radius=self.own_radius,
            law_error=self.tally.law_error,
            before=before,
            leak_check=self.tally.leak_check,
        )


@dataclass(frozen=True)
class Provenance:
    """The origin of a result: enough to repeat it and to detect a changed model or input.

    Attributes:
        model: name and SHA-256 of the model file.
        contract: the contract as JSON, and the source of each field.
        input: name, path and SHA-256 of the decoded input.
        parameters: the requested values, by long option name.
        environment: versions, provider, device, threads.
        date: when the result was finished, ISO 8601, UTC.
    """

    model: dict[str, str]
    contract: dict[str, Any]
    input: dict[str, str]
    parameters: dict[str, Any]
    environment: dict[str, Any]
    date: str
