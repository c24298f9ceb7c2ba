"""Votes with known probabilities, tallied as the program tallies them, and decided by it.

A *null* component has the votes (tau, 1 - tau, 0, ...), the worst law in which no class exceeds
tau: whatever is certified there is wrong. A *directional* one has (tau + 1e-6, 1 - tau - 1e-6):
its first class may be certified, its second must not. A *certain* one always votes for one class.

Only the joint law of the components is free. Each component by itself is drawn exactly: its votes
are independent and identically distributed over the draws, so the total is binomial and the first
n0 of n votes are hypergeometric given the total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from onnxcert.correction import CORRECTIONS
from onnxcert.decision import Family, decide, family, p_values, planning, segcertify
from onnxcert.decision.pvalues import binomial_tail
from onnxcert.draws import Draws
from onnxcert.perturbation import Gaussian
from onnxcert.result import Certificate, Selection, Tally

Dependence = Literal["independent", "blocks", "exclusive", "identical"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DRAWS = Draws(Gaussian(0.25), 1, "00" * 32)
BLOCK = 2


@dataclass(frozen=True)
class Design:
    """Components, their laws, and how they are tested."""

    selection: Selection
    correction: str
    tau: float
    n: int
    n0: int
    null: int
    certain: int = 0
    directional: int = 0
    alpha: float = 0.1

    @property
    def components(self) -> int:
        return self.null + self.directional + self.certain

    def null_level(self, alpha: float) -> float:
        """Exact probability that one null component is certified once the certain ones are.

        Pooled with n0 = n the candidate is the winner of all n votes, so that the law attains the
        p-value itself. Split, the candidate is either class, by the n0 votes.
        """
        asked = Family(
            self.components, self.tau, alpha, CORRECTIONS[self.correction], self.selection
        )
        level = alpha / self.components
        if self.correction == "holm":
            left = self.components - self.certain
            level = max(level, (alpha - asked.reserve(self.n)) / left)
        table = p_values(self.n, self.tau, self.selection)
        x = int(np.argmax(table <= level))
        if self.selection == "pooled":
            assert self.n0 == self.n
            return float(binom.sf(x - 1, self.n, self.tau) + binom.sf(x - 1, self.n, 1 - self.tau))
        first = float(binom.sf((self.n0 - 1) // 2, self.n0, self.tau))
        return float(
            first * binom.sf(x - 1, self.n, self.tau)
            + (1 - first) * binom.sf(x - 1, self.n, 1 - self.tau)
        )

    def directional_rate(self) -> float:
        """The same for mutually exclusive directional components alone, tested in a single step."""
        table = p_values(self.n, self.tau, self.selection)
        x = int(np.argmax(table <= self.alpha / self.components))
        return float(self.directional * binom.sf(x - 1, self.n, 1 - self.tau - 1e-6))

    def error_rate(self, dependence: Dependence, alpha: float) -> float:
        """Exact probability of any false certificate, for designs without directional ones."""
        p = self.null_level(alpha)
        if dependence == "identical":
            return p
        if dependence == "exclusive":
            return self.null * p
        if dependence == "blocks":
            return float(1 - (1 - BLOCK * p) ** (self.null / BLOCK))
        return float(1 - (1 - p) ** self.null)


@dataclass(frozen=True)
class Votes:
    """Many repetitions of one design; [repetitions, components] each."""

    design: Design
    candidate: Ints
    hits: Ints
    wrong: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.hits)

    def tally(self, k: int, selection: Selection | None = None) -> Tally:
        d = self.design
        return Tally(
            candidate=self.candidate[k],
            hits=self.hits[k],
            single=self.candidate[k],
            n=d.n,
            n0=d.n0,
            selection=selection or d.selection,
            classes=3,
            nonfinite=0,
            draws=DRAWS,
        )

    def false_certificates(self, rule: Callable[[Tally], Certificate]) -> int:
        """Repetitions in which the rule certifies a wrong class anywhere."""
        with remembered_tables():
            return sum(
                bool((self.wrong[k] & (rule(self.tally(k)).labels >= 0)).any())
                for k in range(len(self))
            )


def rule(design: Design, alpha: float) -> Callable[[Tally], Certificate]:
    """The program's own decision."""

    def decided(tally: Tally) -> Certificate:
        return decide(tally, tau=design.tau, alpha=alpha, correction=design.correction)

    return decided


@contextmanager
def remembered_tables() -> Iterator[None]:
    """Tables of p-values depend on (n, tau, selection) alone: compute each once, not 10,000 times.

    Everything else of the decision runs as it is.
    """
    with pytest.MonkeyPatch.context() as patch:
        table, tail = lru_cache(p_values), lru_cache(binomial_tail)
        for module in (family, segcertify, planning):
            patch.setattr(module, "p_values", table)
        patch.setattr(family, "binomial_tail", tail)
        yield


def uniforms(
    count: int, components: int, dependence: Dependence, rng: np.random.Generator
) -> Floats:
    """One uniform number per component; a large one is going to be many votes.

    exclusive: U + i / m modulo 1, so that events of probability up to 1 / m each never meet.
    blocks: exclusive within blocks of two, blocks independent.
    """

    def shifted(size: int) -> Floats:
        shift = np.arange(size) / size
        return np.asarray((rng.random((count, 1)) + shift) % 1.0)

    if dependence == "independent":
        return rng.random((count, components))
    if dependence == "identical":
        return np.repeat(rng.random((count, 1)), components, axis=1)
    if dependence == "exclusive":
        return shifted(components)
    assert components % BLOCK == 0
    return np.concatenate([shifted(BLOCK) for _ in range(components // BLOCK)], axis=1)


def inverse(cdf: Floats, u: Floats) -> Ints:
    return np.minimum(np.searchsorted(cdf, u, side="left"), len(cdf) - 1)


def simulate(design: Design, dependence: Dependence, count: int, seed: int) -> Votes:
    rng = np.random.default_rng(seed)
    two = design.null + design.directional
    u = uniforms(count, two, dependence, rng)
    shape = (count, design.components)
    candidate, hits = np.full(shape, 2), np.full(shape, design.n)
    wrong = np.zeros(shape, bool)
    for i in range(two):
        null = i < design.null
        p = design.tau if null else design.tau + 1e-6
        vote = _split if design.selection == "split" else _pooled
        candidate[:, i], hits[:, i] = vote(design, p, u[:, i], rng)
        wrong[:, i] = True if null else candidate[:, i] == 1
    # Components have no order: the certain ones are not always the last.
    order = rng.permutation(design.components)
    return Votes(design, candidate[:, order], hits[:, order], wrong[:, order])


def _split(design: Design, p: float, u: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Candidate by n0 votes of their own; hits among n others, of whichever class it is."""
    n, n0 = design.n, design.n0
    first = rng.binomial(n0, p, len(u))
    candidate = np.where(first >= n0 - first, 0, 1)
    values = np.arange(n + 1)
    hits = np.where(
        candidate == 0,
        inverse(binom.cdf(values, n, p), u),
        inverse(binom.cdf(values, n, 1 - p), u),
    )
    return candidate, hits


def _pooled(design: Design, p: float, u: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The winner's votes by u, then which class won, then which class led after n0 votes."""
    n, n0 = design.n, design.n0
    values = np.arange(n + 1)
    pmf = binom.pmf(values, n, p)
    winner = np.where(2 * values == n, pmf, pmf + pmf[::-1])
    winner[2 * values < n] = 0.0
    top = inverse(np.cumsum(winner), u)
    zero_won = rng.random(len(u)) * (pmf[top] + pmf[n - top]) < pmf[top]
    zero = np.where(zero_won, top, n - top)
    first = rng.hypergeometric(zero, n - zero, n0)
    candidate = np.where(first >= n0 - first, 0, 1)
    return candidate, np.where(candidate == 0, zero, n - zero)
