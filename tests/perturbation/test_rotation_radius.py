"""The radius of rotations: below the true one, above the classical one, and close to the former.

The reference here shares nothing with the code but the law of v: it cuts (angle of Q, direction of
the axis) into cells, orders them by likelihood ratio, and fills the worst set.
"""

from __future__ import annotations

import itertools
import math
import time
from functools import cache
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.stats import norm

from onnxcert.perturbation import Rotation
from onnxcert.perturbation.angle_law import angle_density, curvature_bound, density, lower_polygon
from onnxcert.perturbation.rotation_radius import (
    Layers,
    RotationRadius,
    bend_bound,
    classical_radius,
    common_area,
    exact_radius,
    radius_near_half,
)

SIGMAS = (0.02, 0.125, 0.25, 0.3, 0.31, 0.5, 0.8, 1.0)


def mp_density(a: mpmath.mpf, sigma: float) -> mpmath.mpf:
    """h with 40 digits and every wrap that matters, from the density of v."""
    total = mpmath.mpf(0)
    for k in range(-8, 9):
        u = a + 2 * mpmath.pi * k
        maxwell = mpmath.sqrt(2 / mpmath.pi) * u**2 / mpmath.mpf(sigma) ** 3
        total += maxwell * mpmath.exp(-(u**2) / (2 * mpmath.mpf(sigma) ** 2))
    return total * mpmath.pi / (1 - mpmath.cos(a))


@cache
def cells(sigma: float, s: float) -> tuple[np.ndarray, np.ndarray]:
    """P and P_S of cells in (angle, direction), in the order in which the worst set drops them."""
    top = min(math.pi, 9 * sigma + s)
    a = ((np.arange(1200) + 0.5) * top / 1200)[:, None]
    u = (np.arange(600) + 0.5) / 300 - 1
    w = np.cos(a / 2) * math.cos(s / 2) + np.sin(a / 2) * math.sin(s / 2) * u
    b = 2 * np.arccos(np.minimum(np.abs(w), 1.0))
    haar = (1 - np.cos(a)) / math.pi * (top / 1200) / 600
    p = np.broadcast_to(density(a, sigma) * haar, w.shape).ravel()
    p_s = (density(np.maximum(b, 1e-9), sigma) * haar).ravel()
    order = np.argsort(-p_s / np.maximum(p, 1e-300))
    return np.cumsum(p[order]), np.cumsum(p_s[order])


def true_tau(sigma: float, s: float) -> float:
    """The tau at which the attack angle s leaves just one half."""
    p, p_s = cells(sigma, s)
    return 1.0 - float(np.interp(0.5 * p_s[-1], p_s, p)) / float(p[-1])


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_density_is_that_of_mpmath_and_falls(sigma: float) -> None:
    a = np.linspace(0, min(math.pi, 12 * sigma), 401)[1:]
    with mpmath.workdps(40):
        wanted = np.array([float(mp_density(mpmath.mpf(float(x)), sigma)) for x in a])
    np.testing.assert_allclose(density(a, sigma), wanted, rtol=1e-12)
    assert (np.diff(density(a, sigma)) < 0).all()
    fine = np.linspace(0, math.pi, 200_001)
    assert np.trapezoid(angle_density(fine, sigma), fine) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("pieces", [150, 3000])
def test_the_broken_line_is_nowhere_above_the_density_and_falls(sigma: float, pieces: int) -> None:
    top = min(math.pi, 12 * sigma)
    a = np.linspace(0.0, top, pieces + 1)[1:]
    line = lower_polygon(a, sigma)
    assert (np.diff(line) <= 0).all()
    fine = np.linspace(top / 1e5, top, 100_001)
    below = np.interp(fine, a, line)
    assert (below <= density(fine, sigma) * (1 - 5e-13)).all()
    lost = (density(fine, sigma) - below) * (1 - np.cos(fine)) / math.pi
    assert np.trapezoid(lost, fine) < (5e-6 if pieces == 3000 else 3e-3)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_bend_of_the_density_is_never_above_its_bound(sigma: float) -> None:
    a = np.linspace(0.05 * sigma, min(math.pi, 10 * sigma), 60)
    bound = curvature_bound(a[:-1], a[1:], sigma)
    with mpmath.workdps(40):
        for low, high, limit in zip(a[:-1], a[1:], bound, strict=True):
            for x in (low, 0.5 * (low + high), high):
                second = mpmath.diff(lambda t: mp_density(t, sigma), mpmath.mpf(float(x)), 2)
                assert float(second) <= limit


@given(alpha=st.floats(0, math.pi / 2), beta=st.floats(0, math.pi / 2), omega=st.floats(1e-3, 3.14))
@examples(60)
def test_the_common_area_of_two_segments_is_that_of_an_integral(
    alpha: float, beta: float, omega: float
) -> None:
    """Heights above the first chord, cut by the second half-plane."""
    x = np.cos(alpha) + (1 - np.cos(alpha)) * (np.arange(40_000) + 0.5) / 40_000
    half = np.sqrt(np.maximum(0.0, 1 - x * x))
    y = (np.cos(beta) - x * math.cos(omega)) / math.sin(omega)
    wanted = np.mean(half - np.clip(y, -half, half)) * (1 - np.cos(alpha))
    got = float(common_area(np.array(alpha), np.array(beta), omega))
    assert got == pytest.approx(float(wanted), abs=2e-6)


@given(
    ends=st.tuples(*[st.floats(0, math.pi / 2)] * 4),
    omega=st.floats(1e-3, math.pi - 1e-3),
)
@examples(300)
def test_the_trapezoid_less_the_bend_is_never_above_the_mean_area(
    ends: tuple[float, float, float, float], omega: float
) -> None:
    a0, a1, b0, b1 = ends
    t = np.linspace(0, 1, 2001)
    a = max(a0, a1) + (min(a0, a1) - max(a0, a1)) * t
    b = max(b0, b1) + (min(b0, b1) - max(b0, b1)) * t
    area = common_area(a, b, omega)
    bend = bend_bound(a[:1], b[:1], a[-1:] - a[:1], b[-1:] - b[:1], omega)
    trapezoid = 0.5 * (area[0] + area[-1]) - float(bend[0]) / 12
    assert trapezoid <= np.trapezoid(area, t) + 1e-6


@pytest.mark.parametrize("sigma", [0.125, 0.5, 1.0])
@pytest.mark.parametrize(("part", "k"), [(0.4, 1.1), (1.0, 1.6), (2.5, 9.0)])
def test_the_overlap_is_below_that_of_the_cells_and_hardly(
    sigma: float, part: float, k: float
) -> None:
    s = part * sigma
    p, p_s = cells(sigma, s)
    each, each_s = np.diff(p, prepend=0.0) / p[-1], np.diff(p_s, prepend=0.0) / p_s[-1]
    wanted = float(np.minimum(k * each, each_s).sum())
    fine, coarse = Layers(sigma, 3000).overlap(k, s), Layers(sigma, 150).overlap(k, s)
    assert coarse < fine < wanted + 2e-5
    assert fine > wanted - 2e-5
    assert coarse > wanted - 5e-3


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.125, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("tau", [0.6, 0.75, 0.9])
def test_the_radius_is_the_one_of_worst_sets_to_a_twentieth_of_the_gain(
    sigma: float, tau: float
) -> None:
    start, found = classical_radius(sigma, tau), exact_radius(sigma, tau)
    accuracy = 3e-4 * start  # what the cells of the reference are worth
    assert true_tau(sigma, found - accuracy) <= tau
    beyond = start + (found - start) / 0.95 + accuracy
    assert beyond < math.pi
    assert true_tau(sigma, beyond) >= tau


def test_where_every_rotation_is_covered_it_is_by_the_worst_sets_too() -> None:
    assert exact_radius(1.0, 0.95) == math.pi
    assert exact_radius(1.0, 0.92) < math.pi
    assert 0.92 < true_tau(1.0, math.pi) <= 0.95


@pytest.mark.parametrize(
    ("sigma", "gain"), [(0.0625, 1.0005), (0.125, 1.0025), (0.25, 1.0103), (0.5, 1.0435)]
)
def test_the_gain_over_the_classical_radius(sigma: float, gain: float) -> None:
    for tau in (0.7, 0.75, 0.85, 0.95, 0.99):
        assert exact_radius(sigma, tau) / classical_radius(sigma, tau) > gain
    assert exact_radius(1.0, 0.75) / classical_radius(1.0, 0.75) > 1.33
    assert 1.46 < exact_radius(1.0, 0.9) / classical_radius(1.0, 0.9) < 1.49


@given(
    sigma=st.sampled_from(SIGMAS),
    taus=st.tuples(st.floats(0.5, 1, exclude_max=True), st.floats(0.5, 1, exclude_max=True)),
)
@examples(60)
def test_the_radius_rises_with_tau_and_is_never_below_the_classical(
    sigma: float, taus: tuple[float, float]
) -> None:
    low, high = (exact_radius(sigma, tau) for tau in sorted(taus))
    assert low <= high <= math.pi
    for tau in taus:
        assert exact_radius(sigma, tau) >= classical_radius(sigma, tau)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", SIGMAS)
def test_near_half_and_near_one_it_is_not_below_the_classical_either(sigma: float) -> None:
    near = [0.5 + 2.0**-j for j in range(3, 53, 3)]
    far = [1 - 2.0**-j for j in range(2, 54, 3)]
    radii = [exact_radius(sigma, tau) for tau in sorted({*near, *far})]
    assert all(a <= b for a, b in itertools.pairwise(radii))
    for tau in (*near, *far):
        assert exact_radius(sigma, tau) >= classical_radius(sigma, tau)
    assert exact_radius(sigma, 0.5) == 0.0


def test_what_holds_near_half_is_below_the_slope_of_the_true_radius() -> None:
    """Theorem 3: a quarter of the mean score; the poles' share is left out as in its proof."""
    for sigma in (0.1, 0.3, 0.5, 0.8, 1.0):
        a = np.geomspace(1e-30, math.pi, 400_001)
        p = angle_density(a, sigma)
        score = np.trapezoid(p / np.tan(a / 2), a) + p[0] - p[-1]
        assert radius_near_half(sigma, 0.5 + 1e-6) <= 1e-6 * 4 / score
        assert radius_near_half(sigma, 0.5 + 1e-6) > 0.85 * 1e-6 * 4 / score
        assert radius_near_half(sigma, 0.5001) > sigma * float(norm.ppf(0.5001))


@pytest.mark.slow
def test_a_radius_is_quick_and_a_map_of_a_thousand_is_too() -> None:
    """Processor time: a radius some 65 ms, a map fifty times as much; the bounds are generous."""
    start = time.process_time()
    RotationRadius(0.217)(0.75)
    one = time.process_time() - start
    assert one < 3.0
    start = time.process_time()
    found = RotationRadius(0.218)
    radii = [found(float(tau)) for tau in np.linspace(0.6, 0.9999, 1000)]
    assert time.process_time() - start < 400 * one
    assert all(a <= b for a, b in itertools.pairwise(radii))


def test_the_order_of_questions_does_not_change_the_answers() -> None:
    taus = [0.6, 0.9, 0.75, 0.99, 0.75001]
    one, other = RotationRadius(0.4), RotationRadius(0.4)
    forward = [one(tau) for tau in taus]
    assert [other(tau) for tau in taus[::-1]] == forward[::-1]
    assert Rotation(0.4).radius(0.9) == forward[1]


def test_the_table_of_the_documentation_is_what_the_program_computes() -> None:
    text = (Path(__file__).parents[2] / "docs" / "rotation.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if " %) |" in line]
    assert [row[0] for row in rows] == ["0.125", "0.25", "0.5", "0.75", "1"]
    for sigma, *written in rows:
        for tau, cell in zip((0.6, 0.75, 0.85, 0.95), written, strict=True):
            start, found = classical_radius(float(sigma), tau), exact_radius(float(sigma), tau)
            one, other = cell.split(" / ")
            assert 0 <= start - float(one) < 1e-4
            if other == "pi":
                assert found == math.pi
            else:
                radius, gain = other.removesuffix(" %)").split(" (")
                assert 0 <= found - float(radius) < 1e-4
                assert float(gain) == pytest.approx(100 * (found / start - 1), abs=0.02)
