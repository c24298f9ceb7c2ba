"""Changes with few parameters: models whose probabilities are known, and the exponential bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.optimize import linprog
from scipy.stats import binom, binomtest, norm

import onnxcert
from onnxcert.perturbation import (
    Blur,
    Brightness,
    Contrast,
    Exposure,
    Gain,
    Gamma,
    Scaling,
    Shift,
    WhiteBalance,
)
from onnxcert.perturbation.semantic import Semantic
from onnxcert.sampling import Count, sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics import decide
from onnxcert.statistics.rule import Rule

Array = np.ndarray
DIRECTION = np.array([0.6, -0.48, 0.64])
PIXEL = np.array([0.3, 0.5, 0.7], np.float32).reshape(3, 1, 1)
POINT = np.array([0.5, -1.0, 2.0], np.float32).reshape(3, 1)
EDGE = np.array([1.0, 0.0], np.float32).reshape(1, 1, 2)


def light(v: Array) -> Array:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def log2(ratio: Array) -> Array:
    return np.log2(np.maximum(ratio, 1e-9))


class Case(NamedTuple):
    """A change, an input, and how its parameter is read from what the model gets, [B, channels].

    The case with a vector of parameters reads its component along `DIRECTION`.
    """

    noise: Semantic
    x: Array
    read: Callable[[Array, Array], Array]


CASES = [
    Case(Exposure(0.5), PIXEL, lambda v, x: log2(light(v[:, 2]) / light(x[2]))),
    Case(Gain(0.25), PIXEL, lambda v, x: log2(v[:, 2] / x[2])),
    Case(Brightness(0.1), PIXEL, lambda v, x: v[:, 1] - x[1]),
    Case(Contrast(0.5), PIXEL, lambda v, x: log2((v[:, 2] - 0.5) / (x[2] - 0.5))),
    Case(Gamma(0.5), PIXEL, lambda v, x: log2(np.log(np.maximum(v[:, 1], 1e-9)) / np.log(x[1]))),
    Case(WhiteBalance(0.25), PIXEL, lambda v, x: log2(v / x) @ DIRECTION),
    Case(Blur(1.0), EDGE, lambda v, x: -np.log(np.maximum(v[:, 0] - v[:, 1], 1e-9))),  # noqa: ARG005
    Case(Scaling(0.25), POINT, lambda v, x: log2(v[:, 2] / x[2])),
    Case(Shift(0.1), POINT, lambda v, x: (v - x) @ DIRECTION),
]
IDS = [case.noise.name for case in CASES]


class Threshold:
    """Class 1 at component j where the parameter exceeds the limit of j: half-lines, the worst."""

    classes = 2

    def __init__(self, case: Case, shares: list[float]) -> None:
        self.case, self.flat = case, case.x.reshape(-1).astype(np.float64)
        quantile = (lambda p: -math.log(1 - p)) if isinstance(case.noise, Blur) else norm.ppf
        self.limits = case.noise.sigma * np.array([float(quantile(p)) for p in shares])

    @property
    def true_radii(self) -> Array:
        """How far the parameter can be moved until class 0 has one half."""
        blur = isinstance(self.case.noise, Blur)
        return np.asarray(self.limits - self.case.noise.sigma * math.log(2) * blur)

    def __call__(self, batch: Array) -> Array:
        values = batch.reshape(len(batch), -1).astype(np.float64)
        t = self.case.read(values, self.flat)
        return (t[:, None] > self.limits).astype(np.int64)


def attacked(case: Case, size: float) -> Array:
    noise = case.noise
    t = size * DIRECTION if noise.name in ("white-balance", "shift") else [size]
    return np.asarray(noise.transform(noise.split(case.x.astype(np.float64)), list(t)), np.float32)


def votes(case: Case, model: Threshold, x: Array, count: int, seed: int) -> Array:
    out = np.empty((count, *x.shape), np.float32)
    Draws(case.noise, seed, digest(x)).write(x, range(count), out)
    return np.asarray(model(out))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_certified_radius_is_below_the_true_one_by_three_per_cent_at_most(case: Case) -> None:
    model = Threshold(case, [0.93, 0.95, 0.97])
    rule = Rule(tau=0.5, alpha=0.01, correction="bonferroni", radius_map=True, floor=0.5)
    certificate = onnxcert.certify(
        model, case.x, case.noise, rule=rule, n=30_000, seed=1, batch_size=2000, leak_check=0
    )
    assert (certificate.labels == 0).all()
    share = certificate.radii / model.true_radii
    assert (share <= 1).all()
    assert (share >= 0.97).all()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_majority_is_kept_up_to_the_true_radius_and_lost_beyond(case: Case) -> None:
    """The attack is made on the input; only then is it drawn, by the same law."""
    model, count = Threshold(case, [0.9]), 6000
    radius = case.noise.radius(0.9)
    assert radius == pytest.approx(model.true_radii[0], rel=1e-9)
    error = 0.5 / math.sqrt(count)
    kept = np.mean(votes(case, model, attacked(case, 0.92 * radius), count, 1) == 0)
    lost = np.mean(votes(case, model, attacked(case, 1.08 * radius), count, 2) == 0)
    assert kept > 0.5 + 2 * error
    assert lost < 0.5 - 2 * error


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_votes_have_their_probability_and_false_certificates_are_as_rare_as_alpha(
    case: Case,
) -> None:
    tau, runs, n = 0.75, 120, 60
    model = Threshold(case, [tau])
    rule = Rule(tau=tau, alpha=0.15)
    draws = [Draws(case.noise, seed, digest(case.x)) for seed in range(runs)]
    tallies = [
        sample(
            model,
            case.x,
            Count(each, n, 10, "pooled", 2, law_error=each.law_error(case.x.shape)),
            batch_size=n,
        )
        for each in draws
    ]
    zeros = sum(
        int(tally.hits[0]) if tally.candidate[0] == 0 else n - int(tally.hits[0])
        for tally in tallies
    )
    assert binomtest(zeros, n * runs, tau).pvalue > 1e-3
    assert binomtest(zeros, n * runs, tau + 0.02).pvalue < 0.05
    wrong = sum(int((decide(tally, rule).labels >= 0).sum()) for tally in tallies)
    assert binom.sf(wrong - 1, runs, rule.alpha) > 1e-3


# -- the exponential bound -------------------------------------------------------------------------


def exponential_mass(edges: Array, mean: float, start: float = 0.0) -> Array:
    """Masses of start + t, t exponential, between the edges."""
    below = -np.expm1(-np.maximum(0.0, edges - start) / mean)
    below[-1] = 1.0
    return np.diff(below)


@given(
    heights=st.lists(st.floats(0, 1), min_size=2, max_size=30),
    mean=st.floats(0.1, 5),
    width=st.floats(0.05, 1),
    part=st.floats(0.01, 1),
)
@examples(300)
def test_no_step_function_loses_its_majority_within_the_radius(
    heights: list[float], mean: float, width: float, part: float
) -> None:
    edges = width * mean * np.arange(len(heights) + 1)
    tau = float(exponential_mass(edges, mean) @ heights)
    if tau <= 0.5 or tau >= 1:
        return
    attack = part * Blur(mean).radius(tau)
    assert exponential_mass(edges, mean, attack) @ heights >= 0.5 - 1e-12


@pytest.mark.parametrize("tau", [0.55, 0.75, 0.95, 0.999])
def test_the_worst_step_function_loses_it_just_beyond(tau: float) -> None:
    """All functions with 4000 steps at once, by a linear program."""
    mean = 0.7
    radius = Blur(mean).radius(tau)

    def worst(attack: float) -> float:
        edges = np.concatenate([[0.0], attack + np.linspace(0, 20 * mean, 2001)])
        edges = np.unique(np.concatenate([edges, np.linspace(0, attack, 2000)]))
        found = linprog(
            exponential_mass(edges, mean, attack),
            A_eq=exponential_mass(edges, mean)[None],
            b_eq=[tau],
            bounds=(0, 1),
        )
        assert found.status == 0
        return float(found.fun)

    assert worst(0.999 * radius) > 0.5
    assert worst(1.001 * radius) < 0.5
    for attack in (0.3 * radius, 0.9 * radius):
        wanted = 1 - math.exp(attack / mean) * (1 - tau)
        assert worst(attack) == pytest.approx(wanted, abs=1e-7)


def test_a_changed_picture_that_was_stored_is_not_covered_and_the_statement_says_so() -> None:
    """A model can read that an input was rounded or clipped; then nothing is promised."""
    certificate = onnxcert.certify(
        lambda batch: (batch[:, 0, 0] < 0.5).astype(np.int64),
        np.full((1, 1, 1), 0.9, np.float32),
        Gain(0.25),
        classes=2,
        n=200,
        seed=1,
    )
    assert (certificate.labels == 0).all()
    for words in ("not covered", "saturated sensor", "in 8 bits or in float32"):
        assert words in certificate.statement()
