"""Simulation of a design: many repetitions as tallies, decided by a rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from onnxcert._typing import BoolArray, LevelArray
from onnxcert.sampling.tally import Tally
from onnxcert.simulation.components import Ints, votes
from onnxcert.simulation.dependence import (
    DependenceStructure,
    draw,
    exclusive,
    independent,
    together,
    windows,
)
from onnxcert.simulation.designs import Dependence, Design
from onnxcert.simulation.tallies import synthetic_tally
from onnxcert.statistics import decide
from onnxcert.statistics.certificate import Certificate

BLOCK: Final = 2

Decider = Callable[[Tally], Certificate]


@dataclass(frozen=True)
class Simulated:
    """Repetitions of a design.

    Attributes:
        candidate: of each component; integers [R, N].
        hits: of each component; integers [R, N].
        chance: true probability of the candidate; float64 [R, N].
        path: hits at each look; integers [R, looks, N], or None.
    """

    design: Design
    candidate: Ints
    hits: Ints
    chance: LevelArray
    path: Ints | None = None

    def __len__(self) -> int:
        return len(self.hits)

    def tally(self, k: int) -> Tally:
        """Return the tally of repetition k."""
        d = self.design
        return synthetic_tally(
            self.hits[k],
            d.n,
            d.n0,
            d.selection,
            candidate=self.candidate[k],
            looks=() if self.path is None else d.looks,
            path=None if self.path is None else self.path[k],
            law_error=d.law_error,
        )

    def failures(self, decider: Decider | None = None) -> LevelArray:
        """Compute the error that alpha bounds, in each repetition; float64 [R].

        FWER and k-FWER: 1 if there is a wrong certificate, or k of them, else 0. FDR: the share of
        wrong certificates. A certificate is wrong if the candidate's probability does not exceed
        the largest certified tau.
        """
        decider = self.own_rule() if decider is None else decider
        design = self.design
        found = np.empty(len(self))
        for k in range(len(self)):
            certificate = decider(self.tally(k))
            claimed = np.concatenate([[0.0], certificate.levels])[certificate.level]
            if design.claim is not None:
                claimed = np.where(claimed >= design.claim, design.claim, 0.0)
            certified = claimed > 0.0
            wrong = int(np.count_nonzero(certified & (self.chance[k] <= claimed)))
            if design.controls == "FDR":
                found[k] = wrong / max(1, int(np.count_nonzero(certified)))
            else:
                found[k] = wrong >= design.family.k
        return found

    def own_rule(self) -> Decider:
        """Return onnxcert's own decision."""
        return lambda tally: decide(tally, self.design.rule)


def simulate(design: Design, dependence: Dependence, repetitions: int, seed: int) -> Simulated:
    """Simulate a design under a dependence structure; the worst ones are tuned to its level."""
    rng = np.random.default_rng(seed)
    s = draw(dependence_structures(design, dependence), repetitions, rng)
    return simulate_from(design, s, rng)


def simulate_from(design: Design, s: LevelArray, rng: np.random.Generator) -> Simulated:
    """Simulate a design with given uniform numbers s [R, components with two classes]."""
    repetitions, two = s.shape
    shape = (repetitions, design.components)
    candidate, hits = np.full(shape, 2), np.full(shape, design.n)
    chance = np.ones(shape)
    looks = design.looks
    path = None
    if looks:
        path = np.empty((repetitions, len(looks), design.components), np.int64)
        path[...] = np.array(looks)[None, :, None]
    for i, p in enumerate(design.two):
        if path is None:
            candidate[:, i], hits[:, i] = votes(
                s[:, i], design.computed_probability(p), design.n, design.n0, design.selection, rng
            )
        else:
            errs: BoolArray = s[:, i] <= design.reach(p)
            candidate[:, i], path[:, :, i] = design.walk(p).draw(errs, rng)
            hits[:, i] = path[:, -1, i]
        chance[:, i] = np.where(candidate[:, i] == 0, p, 1.0 - p)
    assert two == len(design.two)
    # Shuffle, so that the certain components are not always the last.
    order = rng.permutation(design.components)
    return Simulated(
        design,
        candidate[:, order],
        hits[:, order],
        chance[:, order],
        None if path is None else np.ascontiguousarray(path[:, :, order]),
    )


def dependence_structures(design: Design, dependence: Dependence) -> list[DependenceStructure]:
    """Return the dependence structures of the independent parts of the two-class components."""
    two, k = design.two, design.family.k
    if dependence == "independent":
        return [independent(len(two))]
    if dependence == "windows":
        return [windows(len(two), design.share_reaches().tolist())]
    reaches = [design.reach(p) for p in two]
    if dependence == "exclusive":
        return [exclusive(reaches)]
    groups = [(k, reaches[i]) for i in range(0, len(two), k)]
    if dependence == "together":
        return [together(groups)]
    if k == 1:
        return [exclusive(reaches[i : i + BLOCK]) for i in range(0, len(two), BLOCK)]
    return [together([group]) for group in groups]
