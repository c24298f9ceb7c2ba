"""What a model sees is the grid point nearest to the real number x + e, whatever the bits of x."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from devices import transcribed
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.stats import chi2, kstest, norm

import onnxcert
from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian, OnChannels, Rotation
from onnxcert.sampling.backend import NUMPY
from onnxcert.sampling.backend.in_memory import NumpyNoise, stream
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.kernels import (
    PhiloxNoise,
    Transcription,
    grid_step,
    split,
    standard_normals,
    stream_key,
)

Array = np.ndarray
SIGMA = 0.25
G = 2.0**-16
# Inputs of many magnitudes, and with low bits that float32 sums would show.
INPUTS = (0.0, 1.0, 1 - 2**-24, 0.3, 1e-7, -(2.0**-17), 117.3, -2000.7)


def numpy_noise(count: int) -> NumpyNoise:
    return NumpyNoise([stream(5, "ab" * 32, i) for i in range(count)])


def philox_noise(count: int) -> PhiloxNoise:
    return PhiloxNoise(Transcription(), stream_key(5, "ab" * 32), range(count))


GENERATORS = {"numpy": numpy_noise, "philox": philox_noise}


def drawn(generator: str, x: Array, count: int = 1, sigma: float = SIGMA) -> Array:
    out = np.empty((count, *x.shape), np.float32)
    Gaussian(sigma).perturb(x, GENERATORS[generator](count), out)
    return out


@pytest.mark.parametrize("generator", GENERATORS)
@given(
    sigma=st.floats(1e-20, 1e20),
    values=st.lists(st.floats(-(2.0**13), 2.0**13, width=32), min_size=1, max_size=40),
)
@examples(50)
def test_every_value_is_the_grid_point_nearest_to_the_sum_in_fractions(
    generator: str, sigma: float, values: list[float]
) -> None:
    """The sum of the exact x and the drawn noise, rounded once, and then to float32."""
    x = (np.array(values) * sigma).astype(np.float32)
    out = drawn(generator, x, 1, sigma)[0]
    if generator == "numpy":
        z = stream(5, "ab" * 32, 0).standard_normal(x.size)
    else:
        z = standard_normals(stream_key(5, "ab" * 32), 0, x.size)
    step = Fraction(grid_step(sigma))
    assert 2**14 <= Fraction(sigma) / step < 2**15
    for value, noise, found in zip(x.tolist(), z.tolist(), out.tolist(), strict=True):
        exact = (Fraction(value) + Fraction(sigma) * Fraction(noise)) / step
        nearest = {round(exact)}
        if abs(exact - math.floor(exact) - Fraction(1, 2)) < Fraction(1, 10**9):
            nearest = {math.floor(exact), math.floor(exact) + 1}  # float64 may lie on either side
        assert found in {float(np.float32(float(k * step))) for k in nearest}


@given(
    value=st.floats(-(2.0**13), 2.0**13, width=32),
    sigma=st.floats(1e-20, 1e20),
)
@examples(300)
def test_an_input_is_split_without_any_loss(value: float, sigma: float) -> None:
    x = np.float32(value * sigma)
    step = grid_step(sigma)
    nearest, rest = split(np.array([x]), step)
    assert Fraction(float(nearest[0])) + Fraction(float(rest[0])) * Fraction(step) == Fraction(
        float(x)
    )
    assert abs(rest[0]) <= 0.5


@pytest.mark.slow
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("value", INPUTS)
def test_cells_of_the_grid_have_the_exact_probabilities(generator: str, value: float) -> None:
    """Chi-square over single cells within two sigma of x; Kolmogorov and Smirnov over all."""
    count = 300_000
    x = np.full(count, value, np.float32)
    out = drawn(generator, x)[0].astype(np.float64)
    middle = round(float(np.float32(value)) / G)
    rest = float(np.float32(value)) / G - middle
    cell = np.rint(out / G - middle)
    if abs(value) < 64:  # the cast to float32 keeps every cell apart
        np.testing.assert_array_equal(out / G - middle, cell)
        edge = round(2 * SIGMA / G)
        k = np.arange(-edge, edge + 1)
        p = np.diff(norm.cdf((np.append(k, edge + 1) - 0.5 - rest) * G / SIGMA))
        found = np.bincount((cell[np.abs(cell) <= edge] + edge).astype(int), minlength=k.size)
        statistic = ((found - count * p) ** 2 / (count * p)).sum()
        # Cells are many and expect a few draws each: mean k, variance 2 k + sum of 1 / (n p).
        spread = math.sqrt(2 * k.size + (1 / (count * p)).sum())
        assert abs(statistic - k.size * (1 - p.sum() / k.size)) < 5 * spread
    spread_out = cell + np.random.default_rng(0).random(count) - 0.5 - rest
    assert kstest(spread_out * G / SIGMA, norm.cdf).pvalue > 1e-3
    assert kstest(1.02 * spread_out * G / SIGMA, norm.cdf).pvalue < 1e-3


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("value", INPUTS[:5])
def test_the_lowest_bits_of_a_cell_are_uniform_and_independent_of_x(
    generator: str, value: float
) -> None:
    """The last four bits of the cell's number: what a sum in float32 would bias."""
    x = np.full(400_000, value, np.float32)
    low = (np.rint(drawn(generator, x)[0].astype(np.float64) / G) % 16).astype(int)
    found = np.bincount(low, minlength=16)
    assert chi2.sf(((found - 25_000) ** 2 / 25_000).sum(), 15) > 1e-3
    # The same test sees what float32 does to the sum.
    if generator == "numpy" and value == 117.3:
        old = x + np.float32(SIGMA) * np.random.default_rng(1).standard_normal(
            x.size, dtype=np.float32
        )
        low = (np.rint(old.astype(np.float64) / 2.0**-20) % 16).astype(int)
        assert chi2.sf(((np.bincount(low, minlength=16) - 25_000) ** 2 / 25_000).sum(), 15) < 1e-9


@pytest.mark.parametrize("generator", GENERATORS)
def test_neighbours_are_independent(generator: str) -> None:
    """Chi-square of pairs over 16 x 16 cells of equal probability, at several distances."""
    x = np.full(500_000, 0.3, np.float32)
    z = (drawn(generator, x)[0].astype(np.float64) - 0.3) / SIGMA
    cell = np.minimum((norm.cdf(z) * 16).astype(int), 15)
    for lag in (1, 2, 3, 4, 8, 16_384):
        pairs = np.bincount(16 * cell[lag:] + cell[:-lag], minlength=256)
        expected = (x.size - lag) / 256
        assert chi2.sf(((pairs - expected) ** 2 / expected).sum(), 255) > 1e-4


@pytest.mark.parametrize("generator", GENERATORS)
def test_two_inputs_that_differ_in_the_last_bit_lie_on_one_grid(generator: str) -> None:
    for value in (np.ones((3, 16, 16), np.float32), np.float32(1 - 2**-24)):
        x = np.broadcast_to(np.asarray(value, np.float32), (3, 16, 16)).copy()
        whole = drawn(generator, x, 20).astype(np.float64) / G
        np.testing.assert_array_equal(whole, np.rint(whole))


class LowBits:
    """Class 0 where any value in (-1/4, 0) is no multiple of 2^-23, else class 1."""

    classes = 2

    def __init__(self, backend: object = None) -> None:
        if backend is not None:
            self.backend = backend

    def __call__(self, batch: Array) -> Array:
        scaled = batch.astype(np.float64) * 2.0**23
        odd = (batch < 0) & (batch > -0.25) & (scaled != np.floor(scaled))
        label = np.where(odd.any(axis=(1, 2, 3)), 0, 1).astype(np.uint8)
        return np.broadcast_to(label[:, None, None], (len(batch), *batch.shape[2:])).copy()


@pytest.mark.parametrize("generator", ["numpy", "philox"])
def test_two_inputs_closer_than_their_radii_never_get_contradicting_certificates(
    generator: str,
) -> None:
    """In float32 white was certified as one class and white less one step as the other."""
    white = np.ones((3, 32, 32), np.float32)
    model = LowBits(None if generator == "numpy" else transcribed())
    found = [
        onnxcert.certify(model, x, Gaussian(0.5), n=100, seed=3)
        for x in (white, white - np.float32(2**-24), np.nextafter(white, np.float32(2)))
    ]
    for one in found:
        assert one.radius > 0.3
        assert one.tally.law_error == Gaussian(0.5).law_error(white.shape)
        for other in found:
            both = (one.labels >= 0) & (other.labels >= 0)
            assert (one.labels[both] == other.labels[both]).all()


def test_rows_of_a_slice_are_written_where_they_are() -> None:
    """Channels of a larger batch are no contiguous block."""
    x = np.random.default_rng(0).random((5, 40, 40), dtype=np.float32)
    out = np.full((3, 5, 40, 40), np.nan, np.float32)
    OnChannels(Gaussian(SIGMA), 1, 4).perturb(x, numpy_noise(3), out)
    np.testing.assert_array_equal(out[:, 1:4], drawn("numpy", x[1:4], 3))
    np.testing.assert_array_equal(out[:, ::4], np.broadcast_to(x[::4], (3, 2, 40, 40)))


@pytest.mark.parametrize("of", [Gaussian(SIGMA), Rotation(0.25), OnChannels(Rotation(0.25), 0, 3)])
def test_what_is_prepared_once_gives_the_draws_of_what_is_not(of: onnxcert.Gaussian) -> None:
    x = np.random.default_rng(0).random((3, 70), dtype=np.float32)
    draws = Draws(of, 7, digest(x))
    one, other = (np.empty((6, 3, 70), np.float32) for _ in range(2))
    write = draws.writer(x)
    for i in range(6):
        write(range(i, i + 1), one[i : i + 1])
    of.perturb(x, NumpyNoise([stream(7, draws.digest, i) for i in range(6)]), other)
    np.testing.assert_array_equal(one, other)


def test_no_draw_is_written_of_an_input_that_is_too_large_for_its_noise() -> None:
    x = np.full((3, 8), 1e6, np.float32)
    with pytest.raises(ParameterError, match="too small for an input with values up to 1e\\+06"):
        Draws(Gaussian(0.05), 1, digest(x)).write(x, range(1), np.empty((1, 3, 8), np.float32))


def test_the_law_error_grows_with_the_values_that_are_perturbed() -> None:
    error = Gaussian(0.25).law_error
    assert error((3, 600, 600)) == pytest.approx(1.7e-7, rel=0.05)
    assert error((1,)) < error((2,)) < error((3, 2**22)) < 1e-6
    assert error((3, 100)) == Gaussian(7.0).law_error((300,))
    assert OnChannels(Gaussian(0.25), 0, 3).law_error((6, 50)) == error((3, 50))
    assert Rotation(0.25).law_error((3, 2048)) == pytest.approx(9e-7, rel=0.05)
    assert Rotation(0.25, vectors=2).law_error((6, 2048)) > Rotation(0.25).law_error((6, 2048))


@pytest.mark.parametrize("generator", GENERATORS)
def test_normals_are_as_fine_as_the_bound_of_the_law_error_takes_them_for(generator: str) -> None:
    """Bits from the 40th on behind the point are uniform; those of float32 are not there."""
    z = GENERATORS[generator](1).normals(400_000)[0]
    z = z[(np.abs(z) > 0.25) & (np.abs(z) < 3.5)]

    def uniform(values: Array) -> float:
        found = np.bincount((values * 2.0**44 % 1 * 16).astype(int), minlength=16)
        expected = values.size / 16
        return float(chi2.sf(((found - expected) ** 2 / expected).sum(), 15))

    assert uniform(z) > 1e-3
    assert uniform(z.astype(np.float32).astype(np.float64)) < 1e-9


def reduced(bits: int, width: float, count: int) -> tuple[Array, Array]:
    """Box and Muller with words of few bits, all of them: found and exact cell probabilities."""
    m = (np.arange(2**bits) + 0.5) / 2**bits
    z = np.outer(np.sqrt(-2 * np.log(m)), np.cos(2 * np.pi * m)).ravel()
    k = np.arange(-count, count + 1)
    edges = (np.append(k, count + 1) - 0.5 + 0.123) * width
    found = np.histogram(z, edges)[0] / z.size
    return found, np.diff(norm.cdf(edges))


@pytest.mark.parametrize("bits", [10, 11, 12])
def test_words_of_few_bits_obey_the_bound_that_long_ones_are_held_to(bits: int) -> None:
    """docs/statistics.md: 4 e^(-a^2 / 2) 2^-bits for the angles and 2 L 2^-bits for the radii."""
    width = 2.0**-3
    found, exact = reduced(bits, width, 20)
    a = np.maximum(np.abs(np.arange(-20, 21) + 0.123) - 0.5, 0) * width
    longest = np.where(a > 0, np.arccos(a / (a + width)) / np.pi, 1.0)
    bound = (4 * np.exp(-(a**2) / 2) + 2 * longest) * 2.0**-bits
    assert (np.abs(found - exact) <= bound).all()
    # It is no empty bound: with half as many bits it is exceeded.
    coarse, _ = reduced(bits // 2, width, 20)
    assert (np.abs(coarse - exact) > bound).any()


@pytest.mark.parametrize("sigma", [SIGMA, 2.0**20])
def test_what_is_prepared_once_is_the_input_to_the_last_bit(sigma: float) -> None:
    """Also for numbers so small that their rest, in steps of a wide grid, is none of float32."""
    x = np.array([*INPUTS, 1e-45, 3e-45, -1e-40, 2.0**-126], np.float32)
    prepared = NUMPY.prepare(x, sigma)
    step = Fraction(grid_step(sigma))
    for value, nearest, rest in zip(x, prepared.nearest, prepared.rest, strict=True):
        assert Fraction(float(nearest)) + step * Fraction(float(rest)) == Fraction(float(value))
