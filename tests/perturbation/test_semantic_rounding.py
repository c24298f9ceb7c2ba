"""The law error of changes with few parameters: against arithmetic with more digits.

The exact parameter is taken a whole step of the normals' lattice (3.92 * 2^-52) away, which is more
than the error that the bound assumes in the mean.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.fft import dctn, idctn

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
from onnxcert.perturbation.blur import transform_error
from onnxcert.perturbation.semantic import GRID, LARGEST_COORDINATE, ROUNDING, Semantic

Array = np.ndarray
mpf = mpmath.mpf
STEP = mpf(3.92) * mpf(2) ** -52
SPECIAL = (0.0, 1e-45, 1e-6, 0.02, 0.055 / 1.4, 0.04045, 0.5, 1 - 2**-24, 1.0)


def exposure(x: Any, t: Any) -> Any:
    gamma, a = mpf("2.4"), mpf("0.055")
    junction = a / (gamma - 1)
    slope = junction / ((junction + a) / (1 + a)) ** gamma
    light = x / slope if x <= junction else ((x + a) / (1 + a)) ** gamma
    light *= 2**t
    return slope * light if light <= junction / slope else (1 + a) * light ** (1 / gamma) - a


EXACT = {
    Exposure: exposure,
    Gain: lambda x, t: x * 2**t,
    Contrast: lambda x, t: (x - mpf(1) / 2) * 2**t + mpf(1) / 2,
    WhiteBalance: lambda x, t: x * 2**t,
    Brightness: lambda x, t: x + t,
    Gamma: lambda x, t: x ** (2**t) if x else mpf(0),
    Scaling: lambda x, t: x * 2**t,
    Shift: lambda x, t: x + t,
}


def compute(noise: Semantic, x: Array, t: list[float], u: float) -> Array:
    """What `perturb` rounds down, in steps of the grid."""
    row = noise.transform(noise.split(x.astype(np.float64)), t)
    return np.asarray(row * (1 / GRID) + u)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("kind", EXACT, ids=lambda kind: kind.name)
def test_computed_values_are_as_close_to_exact_ones_as_the_law_error_says(
    kind: type[Any], sigma: float
) -> None:
    noise = kind(sigma)
    rng = np.random.default_rng(5)
    cloud = kind in (Scaling, Shift)
    x = rng.uniform(-1024, 1024, (3, 20)) if cloud else rng.random((3, 4, 5))
    x = x.astype(np.float32)
    if not cloud:
        x.reshape(-1)[: len(SPECIAL)] = SPECIAL
    total, count = mpf(0), 25
    with mpmath.workdps(45):
        for _ in range(count):
            z, u = rng.standard_normal(kind.parameter_count), rng.random()
            computed = compute(noise, x, (noise.sigma * z).tolist(), u)
            for place in np.ndindex(x.shape):
                mine = z[place[0] if kind.parameter_count == 3 else 0]
                t = mpf(noise.sigma) * (mpf(mine) + STEP)
                wanted = EXACT[kind](mpf(float(x[place])), t) / mpf(GRID) + mpf(u)
                total += abs(mpf(float(computed[place])) - wanted)
    bound = noise.law_error(x.shape) - 2.0**-40
    assert bound / 200 < total / count <= bound  # the bound holds and says something


def by_definition(x: Array, t: Any) -> Array:
    """The blur as a product with the matrices of the cosine transform, in 80 bits."""
    x = np.asarray(x, np.longdouble)
    for axis in (1, 2):
        n = x.shape[axis]
        k = np.arange(n, dtype=np.longdouble)
        pi = np.longdouble("3.14159265358979323846264338327950288")
        basis = np.cos(pi * k[:, None] * (k + 0.5) / n) * np.sqrt(np.longdouble(2) / n)
        basis[0] /= np.sqrt(np.longdouble(2))
        factors = np.exp(-2 * t * np.sin(pi * k / (2 * n)) ** 2)
        x = np.moveaxis(np.tensordot((basis.T * factors) @ basis, x, (1, axis)), 0, axis)
    return x


@pytest.mark.slow
@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no longer here")
@pytest.mark.parametrize("shape", [(3, 48, 60), (1, 37, 67), (3, 1, 53), (1, 59, 106), (2, 128, 1)])
def test_a_computed_blur_is_as_close_to_the_exact_one_as_the_law_error_says(
    shape: tuple[int, ...],
) -> None:
    rng = np.random.default_rng(6)
    x = rng.random(shape).astype(np.float32)
    for sigma in (0.01, 1.0, 100.0):
        noise, total, count = Blur(sigma), 0.0, 10
        for _ in range(count):
            z, u = rng.standard_normal(2), rng.random()
            t = sigma / 2 * np.sum(z * z)
            exact = np.asarray(z, np.longdouble) + np.longdouble(3.92 * 2**-52)
            wanted = by_definition(x, np.longdouble(sigma) / 2 * np.sum(exact * exact))
            found = compute(noise, x, [float(t)], u).astype(np.longdouble)
            total += float(np.abs(found - (wanted / GRID + u)).sum())
        bound = noise.law_error(shape) - 2.0**-40
        assert bound / 20_000 < total / count <= bound


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no longer here")
def test_fast_transforms_of_any_length_are_as_accurate_as_the_bound_says() -> None:
    """SciPy has them in 80 bits, too; both directions, up to lengths for Bluestein's algorithm."""
    rng = np.random.default_rng(7)
    for n in (*range(1, 130), 144, 169, 222, 307, 359, 375, 480, 479, 1021, 1242, 2047, 2048):
        x = rng.random((4, n))
        wide = x.astype(np.longdouble)
        for transform in (dctn, idctn):
            wanted = transform(wide, axes=(1,), norm="ortho")
            error = np.asarray(transform(x, axes=(1,), norm="ortho")) - wanted
            relative = np.sqrt((error**2).sum() / (wide**2).sum())
            assert relative <= transform_error(n) * ROUNDING, n


def test_the_bound_of_a_transform_grows_with_its_prime_factors() -> None:
    assert transform_error(480) == pytest.approx(
        30 + 5 * math.sqrt(2) * 10 + math.sqrt(3) * 11 + math.sqrt(5) * 13
    )
    assert transform_error(1) == 30
    assert transform_error(479) > 479**1.5 > 50 * transform_error(480)


def test_the_law_error_is_for_the_largest_inputs_that_are_accepted() -> None:
    """The bounds scale with the values: an input beyond these would break them."""
    assert Scaling(0.5).law_error((3, 9)) - 2.0**-40 == pytest.approx(
        LARGEST_COORDINATE * (Gain(0.5).law_error((3, 3, 3)) - 2.0**-40)
    )
