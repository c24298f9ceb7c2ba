"""Dependence structures between the errors of components.

A structure is a list of mutually exclusive *events*. In an event some components, its members, have
their s in given intervals near 0 (many votes); all others have s above all of their intervals.
Independent *parts* of the components have a structure each. The s of each component by itself stays
uniform: its intervals are contiguous from 0 on, and the events that put it into an interval have
the interval's length as their total probability (`DependenceStructure` checks this).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from onnxcert._typing import LevelArray
from onnxcert.errors import ParameterError

_TOLERANCE: Final = 1e-9

Interval = tuple[float, float]


@dataclass(frozen=True)
class Event:
    """An event of this `probability`: each of `members` has its s in its interval."""

    probability: float
    members: Mapping[int, Interval]


@dataclass(frozen=True)
class DependenceStructure:
    """A dependence structure: exclusive events over the components 0 .. size - 1.

    Raises:
        ParameterError: with these events the s of a component is not uniform.
    """

    size: int
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        if sum(event.probability for event in self.events) > 1.0 + _TOLERANCE:
            raise ParameterError("the probabilities of the events must add up to at most 1.")
        for i in range(self.size):
            shares: dict[Interval, float] = {}
            for event in self.events:
                if i in event.members:
                    interval = event.members[i]
                    shares[interval] = shares.get(interval, 0.0) + event.probability
            end = 0.0
            for (low, high), share in sorted(shares.items()):
                if abs(low - end) > _TOLERANCE or abs(share - (high - low)) > _TOLERANCE:
                    raise ParameterError(f"component {i} is not uniform on {low}..{high}.")
                end = high

    @cached_property
    def reach(self) -> LevelArray:
        """End of the intervals of each component; float64 [size]."""
        reach = np.zeros(self.size)
        for event in self.events:
            for i, (_, high) in event.members.items():
                reach[i] = max(reach[i], high)
        return reach

    def draw(self, repetitions: int, rng: np.random.Generator) -> LevelArray:
        """Draw the s of all components; float64 [repetitions, size]."""
        reach = self.reach
        s = reach + (1.0 - reach) * rng.random((repetitions, self.size))
        chances = np.cumsum([event.probability for event in self.events])
        happens = np.searchsorted(chances, rng.random(repetitions), side="right")
        for number, event in enumerate(self.events):
            rows = np.flatnonzero(happens == number)
            for i, (low, high) in event.members.items():
                s[rows, i] = low + (high - low) * rng.random(len(rows))
        return s


def draw(
    parts: Sequence[DependenceStructure], repetitions: int, rng: np.random.Generator
) -> LevelArray:
    """Draw the s of independent parts, side by side; float64 [repetitions, components]."""
    return np.concatenate([part.draw(repetitions, rng) for part in parts], axis=1)


def independent(size: int) -> DependenceStructure:
    """Return the structure of independent components."""
    return DependenceStructure(size)


def exclusive(reaches: Sequence[float]) -> DependenceStructure:
    """Let at most one component at a time have s up to its reach: the union bound is sharp."""
    return DependenceStructure(
        len(reaches), tuple(Event(reach, {i: (0.0, reach)}) for i, reach in enumerate(reaches))
    )


def together(groups: Sequence[tuple[int, float]]) -> DependenceStructure:
    """Let the k components of a group have s up to the group's reach q all together or not at all.

    Groups exclude each other, so Markov's inequality, P(k or more) <= E / k, is sharp. Within a
    group, each of the intervals (0, q / k], (q / k, 2 q / k], ... has one s, in turns. So the
    first k - 1 errors spend as little as possible, and step-down procedures are sharp, too.

    Args:
        groups: k and q of each group.
    """
    events = []
    start = 0
    for k, q in groups:
        for turn in range(k):
            members = {
                start + j: (q * ((j + turn) % k) / k, q * ((j + turn) % k + 1) / k)
                for j in range(k)
            }
            events.append(Event(q / k, members))
        start += k
    return DependenceStructure(start, tuple(events))


def windows(size: int, reaches: Sequence[float]) -> DependenceStructure:
    """Let exactly r components have s in (reaches[r - 2], reaches[r - 1]], for r = 1 .. size.

    This attains the bound of Benjamini and Yekutieli (2001, Theorem 1.3): each of r rejected
    components has the largest p-value that is rejected together with r - 1 others.
    """
    events = []
    low = 0.0
    for r, high in enumerate(reaches, start=1):
        if high > low:
            for turn in range(size):
                members = {(turn + j) % size: (low, high) for j in range(r)}
                # Each component is in r of the `size` windows; the last window is all of them.
                events.append(Event((high - low) / r, members))
            low = high
    return DependenceStructure(size, tuple(events))
