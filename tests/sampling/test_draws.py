"""A draw depends on the seed, the input and its number, and on nothing else."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.stats import kstest

import onnxcert
from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.sampling.backend.in_memory import SFC64, stream
from onnxcert.sampling.draws import Draws, digest

# Draw 3 of seed 1 and the digest 0f0f..., four values of standard noise, on its grid.
PINNED = [-1500 / 2**14, -26211 / 2**14, -18983 / 2**14, 22886 / 2**14]
X = np.linspace(0, 1, 48, dtype=np.float32).reshape(3, 4, 4)
DRAWS = Draws(Gaussian(0.25), 7, digest(X))


def rows(draws: Draws, indices: range) -> np.ndarray:
    out = np.full((len(indices), *X.shape), np.nan, dtype=np.float32)
    draws.write(X, indices, out)
    return out


def state(draws: Draws, i: int) -> bytes:
    return stream(draws.seed, draws.digest, i).bytes(16)


@given(
    cuts=st.lists(st.integers(0, 40), max_size=8),
    order=st.randoms(use_true_random=False),
)
@examples(50)
def test_any_split_and_any_order_gives_the_same_draws(cuts: list[int], order: object) -> None:
    whole = rows(DRAWS, range(40))
    bounds = sorted({0, 40, *cuts})
    parts = [range(a, b) for a, b in itertools.pairwise(bounds)]
    order.shuffle(parts)  # type: ignore[attr-defined]
    for part in parts:
        np.testing.assert_array_equal(rows(DRAWS, part), whole[part.start : part.stop])


@pytest.mark.slow
def test_another_process_makes_the_same_draws() -> None:
    program = f"""
import numpy as np
from onnxcert.sampling.draws import Draws
from onnxcert.perturbation import Gaussian
x = np.linspace(0, 1, 48, dtype=np.float32).reshape(3, 4, 4)
out = np.empty((2, 3, 4, 4), np.float32)
np.random.seed(5)
np.random.normal(size=3)
Draws(Gaussian(0.25), 7, {DRAWS.digest!r}).write(x, range(16, 18), out)
import hashlib
print(hashlib.sha256(out.tobytes()).hexdigest())
"""
    root = str(Path(onnxcert.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = hashlib.sha256(rows(DRAWS, range(16, 18)).tobytes()).hexdigest()
    assert done.stdout.strip() == expected


def test_the_stream_is_the_one_its_name_stands_for() -> None:
    """Stored tallies are continued by this name. Where these numbers change, so must the name."""
    assert DRAWS.generator == SFC64 == "numpy-seedsequence-sfc64-grid"
    out = np.empty(4, np.float32)
    Draws(Gaussian(1.0), 1, "0f" * 32).write(np.zeros(4, np.float32), range(3, 4), out[None])
    assert out.tolist() == PINNED


@pytest.mark.slow
def test_no_two_of_seed_input_and_number_share_a_stream() -> None:
    """Neighbours, swaps and numbers beyond 32 bits included."""
    seeds = [*range(12), 2**32, 2**32 + 1, 2**62, 2**63 - 1]
    zero = "0" * 64
    digests = [zero, *(zero[:k] + "1" + zero[k + 1 :] for k in range(64)), "f" * 64]
    numbers = [*range(12), 255, 256, 65535, 65536, 2**31, 2**32 - 1]
    states = [
        state(Draws(Gaussian(0.25), seed, text), i)
        for seed in seeds
        for text in digests
        for i in numbers
    ]
    assert len(set(states)) == len(states)


def test_each_of_the_three_alone_makes_unrelated_noise() -> None:
    size = 10_000
    x = np.zeros(size, np.float32)

    def z(seed: int, text: str, i: int) -> np.ndarray:
        out = np.empty((1, size), np.float32)
        Draws(Gaussian(1.0), seed, text).write(x, range(i, i + 1), out)
        return out[0].astype(np.float64)

    base = z(1, "0" * 64, 5)
    for other in (z(2, "0" * 64, 5), z(1, "0" * 63 + "1", 5), z(1, "0" * 64, 6)):
        assert abs(np.mean(base * other)) < 5 / np.sqrt(size)
        assert np.mean(base == other) < 1e-3


def test_draws_are_independent_of_each_other() -> None:
    count, size = 150, 2_000
    z = np.empty((count, size), np.float32)
    Draws(Gaussian(1.0), 3, "ab" * 32).write(np.zeros(size, np.float32), range(count), z)
    r = np.corrcoef(z.astype(np.float64))[np.triu_indices(count, 1)]
    # Each squared correlation is about chi-square with one degree of freedom over `size`.
    total = size * np.sum(r**2)
    assert abs(total - r.size) < 5 * np.sqrt(2 * r.size)
    assert np.abs(r).max() < 6 / np.sqrt(size)
    # A fifth of the noise in common, in two of the draws only, would be seen.
    z[1, : size // 5] = z[0, : size // 5]
    assert abs(np.corrcoef(z[0], z[1])[0, 1]) > 6 / np.sqrt(size)


@pytest.mark.slow
def test_one_component_is_independent_from_draw_to_draw() -> None:
    """Seeds of neighbouring draws differ in one word; the first numbers must not show it."""
    count = 20_000
    first = np.empty((count, 1), np.float32)
    Draws(Gaussian(1.0), 3, "ab" * 32).write(np.zeros(1, np.float32), range(count), first)
    z = first[:, 0].astype(np.float64)
    assert kstest(z, "norm").pvalue > 1e-3
    for lag in (1, 2, 3, 256):
        assert abs(np.mean(z[lag:] * z[:-lag])) < 5 / np.sqrt(count)


def test_rehearsal_shares_no_draw_with_the_count() -> None:
    warm_up_draws = DRAWS.warm_up_draws()
    assert warm_up_draws != DRAWS
    assert (warm_up_draws.seed, warm_up_draws.perturbation) == (DRAWS.seed, DRAWS.perturbation)
    counted = {state(DRAWS, i) for i in range(2_000)}
    tried = {state(warm_up_draws, i) for i in range(2_000)}
    again = {state(warm_up_draws.warm_up_draws(), i) for i in range(100)}
    assert len(tried) == 2_000
    assert counted.isdisjoint(tried)
    assert again.isdisjoint(counted | tried)


def test_the_global_state_of_numpy_is_neither_read_nor_written() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[union-attr] # noqa: NPY002
    a = rows(DRAWS, range(3))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(rows(DRAWS, range(3)), a)


def test_draws_of_an_unknown_generator_are_refused() -> None:
    other = Draws(Gaussian(0.25), 7, DRAWS.digest, "cupy-philox4x32-10")
    with pytest.raises(ParameterError, match="cupy-philox4x32-10"):
        rows(other, range(1))
    with pytest.raises(ParameterError, match="never mixed"):
        rows(other, range(2))
    with pytest.raises(ParameterError, match="never mixed"):
        rows(other.warm_up_draws(), range(2))


@pytest.mark.parametrize("seed", [-1, 2**63, True])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ParameterError, match="seed"):
        Draws(Gaussian(0.25), seed, DRAWS.digest)


def test_the_digest_tells_inputs_apart_by_type_shape_and_every_value() -> None:
    one_bit = X.copy()
    one_bit[2, 3, 3] = np.nextafter(one_bit[2, 3, 3], np.float32(2))
    inputs = [X, X.astype(np.float64), X.reshape(3, 2, 8), X.ravel(), one_bit, X[::-1].copy()]
    assert len({digest(x) for x in inputs}) == len(inputs)
    # Nothing else matters: neither memory order nor byte order.
    assert digest(np.asfortranarray(X)) == digest(X)
    assert digest(X.astype(">f4")) == digest(X)
    assert len(bytes.fromhex(digest(X))) == 32
