"""Philox is Philox, no two streams share a number, and the normals are normal."""

from __future__ import annotations

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.stats import chi2, kstest, norm

from onnxcert.sampling.kernels import PhiloxNoise, Transcription, standard_normals, stream_key
from onnxcert.sampling.kernels.philox import (
    ELEMENTS,
    NORMALS,
    OFFSETS,
    blocks,
    box_muller,
    philox4x32,
)

DIGEST = "0123456789abcdef" * 4
KEY = stream_key(7, DIGEST)
ONES = 0xFFFFFFFF

# Counter, key and block of philox4x32-10 in `kat_vectors` of Random123 1.09.
PUBLISHED = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "block"), PUBLISHED)
def test_the_published_vectors(
    counter: tuple[int, ...], key: tuple[int, int], block: tuple[int, ...]
) -> None:
    assert tuple(philox4x32(counter, key).tolist()) == block


def test_a_block_is_found_from_its_place_alone() -> None:
    """Elements and draws beyond 32 bits, and the domain, are all in the counter."""
    for q, draw, domain in [(0, 0, 0), (5, 9, 1), (2**33 + 3, 2**40 + 1, 1), (2**59, 2**63, 0)]:
        counter = (q & ONES, (q >> 32) | (domain << 28), draw & ONES, draw >> 32)
        np.testing.assert_array_equal(
            blocks(KEY, draw, q, q + 1, domain)[0], philox4x32(counter, KEY)
        )


def test_the_key_is_a_hash_of_seed_and_input() -> None:
    keys = {stream_key(seed, DIGEST) for seed in (0, 1, 2**32, 2**63 - 1)}
    keys |= {stream_key(7, f"{i:064x}") for i in range(1000)}
    assert len(keys) == 1004
    assert all(0 <= word <= ONES for key in keys for word in key)
    # One value by hand, so that streams never change unnoticed.
    assert stream_key(0, "00" * 32) == (0x6C1E21C7, 0x137E1941)


def test_no_two_blocks_are_the_same() -> None:
    """Of draws, elements, domains, seeds and inputs: all different, as 2^128 is never exhausted."""
    keys = [stream_key(seed, f"{i:064x}") for seed in range(3) for i in range(3)]
    draws = (0, 1, 2, 2**32, 2**32 + 1)
    found = np.concatenate(
        [
            blocks(key, draw, 0, 500, domain)
            for key in keys
            for draw in draws
            for domain in (ELEMENTS, NORMALS, OFFSETS)
        ]
    )
    assert len(np.unique(found, axis=0)) == len(found) == 9 * 5 * 3 * 500


def test_streams_are_uncorrelated() -> None:
    """Neighbouring draws, seeds, inputs and domains, and neighbours in one stream."""
    n = 100_000
    streams = [
        standard_normals(KEY, 0, n),
        standard_normals(KEY, 1, n),
        standard_normals(KEY, 2**32, n),
        standard_normals(KEY, 0, n, NORMALS),
        standard_normals(stream_key(8, DIGEST), 0, n),
        standard_normals(stream_key(7, DIGEST[::-1]), 0, n),
    ]
    for i, a in enumerate(streams):
        for b in streams[:i]:
            assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(n)
            assert abs(np.corrcoef(a * a, b * b)[0, 1]) < 5 / math.sqrt(n)
        for lag in (1, 2, 3, 4, 8):
            assert abs(np.corrcoef(a[lag:], a[:-lag])[0, 1]) < 5 / math.sqrt(n)
            assert abs(np.corrcoef(a[lag:] ** 2, a[:-lag] ** 2)[0, 1]) < 5 / math.sqrt(n)


@pytest.mark.slow
def test_the_normals_are_normal() -> None:
    z = standard_normals(KEY, 3, 2_000_000).astype(np.float64)
    n = z.size
    assert kstest(z, norm.cdf).pvalue > 1e-3
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)]:
        assert abs((z**power).mean() - moment) < 5 * math.sqrt(variance / n)
    for r in range(4):
        assert kstest(z[r::4], norm.cdf).pvalue > 1e-3
    # The test would see half a per cent of sigma.
    assert kstest(1.005 * z, norm.cdf).pvalue < 1e-3


@pytest.mark.slow
def test_tails_have_their_share() -> None:
    """Counts in bins from 3 to 4.5 sigma, on both sides."""
    n = 4_000_000
    z = standard_normals(KEY, 4, n)
    edges = np.array([3.0, 3.25, 3.5, 3.75, 4.0, 4.5, np.inf])
    for side in (z, -z):
        counts = np.array([((side >= a) & (side < b)).sum() for a, b in pairwise(edges)])
        expected = n * -np.diff(norm.sf(edges))
        assert chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts)) > 1e-3


def test_the_angle_is_uniform_and_independent_of_the_radius() -> None:
    z = standard_normals(KEY, 5, 1_000_000).astype(np.float64).reshape(-1, 2)
    radius, angle = np.hypot(*z.T), np.arctan2(z[:, 1], z[:, 0]) / (2 * math.pi) + 0.5
    assert kstest(angle, "uniform").pvalue > 1e-3
    assert kstest(np.exp(-(radius**2) / 2), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(radius, angle)[0, 1]) < 5 / math.sqrt(len(z))


def of(words: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.array(words, dtype=np.uint64).T.copy()
    return box_muller(a, b)


def test_the_tail_reaches_nine_sigma_and_nothing_is_infinite() -> None:
    z, _ = of([(0, 0), (0, 2**63)])
    assert z[0] > 9.49
    assert z[1] < -9.49
    # All 64 bits count: every word next to 0 has a radius of its own.
    z, _ = of([(low, 0) for low in range(257)])
    assert (np.diff(z) < 0).all()
    z, other = of([(2**64 - 1, 2**64 - 1), (2**64 - 1, 0), (2**64 - 200, 77)])
    assert np.isfinite(z).all()
    assert np.isfinite(other).all()
    assert np.hypot(z, other).max() < 1e-7


@pytest.mark.slow
def test_every_step_follows_the_formula_to_a_few_units_of_the_last_place() -> None:
    """At ordinary and at extreme words; signs and octants included."""
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 2**64, (2, 20_000), dtype=np.uint64)
    a[:500] = rng.integers(0, 300, 500)
    a[500:1000] = np.uint64(2**64 - 1) - rng.integers(0, 2**20, 500, dtype=np.uint64)
    b[:4096] = np.arange(4096, dtype=np.uint64) << np.uint64(52)
    b[4096:5000] = (np.arange(904, dtype=np.uint64) % 8 << np.uint64(61)) + rng.integers(
        0, 2**20, 904, dtype=np.uint64
    )
    z0, z1 = box_muller(a, b)
    with mpmath.workdps(40):
        for word, angle, first, second in zip(
            a.tolist(), b.tolist(), z0.tolist(), z1.tolist(), strict=True
        ):
            radius = mpmath.sqrt(-2 * mpmath.log((word + mpmath.mpf(0.5)) / 2**64))
            turn = 2 * mpmath.pi * (angle + mpmath.mpf(0.5)) / 2**64
            # u is rounded to 53 bits, which moves a radius r by 2^-52 / r at most.
            moved = 2.0**-52 / max(float(radius), 2.0**-26)
            for found, exact in ((first, mpmath.cos(turn)), (second, mpmath.sin(turn))):
                wanted = radius * exact
                assert abs(found - wanted) <= 8 * 2.0**-53 * abs(wanted) + moved * abs(exact)


def test_a_row_is_that_of_its_draw_whatever_the_batch() -> None:
    x = np.random.default_rng(0).random((3, 5, 7), dtype=np.float32)
    whole = np.empty((12, *x.shape), np.float32)
    kernels, sigma = Transcription(), 0.25
    PhiloxNoise(kernels, KEY, range(12)).add_normal(x, sigma, whole)
    for size in (1, 5, 7):
        for start in range(0, 12, size):
            indices = range(start, min(start + size, 12))
            part = np.empty((len(indices), *x.shape), np.float32)
            PhiloxNoise(kernels, KEY, indices).add_normal(x, sigma, part)
            np.testing.assert_array_equal(part, whole[start : indices.stop])
    assert len({row.tobytes() for row in whole}) == 12


def test_normals_by_number_are_those_of_their_draw_and_no_others() -> None:
    many = PhiloxNoise(Transcription(), KEY, range(3, 8)).normals(6)
    assert many.shape == (5, 6)
    assert many.dtype == np.float64
    for i in range(3, 8):
        alone = PhiloxNoise(Transcription(), KEY, range(i, i + 1)).normals(6)
        np.testing.assert_array_equal(alone[0], many[i - 3])
        assert not np.isin(alone, standard_normals(KEY, i, 4096)).any()
    z = PhiloxNoise(Transcription(), KEY, range(20_000)).normals(3)
    assert kstest(z.ravel(), norm.cdf).pvalue > 1e-3


def test_offsets_are_uniform_one_a_draw_and_in_no_block_of_the_normals() -> None:
    noise = PhiloxNoise(Transcription(), KEY, range(20_000))
    u = noise.offsets()
    assert u.shape == (20_000,)
    assert kstest(u, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u, noise.normals(1)[:, 0])[0, 1]) < 5 / math.sqrt(u.size)
    assert PhiloxNoise(Transcription(), KEY, range(7, 8)).offsets()[0] == u[7]
    assert len(np.unique(u)) == u.size
