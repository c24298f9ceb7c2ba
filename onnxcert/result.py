"""What a run leaves behind: the Tally (counted, stored) and the Certificate (decided, derived)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import numpy as np

from onnxcert._typing import IntArray, LevelArray, Perturbation
from onnxcert.draws import Draws
from onnxcert.errors import ParameterError

ABSTAIN: Final = -1
LARGEST_N: Final = 10_000_000
UNIT: Final = "pixel values in [0, 1] at native resolution"
PIXELS: Final = "pixels"

Selection = Literal["pooled", "split"]
AlphaScope = Literal["input", "dataset"]


def passes(n: int, n0: int, selection: Selection) -> int:
    """Noisy passes of a run that tests n draws: n pooled, n0 + n split.

    Raises:
        ParameterError: n or n0 below 1, n0 above n in pooled selection, or an unknown selection.
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
            f"pooled selection picks the candidate from the first n0 of n draws, so n0 must be at "
            f"most n, got n0 {n0} and n {n}; lower n0 or use split selection."
        )
    return n


@dataclass(frozen=True, eq=False)
class Tally:
    """The votes of one input: everything a certificate is decided from.

    Attributes:
        candidate: class tested, per component; integers [*grid].
        hits: votes for the candidate among the n tested draws; integers [*grid].
        single: labels of draw 0 alone ("one noisy pass"); integers [*grid], a value outside
            0 .. classes - 1 where the model gave no finite output.
        n: draws tested. n0: draws the candidate was chosen from.
        selection: `pooled` (the n0 are the first of the n) or `split` (they are extra).
        classes: number of classes.
        nonfinite: votes withheld because the model's output was not finite, over all passes.
        draws: seed, input digest, generator and perturbation; what makes the votes reproducible.
        unit: the unit of the input, of sigma and of the radius, in words.
        kind: what a component is, in words.
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

    def __post_init__(self) -> None:
        passes(self.n, self.n0, self.selection)
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
        """How many components have 0, 1, ..., n hits; integers [n + 1]."""
        return np.bincount(self.hits.ravel(), minlength=self.n + 1)


def guarantee(
    *,
    perturbation: Perturbation,
    unit: str,
    tau: float,
    alpha: float,
    alpha_scope: AlphaScope,
    inputs: int,
    n: int,
    n0: int,
    components: int,
    smallest: int | None = None,
    kind: str,
    correction: str,
    selection: Selection,
) -> str:
    """The guarantee, worded once.

    `components` is N, or the largest N of several inputs of which `smallest` is the smallest.
    """
    many = f"{components}" if smallest in (None, components) else f"{smallest} to {components}"
    things = "component" if many == "1" else "components"
    if alpha_scope == "dataset":
        family = f"every certified component of all {inputs} inputs"
        scope = f"over the whole data set, {alpha / inputs:.3g} for each of {inputs} inputs"
    else:
        family = "every certified component of an input"
        scope = "for each input by itself"
    sigma = ", ".join(f"{name} {value!r}" for name, value in perturbation.parameters().items())
    return (
        f"With probability at least 1 - {alpha!r} over the noise draws, simultaneously for "
        f"{family}: for {perturbation.attack(tau, unit)}, the class most likely under noise "
        f"(the majority class of the smoothed model) at the perturbed input is the certified "
        f"class. "
        f"[{perturbation.name} {sigma}, tau {tau!r}, alpha {alpha!r} {scope}, n {n} draws "
        f"tested, n0 {n0}, selection {selection}, N {many} {things} ({kind}), correction "
        f"{correction}]"
    )


@dataclass(frozen=True, eq=False)
class Certificate:
    """The decision on one tally; a pure function of it and of the arguments of `decide`.

    Attributes:
        labels: certified class per component, `ABSTAIN` where there is none; int32 [*grid].
        radius: size of the attack ruled out, in the tally's unit.
        tau, alpha, correction: as asked.
        alpha_scope: `input`, or `dataset`: alpha is shared equally by `inputs` inputs.
        threshold: hits from which a component is certified; n + 1 where none could be.
        notes: what the reader must know beside the statement, e.g. why everything abstains.
    """

    labels: IntArray = field(repr=False)
    radius: float
    tau: float
    alpha: float
    alpha_scope: AlphaScope
    inputs: int
    correction: str
    threshold: int
    tally: Tally = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def abstained(self) -> int:
        return int(np.count_nonzero(self.labels == ABSTAIN))

    @property
    def abstain_share(self) -> float:
        return self.abstained / self.labels.size

    def statement(self) -> str:
        """The guarantee in one sentence, with every number it depends on."""
        return guarantee(
            perturbation=self.tally.perturbation,
            unit=self.tally.unit,
            tau=self.tau,
            alpha=self.alpha,
            alpha_scope=self.alpha_scope,
            inputs=self.inputs,
            n=self.tally.n,
            n0=self.tally.n0,
            components=self.tally.components,
            kind=self.tally.kind,
            correction=self.correction,
            selection=self.tally.selection,
        )


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from: enough to repeat it and to notice that something was swapped.

    Attributes:
        model: name and SHA-256 of the model file.
        contract: the contract as JSON, and the source of each field.
        input: name, path and SHA-256 of the decoded input.
        parameters: everything asked for, by its long option name.
        environment: versions, provider, device, threads.
        date: when the result was finished, ISO 8601, UTC.
    """

    model: dict[str, str]
    contract: dict[str, Any]
    input: dict[str, str]
    parameters: dict[str, Any]
    environment: dict[str, Any]
    date: str
