"""Rotations: models attacked exactly at the radius, and the family-wise error of 2048 points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest, chi, norm

import onnxcert
from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian, OnChannels, Rotation
from onnxcert.perturbation.angle_law import density
from onnxcert.perturbation.rotation_radius import RotationRadius
from onnxcert.perturbation.turning import exponential
from onnxcert.sampling import Count, sample
from onnxcert.sampling.backend.in_memory import NumpyNoise
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics import decide
from onnxcert.statistics.rule import Rule

pytestmark = pytest.mark.slow

Array = np.ndarray
FRAME = np.eye(3, dtype=np.float32)
TAU = 0.8


def turned(sigma: float, x: Array, count: int, seed: int) -> Array:
    """The first three points of `count` rotated copies of x, as a model sees them."""
    out = np.empty((count, *x.shape), np.float32)
    Rotation(sigma).perturb(x, NumpyNoise([np.random.default_rng(seed)] * count), out)
    return out[:, :, :3]


def half_cosine(q: Array) -> Array:
    """cos(angle / 2) of rotation matrices."""
    return np.asarray(np.sqrt(np.clip(1 + np.trace(q, axis1=1, axis2=2), 0, 4)) / 2)


class WorstCase:
    """Class 1 where the turned frame is more likely the attacked one than not, by a fixed factor.

    The factor is such that class 0 has probability tau without the attack; of all models with
    that probability this one is hurt most by the attack (Neyman and Pearson).
    """

    def __init__(self, sigma: float, attack: Array, tau: float) -> None:
        self.sigma, self.attack = sigma, attack
        s = 2 * math.acos(min(1.0, float(half_cosine(attack[None])[0])))
        # P by the law of |v|, whose axis is uniform: no sampling and no code of the radius.
        r = chi(3, scale=sigma).ppf((np.arange(4000) + 0.5) / 4000)[:, None]
        u = (np.arange(1000) + 0.5) / 500 - 1
        w = np.cos(r / 2) * math.cos(s / 2) + np.sin(r / 2) * math.sin(s / 2) * u
        self.limit = float(np.quantile(self._ratio(np.cos(r / 2), w), tau))

    def _ratio(self, half_a: Array, half_b: Array) -> Array:
        a, b = (2 * np.arccos(np.clip(np.abs(c), 0, 1 - 1e-12)) for c in (half_a, half_b))
        return np.asarray(np.log(density(b, self.sigma)) - np.log(density(a, self.sigma)))

    def __call__(self, batch: Array) -> Array:
        q = batch[:, :, :3].astype(np.float64)  # columns: what became of the unit vectors
        ratio = self._ratio(half_cosine(q), half_cosine(q @ self.attack.T))
        return (ratio > self.limit).astype(np.int64)[:, None]


@pytest.mark.parametrize("sigma", [0.125, 1.0])
def test_the_worst_model_keeps_its_majority_up_to_the_radius_and_not_far_beyond(
    sigma: float,
) -> None:
    count = 160_000
    radius = Rotation(sigma).radius(TAU)
    axis = np.array([[0.48, -0.6, 0.64]])
    for factor, seed in ((1.0, 1), (1.03, 2)):
        attack = exponential(factor * radius * axis)[0]
        model = WorstCase(sigma, attack, TAU)
        kept = np.mean(model(turned(sigma, FRAME, count, seed)) == 0)
        assert abs(kept - TAU) < 5 * math.sqrt(TAU * (1 - TAU) / count)
        attacked = turned(sigma, attack.astype(np.float32), count, seed + 10)
        left = np.mean(model(attacked) == 0)
        error = 0.5 / math.sqrt(count)
        if factor == 1.0:
            assert left > 0.5 - 3 * error
        else:
            assert left < 0.5 - 3 * error


def test_no_other_axis_and_no_smaller_angle_hurts_the_worst_model_more() -> None:
    sigma, count = 0.5, 60_000
    radius = Rotation(sigma).radius(TAU)
    model = WorstCase(sigma, exponential(np.array([[0.0, 0.0, radius]]))[0], TAU)
    rng = np.random.default_rng(3)
    for seed in range(6):
        v = rng.standard_normal(3)
        v *= radius * rng.uniform(0.5, 1) / np.linalg.norm(v)
        attacked = turned(sigma, exponential(v[None])[0].astype(np.float32), count, seed)
        assert np.mean(model(attacked) == 0) > 0.5 - 4 * 0.5 / math.sqrt(count)


def test_noise_of_euler_angles_does_not_keep_the_promise_that_rotation_noise_keeps() -> None:
    """Normal angles about x, then y, then z: turning about x first adds to the first of them.

    That angle can be read off the result, so that the radius is the classical one; what rotation
    noise gains over it, as the other two turns blur every axis alike, is not there.
    """
    sigma, count = 0.5, 300_000
    rng = np.random.default_rng(4)
    e = [np.zeros((count, 3)) for _ in range(3)]
    for i in range(3):
        e[i][:, i] = sigma * rng.standard_normal(count)
    euler = exponential(e[2]) @ exponential(e[1]) @ exponential(e[0])
    ours = turned(sigma, FRAME, count, 5).astype(np.float64)
    attack = exponential(np.array([[0.99 * Rotation(sigma).radius(TAU), 0.0, 0.0]]))[0]

    def kept(q: Array) -> float:
        """How often the model still answers 0, which it does in a share tau without the attack."""
        limit = np.quantile(np.arctan2(q[:, 2, 1], q[:, 2, 2]), TAU)
        under = q @ attack
        return float(np.mean(np.arctan2(under[:, 2, 1], under[:, 2, 2]) <= limit))

    assert kept(euler) < 0.5 - 5 * 0.5 / math.sqrt(count)
    assert kept(ours) > 0.5 + 5 * 0.5 / math.sqrt(count)


def test_sigma_is_bounded_as_the_classical_radius_does_not_hold_far_beyond() -> None:
    """At sigma 3 Q crowds at the identity: half is lost within the formula's angle."""
    sigma, tau = 3.0, 0.6
    with pytest.raises(ParameterError, match="to 1, got 3"):
        Rotation(sigma, form="classical")
    rng = np.random.default_rng(6)
    v = sigma * rng.standard_normal((200_000, 3))
    length = np.linalg.norm(v, axis=1)
    s = sigma * norm.ppf(tau)
    along = np.cos(length / 2) * math.cos(s / 2)
    along += np.sin(length / 2) * math.sin(s / 2) * v[:, 0] / length
    a, b = (2 * np.arccos(np.minimum(np.abs(c), 1 - 1e-12)) for c in (np.cos(length / 2), along))
    ratio = density(b, sigma) / density(a, sigma)
    kept = np.where(ratio <= np.quantile(ratio, tau), ratio, 0.0)
    assert kept.mean() < 0.45


def rooms(batch: Array) -> Array:
    """A part segmenter: which of three heights a point is at."""
    return np.digitize(batch[:, 2], [-0.4, 0.4]).astype(np.int64)


def test_a_callable_is_certified_against_rotations_from_end_to_end() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (3, 300)).astype(np.float32)
    noise = Rotation(0.25)
    certificate = onnxcert.certify(
        rooms, x, noise, classes=3, n=200, seed=1, batch_size=50, unit="unit sphere"
    )
    again = onnxcert.certify(
        rooms, x, noise, classes=3, n=200, seed=1, batch_size=7, unit="unit sphere"
    )
    np.testing.assert_array_equal(certificate.tally.hits, again.tally.hits)
    assert certificate.radius == noise.radius(0.75) == RotationRadius(0.25)(0.75)
    assert 0.2 < np.mean(certificate.labels >= 0) < 0.95
    text = certificate.statement()
    assert "every rotation of the coordinates alone about the origin of the input's frame" in text
    assert "NP(0.25, 0.75) = 0.1703 rad (9.76" in text
    assert "[rotation sigma 0.25 rad of the coordinates alone, tau 0.75" in text
    # It is true: rotated by as much, the majority under fresh noise is the certified class.
    rng = np.random.default_rng(2)
    for seed in range(4):
        v = rng.standard_normal(3)
        attack = exponential((certificate.radius / np.linalg.norm(v) * v)[None])[0]
        out = np.empty((2000, *x.shape), np.float32)
        attacked = (attack @ x).astype(np.float32)
        noise.perturb(attacked, NumpyNoise([np.random.default_rng(seed)] * 2000), out)
        labels = rooms(out)
        votes = np.stack([(labels == c).mean(axis=0) for c in range(3)])
        sure = certificate.labels >= 0
        own = votes[certificate.labels[sure], np.flatnonzero(sure)]
        assert (own > 0.5 - 4 * 0.5 / math.sqrt(2000)).all()


def test_noise_on_the_coordinates_alone_from_end_to_end() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (7, 200)).astype(np.float32)
    noise = OnChannels(Gaussian(0.1), 0, 3, "the coordinates")

    def model(batch: Array) -> Array:
        assert (batch[:, 3:] == x[3:]).all()
        return rooms(batch)

    certificate = onnxcert.certify(model, x, noise, classes=3, n=100, seed=1, unit="unit sphere")
    assert certificate.radius == Gaussian(0.1).radius(0.75)
    assert np.mean(certificate.labels >= 0) > 0.4


# -- the family-wise error of 2048 points ----------------------------------------------------------


N, DRAWN, ALPHA, SIGMA = 2048, 40, 0.12, 0.3


class Edge:
    """2048 points, each class 0 with probability tau exactly: whoever is certified at tau is wrong.

    (angle, height and longitude of the axis) are three independent uniform numbers once the angle
    goes through its distribution function. A whole combination of them, modulo 1, is uniform, and
    two different combinations are independent: so are the votes of any two points in a draw.
    """

    classes = 2

    def __init__(self, tau: float, seed: int) -> None:
        self.tau = tau
        self.weights = np.random.default_rng(seed).integers(-90, 90, (3, N)).astype(np.float32)
        self.law = np.linspace(0, 8 * SIGMA, 4001)
        self.levels = chi(3, scale=SIGMA).cdf(self.law)

    def __call__(self, batch: Array) -> Array:
        q = batch[:, :, :3].astype(np.float64)
        v = (q - np.swapaxes(q, 1, 2))[:, (2, 0, 1), (1, 2, 0)]
        sine = np.linalg.norm(v, axis=1) / 2
        angle = np.arctan2(sine, (np.trace(q, axis1=1, axis2=2) - 1) / 2)
        uniform = np.stack(
            [
                np.interp(angle, self.law, self.levels),
                (v[:, 2] / (2 * sine) + 1) / 2,
                np.arctan2(v[:, 1], v[:, 0]) / (2 * math.pi),
            ],
            axis=1,
        ).astype(np.float32)
        mixed = uniform @ self.weights
        return (mixed - np.floor(mixed) >= self.tau).astype(np.uint8)


def edge_tau() -> float:
    """A tau at which all draws for one class are just enough: nothing of alpha is wasted."""
    return float((0.97 * ALPHA / N) ** (1 / DRAWN))


def test_the_family_wise_error_of_2048_points_under_rotation_noise() -> None:
    tau = edge_tau()
    rule = Rule(tau=tau, alpha=ALPHA, correction="bonferroni")
    exact = N * float(binom.sf(DRAWN - 1, DRAWN, tau))
    assert 0.95 * ALPHA < exact <= ALPHA
    x = np.concatenate([FRAME, np.zeros((3, N - 3), np.float32)], axis=1)
    wrong, loose, shares = 0, 0, []
    repetitions = 500
    for seed in range(repetitions):
        model = Edge(tau, seed)
        draws = Draws(Rotation(SIGMA), seed, digest(x))
        count = Count(draws, DRAWN, 5, "pooled", 2)
        tally = sample(model, x, count, batch_size=DRAWN)
        rate = tally.hit_rate
        shares.append(np.where(tally.candidate == 0, rate, 1 - rate).mean())
        wrong += bool((decide(tally, rule).level > 0).any())
        loose += bool((tally.hits >= DRAWN - 1).any())
    # What is counted is what was set up: each point at the edge.
    assert abs(np.mean(shares) - tau) < 0.005
    # As two points are independent, P(any) is between exact - exact^2 / 2 and exact.
    assert binomtest(wrong, repetitions, ALPHA, "greater").pvalue > 1e-3
    assert binomtest(wrong, repetitions, exact - exact**2 / 2, "less").pvalue > 1e-3
    # A rule that asks for one vote less is seen at once.
    assert binomtest(loose, repetitions, ALPHA, "greater").pvalue < 1e-6
