"""Gaussian noise has the law it claims, and its radius is never above the one proved for it."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.stats import kstest, norm

from onnxcert._typing import Perturbation
from onnxcert.errors import ParameterError
from onnxcert.perturbation import PERTURBATIONS, Gaussian
from onnxcert.sampling.backend.in_memory import NumpyNoise
from onnxcert.statistics.guarantee import describe_attack, describe_formula, format_radius

SIGMAS = (0.01, 0.25, 0.7, 30.0)


def noise(sigma: float, size: int, seed: int = 1) -> np.ndarray:
    x = np.zeros(size, np.float32)
    out = np.empty((1, size), np.float32)
    Gaussian(sigma).perturb(x, NumpyNoise([np.random.default_rng(seed)]), out)
    return out[0].astype(np.float64)


def quantile(tau: float) -> mpmath.mpf:
    """Phi^-1(tau), 40 digits."""
    with mpmath.workdps(60):
        return mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(tau) - 1)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_noise_is_normal_with_the_declared_sigma(sigma: float) -> None:
    e = noise(sigma, 200_000)
    assert abs(e.mean()) < 5 * sigma / math.sqrt(e.size)
    assert abs(e.var() / sigma**2 - 1) < 5 * math.sqrt(2 / e.size)
    assert kstest(e, norm(0, sigma).cdf).pvalue > 1e-3
    # The same test would see three per cent of sigma, and a twentieth of it as a mean.
    assert kstest(e, norm(0, 1.03 * sigma).cdf).pvalue < 1e-5
    assert kstest(e, norm(0.05 * sigma, sigma).cdf).pvalue < 1e-5


def test_the_noise_is_added_to_the_input_and_nothing_else_is_touched() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((3, 8, 9), dtype=np.float32)
    kept = x.copy()
    out = np.full((1, *x.shape), np.nan, np.float32)
    Gaussian(0.5).perturb(x, NumpyNoise([np.random.default_rng(1)]), out)
    z = np.random.default_rng(1).standard_normal(x.shape)
    np.testing.assert_allclose(out[0], x + 0.5 * z, rtol=0, atol=2.0**-16)
    np.testing.assert_array_equal(x, kept)
    assert out.dtype == np.float32


@given(
    tau=st.floats(0.5, 1.0, exclude_max=True),
    sigma=st.floats(1e-6, 1e6),
)
@examples(200)
def test_the_radius_is_never_above_the_exact_one_and_hardly_below(tau: float, sigma: float) -> None:
    with mpmath.workdps(60):
        applied = min(sigma, float(np.float32(sigma)))
        exact = mpmath.mpf(applied) * quantile(tau)
        radius = mpmath.mpf(Gaussian(sigma).radius(tau))
        assert exact * (1 - mpmath.mpf("1e-9")) <= radius <= exact


@pytest.mark.parametrize("tau", [0.5, 0.5 + 2**-52, 0.51, 0.75, 0.99, 1 - 2**-20, 1 - 2**-53])
def test_the_radius_at_the_ends_of_the_range(tau: float) -> None:
    with mpmath.workdps(60):
        exact = quantile(tau)
        assert exact * (1 - mpmath.mpf("1e-9")) <= Gaussian(1.0).radius(tau) <= exact


def test_half_a_vote_rules_no_attack_out() -> None:
    assert Gaussian(0.25).radius(0.5) == 0.0


@pytest.mark.parametrize("tau", [0.55, 0.75, 0.9, 0.99])
def test_the_radius_is_the_tau_quantile_of_one_dimensional_noise(tau: float) -> None:
    """No formula is needed: e <= r is the classifier that an attack hurts most. It answers with
    probability tau where r is the tau-quantile of e, and with 1/2 after a shift by exactly r."""
    sigma, size = 0.25, 400_000
    e = noise(sigma, size)
    radius = Gaussian(sigma).radius(tau)
    error = math.sqrt(tau * (1 - tau) / size) * sigma / norm.pdf(norm.ppf(tau))
    assert abs(np.quantile(e, tau) - radius) < 5 * error
    # The radius cannot be larger: shifted by it, the classifier is at its majority's edge.
    assert abs(np.mean(e + radius <= radius) - 0.5) < 5 * 0.5 / math.sqrt(size)
    assert np.mean(e + 1.05 * radius <= radius) < 0.5


@pytest.mark.parametrize("sigma", [0.0, -0.0, -0.25, math.nan, math.inf, -math.inf])
def test_a_sigma_that_is_not_positive_and_finite_is_refused(sigma: float) -> None:
    with pytest.raises(ParameterError, match="sigma must be a positive number"):
        Gaussian(sigma)


def test_the_registry_rebuilds_a_perturbation_from_its_parameters() -> None:
    for cls in PERTURBATIONS.values():
        assert isinstance(cls, type)
    again: Perturbation = PERTURBATIONS["gaussian"](**Gaussian(0.3).parameters())
    assert again == Gaussian(0.3)


def test_the_radius_is_not_above_that_of_sigma_in_float32_which_old_records_were_drawn_with() -> (
    None
):
    for sigma in (0.1, 0.25, 0.7, 0.9):
        with mpmath.workdps(60):
            exact = mpmath.mpf(float(np.float32(sigma))) * quantile(0.75)
            assert Gaussian(sigma).radius(0.75) <= exact


def test_the_printed_radius_is_never_above_the_exact_one() -> None:
    for sigma in (0.2, 0.25, 0.5, 1.0):
        gaussian = Gaussian(sigma)
        printed = float(format_radius(gaussian, gaussian.radius(0.75)))
        assert 0.999 * sigma * quantile(0.75) <= printed <= sigma * quantile(0.75)


@given(radius=st.floats(1e-30, 1e30))
@examples(500)
def test_a_radius_is_shown_with_four_digits_and_never_above_the_exact_one(radius: float) -> None:
    """`radius` has itself been rounded down by 1e-12."""
    shown = float(format_radius(Gaussian(1.0), radius))
    assert radius * (1 - 1.001e-3) <= shown <= radius * (1 + 1.01e-12)


def test_the_attack_and_the_formula_hold_what_they_are_given() -> None:
    assert describe_attack(Gaussian(0.25), "R = 3", "grey levels") == (
        "every perturbation d of the input with L2 norm at most R = 3 (grey levels)"
    )
    assert describe_formula(Gaussian(0.25)) == "sigma * Phi^-1(tau)"
    assert describe_formula(Gaussian(0.25), 0.8) == "0.25 * Phi^-1(0.8)"


def test_a_sigma_that_float32_cannot_hold_is_refused() -> None:
    with pytest.raises(ParameterError):
        Gaussian(1e-46)
