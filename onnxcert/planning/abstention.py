"""What abstains, why, and what would help; of one input or of several together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add
from typing import NamedTuple, Self

import numpy as np

from onnxcert._typing import BoolArray, IntArray
from onnxcert.planning.abstention_text import describe_abstention
from onnxcert.planning.causes import (
    Cause,
    base_draws,
    count_causes,
    find_borders,
    find_causes,
    is_unstable,
    more_draws,
)
from onnxcert.planning.remedies import Remedy, Votes
from onnxcert.sampling.tally import Component, Tally
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.rule import Rule


class Part(NamedTuple):
    """Some of the components: those of one class, or those at borders between classes.

    Attributes:
        components: their number.
        unstable: how many of them abstain because the model changes its answer.
    """

    components: int
    unstable: int

    def plus(self, other: Part) -> Part:
        """Return the sum of both."""
        return Part(self.components + other.components, self.unstable + other.unstable)


@dataclass(frozen=True, eq=False, kw_only=True)
class Abstention:
    """Components that abstain at the rule's first tau, by cause; as text one paragraph.

    Attributes:
        inputs: number of inputs.
        components: number of components.
        causes: number of abstaining components of each cause; they add up to `abstained`.
        borders: components with a neighbour (of four) that has another candidate; None where
            components have no neighbours.
        classes: those with each candidate that occurs, by class index; by label if multi-label.
        class_names: names by class index; may be empty.
        kind: what a component is, as text.
        n: draws tested; with interim looks the maximum.
        most_draws: draws that are still practicable.
        votes: what predictions are computed from.
    """

    inputs: int
    components: int
    causes: dict[Cause, int]
    borders: Part | None
    classes: dict[int, Part]
    class_names: tuple[str, ...]
    kind: str
    n: int
    most_draws: int
    votes: Votes

    def __str__(self) -> str:
        """Return the explanation as one paragraph; empty if nothing abstains."""
        return self.text

    @cached_property
    def text(self) -> str:
        """The explanation as one paragraph; empty if nothing abstains."""
        return describe_abstention(self)

    @property
    def abstained(self) -> int:
        """Number of components that abstain."""
        return sum(self.causes.values())

    def share(self, count: int) -> float:
        """Return `count` as a share of all components."""
        return count / self.components

    @property
    def certified(self) -> float:
        """Share of all components that are certified."""
        return 1.0 - self.share(self.abstained)

    @cached_property
    def more_draws(self) -> Remedy | None:
        """More draws, if they are lacking and would certify more; else None."""
        if not self.causes[Cause.FEW_DRAWS]:
            return None
        return self.votes.find_more_draws(self.n, self.most_draws, self.certified)

    @cached_property
    def smaller_radius(self) -> Remedy | None:
        """About half the radius, if that would certify more; else None."""
        return self.votes.find_smaller_radius(self.n, self.certified) if self.abstained else None

    def __add__(self, other: Abstention) -> Self:
        """Return the abstention of the inputs of both, which must come from one run."""
        borders = None
        if self.borders is not None and other.borders is not None:
            borders = self.borders.plus(other.borders)
        classes = dict(self.classes)
        for index, part in other.classes.items():
            classes[index] = classes[index].plus(part) if index in classes else part
        return replace(
            self,
            inputs=self.inputs + other.inputs,
            components=self.components + other.components,
            causes={cause: self.causes[cause] + other.causes[cause] for cause in Cause},
            borders=borders,
            classes=classes,
            most_draws=max(self.most_draws, other.most_draws),
            votes=self.votes + other.votes,
        )


def add_abstentions(found: Iterable[Abstention]) -> Abstention:
    """Return the abstention of all inputs of a run together; there must be at least one."""
    return reduce(add, found)


def explain_abstention(certificate: Certificate, class_names: Sequence[str] = ()) -> Abstention:
    """Explain which components of a certificate abstain at its first tau, why, and what would help.

    The prediction of what would help is that of `onnxcert.planning.pilot`. It is for a new run:
    settings chosen after the votes were counted void the level of these votes.

    Args:
        certificate: the certificate of one input.
        class_names: names by class index, for the text.
    """
    tally, rule = certificate.tally, certificate.rule
    certified = certificate.certified_at(rule.tau)
    return explain_votes(tally, rule, certified, certificate.threshold, class_names)


def explain_votes(
    tally: Tally,
    rule: Rule,
    certified: BoolArray,
    threshold: int,
    class_names: Sequence[str] = (),
) -> Abstention:
    """Explain the abstention of a stored decision, without deciding again.

    Args:
        tally: the votes, in memory.
        rule: the decision rule.
        certified: where components are certified at the rule's first tau; bool [*grid].
        threshold: smallest hits that certify at that tau.
        class_names: names by class index.
    """
    abstains = ~certified
    causes = find_causes(tally, rule, abstains, threshold)
    unstable = np.zeros(abstains.shape, dtype=np.bool_)
    unstable[abstains] = is_unstable(causes)
    border = find_borders(tally.candidate, tally.kind)
    borders = None
    if border is not None:
        at_borders = np.count_nonzero(border), np.count_nonzero(border & unstable)
        borders = Part(*map(int, at_borders))
    histogram = tally.histogram
    seen = np.flatnonzero(histogram)
    return Abstention(
        inputs=1,
        components=tally.components,
        causes=count_causes(causes),
        borders=borders,
        classes=_count_by_class(tally, unstable),
        class_names=tuple(class_names),
        kind=tally.kind,
        n=base_draws(tally.n, rule),
        most_draws=more_draws(tally, rule),
        votes=Votes(
            hits={tally.n: dict(zip(seen.tolist(), histogram[seen].tolist(), strict=True))},
            rule=rule,
            components=tally.components,
            selection=tally.selection,
            law_error=tally.law_error,
            perturbation=tally.perturbation,
        ),
    )


def _count_by_class(tally: Tally, unstable: BoolArray) -> dict[int, Part]:
    """Count all components and the unstable ones by candidate; by label if multi-label."""
    if Component.parse(tally.kind).multilabel:
        return {
            label: Part(where.size, int(np.count_nonzero(where)))
            for label, where in enumerate(unstable)
        }
    counts = _count_values(tally.candidate)
    unstable_counts = _count_values(tally.candidate[unstable])
    return {c: Part(count, unstable_counts.get(c, 0)) for c, count in counts.items()}


def _count_values(classes: IntArray) -> dict[int, int]:
    """Return each class that occurs -> how often it does."""
    if classes.dtype.itemsize <= 2:  # faster; with larger numbers it might need much memory
        counts = np.bincount(classes.ravel())
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(classes, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
