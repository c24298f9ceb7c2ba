"""Early stopping. The boundaries hold for every stopping rule, so any reason may be used."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import betabinom

from onnxcert._typing import IntArray, LevelArray
from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Ended, Tally
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.decide import decide
from onnxcert.statistics.family import Family
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.sample_size import find_boundaries


def predictive_power(n: int, more: int, bound: int) -> LevelArray:
    """Compute P(hits of n + more draws reach `bound`) for 0 .. n hits of n; float64 [n + 1].

    This is the conditional power, averaged over Jeffreys' posterior of the hit probability,
    Beta(hits + 1/2, n - hits + 1/2) (the predictive power).
    """
    hits = np.arange(n + 1)
    missing = bound - hits
    chance = betabinom.sf(missing - 1, more, hits + 0.5, n - hits + 0.5)
    return np.asarray(np.where(missing <= 0, 1.0, np.where(missing > more, 0.0, chance)))


def expected_gain(undecided: IntArray, n: int, more: int, bound: int) -> float:
    """Compute the expected number of undecided components that `more` draws would certify.

    Args:
        undecided: components that are not certified, by hits 0 .. n; integers [n + 1].
        n: draws so far.
        more: further draws.
        bound: hits of n + more that certify.
    """
    if more < 1 or bound > n + more:
        return 0.0
    return float(undecided @ predictive_power(n, more, bound))


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """Reasons to stop at an interim look, for each input separately.

    Args:
        until: stop when this share of the components is certified at the first tau.
        futility: stop when a hundred further draws are expected to certify less than this share of
            the components: both the next hundred, and all draws up to n on average.
        seconds: stop at the last look that fits into this time.

    Raises:
        ParameterError: a share is not between 0 and 1, or the time is not positive.
    """

    until: float | None = None
    futility: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, share in (("until", self.until), ("futility", self.futility)):
            if share is not None and not 0.0 < share <= 1.0:
                raise ParameterError(
                    f"{name} must be a share of the components above 0 and at most 1, got "
                    f"{share:g}."
                )
        if self.seconds is not None and not self.seconds > 0.0:
            raise ParameterError(f"the time must be above 0 seconds, got {self.seconds:g}.")

    def __bool__(self) -> bool:
        return any(v is not None for v in (self.until, self.futility, self.seconds))

    def as_dict(self) -> dict[str, Any]:
        """Return the reasons that are set, by the names of the command-line options."""
        values = {"until": self.until, "futility": self.futility, "time": self.seconds}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Forecast:
    """Interim progress and conditional power of one input; shares of all components.

    Attributes:
        draws: tested so far.
        certified: share certified at the first tau.
        next_hundred: share that the next hundred draws (or those that remain) are expected to
            certify, at the tau where it is largest.
        in_the_end: share that all remaining draws are expected to certify, likewise.
        left: remaining draws up to n.
    """

    draws: int
    certified: float
    next_hundred: float
    in_the_end: float
    left: int

    @property
    def per_hundred(self) -> float:
        """Expected gain of a hundred draws: the next ones, or all up to n on average."""
        return max(self.next_hundred, self.in_the_end * 100.0 / max(self.left, 100))

    def describe(self) -> str:
        """Return a short text for the progress display."""
        return f"certified {self.certified:.3f}, +{self.next_hundred:.3f} with 100 more draws"


@dataclass(eq=False)
class InterimAnalysis:
    """The interim analysis of one input: what is certified so far, and whether to stop.

    Args:
        rule: has a schedule.
        stopping: reasons to stop.
        started: start time, on the monotonic clock.
        outlook: that of the last look; None before the first.
    """

    rule: Rule
    stopping: Stopping
    started: float = field(default_factory=time.monotonic)
    forecast: Forecast | None = None

    def analyse(self, tally: Tally) -> Ended:
        """Analyse the votes so far and return a reason to stop; empty if there is none."""
        certificate = decide(tally, self.rule)
        self.forecast = forecast = compute_forecast(certificate)
        stopping = self.stopping
        assert self.rule.schedule is not None
        if tally.n >= self.rule.schedule.n:
            return ""
        if stopping.until is not None and forecast.certified >= stopping.until:
            return "until"
        if stopping.futility is not None and forecast.per_hundred < stopping.futility:
            return "futility"
        if stopping.seconds is not None and self._out_of_time(certificate):
            return "time"
        return ""

    def _out_of_time(self, certificate: Certificate) -> bool:
        """Return whether the next look would be too late at the speed so far."""
        tally = certificate.tally
        assert self.stopping.seconds is not None
        planned, _ = _boundaries(certificate)
        following = planned[len(tally.looks)]
        elapsed = time.monotonic() - self.started
        return elapsed * following / tally.n > self.stopping.seconds


def compute_forecast(certificate: Certificate) -> Forecast:
    """Compute the progress and conditional power at the last look of a certificate."""
    tally, rule = certificate.tally, certificate.rule
    assert rule.schedule is not None
    planned, each = _boundaries(certificate)
    left = rule.schedule.n - tally.n
    soon = min(100, left)
    gains = [0.0, 0.0]
    for tau, bounds in zip(rule.taus, each, strict=True):
        undecided = tally.hits[certificate.labels_at(tau) < 0]
        open_ = np.bincount(undecided.ravel(), minlength=tally.n + 1)
        # Interpolate the boundary between looks; it is only a forecast.
        at_soon = round(float(np.interp(tally.n + soon, planned, np.minimum(bounds, planned))))
        for k, (more, bound) in enumerate(((soon, at_soon), (left, int(bounds[-1])))):
            gains[k] = max(gains[k], expected_gain(open_, tally.n, more, bound))
    return Forecast(
        draws=tally.n,
        certified=1.0 - certificate.abstain_share,
        next_hundred=gains[0] / tally.components,
        in_the_end=gains[1] / tally.components,
        left=left,
    )


def _boundaries(certificate: Certificate) -> tuple[tuple[int, ...], IntArray]:
    rule, tally = certificate.rule, certificate.tally
    family = Family.of(rule, tally.components, tally.selection, tally.law_error)
    return find_boundaries(rule, family, tally.n0)
