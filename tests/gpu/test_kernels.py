"""The CUDA sources give what their transcription gives on NumPy, bit for bit, wherever they run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from devices import compile_for_cpu, find_cupy
from kernel_cases import KEY, Carrier, NoiseCase, VotesCase, noise_cases, same_bits, votes_cases

from onnxcert.sampling.kernels import OPTIONS, Compiled, Scores, Transcription, source


@pytest.fixture(scope="module")
def cupy() -> Any:
    return find_cupy()


@pytest.fixture(scope="module")
def compiled(cupy: Any) -> Compiled:
    return Compiled(cupy.RawModule(code=source(), options=OPTIONS))


@pytest.fixture(scope="module", params=["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    if request.param == "cpu":
        return Carrier(compile_for_cpu())
    cupy = request.getfixturevalue("cupy")
    return Carrier(request.getfixturevalue("compiled"), cupy.asarray, cupy.asnumpy)


@pytest.mark.parametrize("case", [*noise_cases()], ids=str)
def test_noise_is_that_of_the_transcription(carrier: Carrier, case: NoiseCase) -> None:
    """Also the floats: every operation rounds as IEEE 754 says."""
    assert carrier.noise_agrees(case)


@pytest.mark.parametrize("case", [*votes_cases()], ids=str)
def test_votes_are_those_of_the_transcription(carrier: Carrier, case: VotesCase) -> None:
    assert carrier.votes_agree(case)


# -- sizes that need a GPU -----------------------------------------------------------------------


@pytest.mark.gpu
def test_a_million_normals_are_the_same_bits(cupy: Any, compiled: Compiled) -> None:
    """Logarithm, root, sine and cosine at random words."""
    x = np.random.default_rng(0).random((1, 1_000_003), dtype=np.float32)
    out = cupy.empty((3, *x.shape), dtype=np.float32)
    expected = np.empty(out.shape, np.float32)
    compiled.noise(cupy.asarray(x), np.float32(0.3), KEY, 2**32 - 1, out)
    Transcription().noise(x, np.float32(0.3), KEY, 2**32 - 1, expected)
    assert same_bits(cupy.asnumpy(out), expected)


@pytest.mark.gpu
def test_many_threads_lose_no_count(cupy: Any, compiled: Compiled) -> None:
    """A picture of two million pixels in which every second one is broken in every third draw."""
    draws, classes, grid = 6, 3, (1024, 2048)
    values = cupy.zeros((draws, classes, *grid), dtype=np.float32)
    values[:, 1] = 1.0
    values[::3, 2, :, ::2] = np.nan
    scores = Scores(values, grid)
    hits = cupy.zeros(grid, dtype=np.uint8)
    missed = cupy.zeros(draws, dtype=np.uint8)
    invalid = cupy.zeros(1, dtype=np.uint64)
    candidate = cupy.ones(grid, dtype=np.uint8)
    compiled.match(scores, candidate, hits, missed, invalid)
    assert int(invalid[0]) == 2 * grid[0] * grid[1] // 2
    assert missed.tolist() == [1, 0, 0, 1, 0, 0]
    assert set(hits[:, ::2].ravel().get().tolist()) == {4}
    assert set(hits[:, 1::2].ravel().get().tolist()) == {6}


@pytest.mark.gpu
def test_rows_further_apart_than_32_bits(cupy: Any, compiled: Compiled) -> None:
    draws, x = 2100, np.random.default_rng(0).random((1, 2**20), dtype=np.float32)
    if cupy.cuda.runtime.memGetInfo()[0] < 6 * 2**30:
        pytest.skip("less than 6 GiB free on the device")
    out = cupy.empty((draws, *x.shape), dtype=np.float16)
    compiled.noise(cupy.asarray(x), np.float32(0.3), KEY, 0, out)
    expected = np.empty((1, *x.shape), np.float16)
    Transcription().noise(x, np.float32(0.3), KEY, draws - 1, expected)
    assert same_bits(cupy.asnumpy(out[-1:]), expected)
