"""Places beyond 2^31 and 2^34: memory that is asked for and hardly touched."""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from onnxcert.sampling.kernels import Channels, Compiled, Scores, Transcription, grid_step
from onnxcert.sampling.kernels.philox import blocks, box_muller, words

KEY = (1, 2)
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks for memory as Linux lends it")
NORESERVE = 0x4000  # of Linux: pages are found when they are touched


def vast(elements: int, dtype: npt.DTypeLike) -> np.ndarray[Any, Any]:
    """Zeros, none of them in memory yet."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE
    try:
        memory = mmap.mmap(-1, elements * np.dtype(dtype).itemsize, flags=flags)
    except OSError as error:
        pytest.skip(f"this machine lends no address space: {error}")
    return np.frombuffer(memory, dtype=dtype, count=elements)


def test_rows_of_noise_further_apart_than_32_bits(compiled: Compiled) -> None:
    x = np.random.default_rng(0).random((1, 101), dtype=np.float32)
    out = vast(3 * (2**31 + 8), np.float16).reshape(3, 1, -1)[..., :101]
    expected = np.zeros((3, 1, 101), np.float16)
    compiled.noise(x, np.float32(0.3), KEY, 2, out)
    Transcription().noise(x, np.float32(0.3), KEY, 2, expected)
    np.testing.assert_array_equal(out, expected)


def test_an_element_beyond_the_first_word_of_the_counter(compiled: Compiled) -> None:
    cells, channel = 9, 2**31 - 1
    x = vast((channel + 1) * cells, np.float32).reshape(-1, cells)
    out = np.zeros((1, 1, cells), np.float32)
    order = Channels(order=np.array([channel], dtype=np.int32))
    compiled.noise(x, np.float32(1), KEY, 3, out, order)
    first = channel * cells
    assert first // 2 > 2**32
    block = blocks(KEY, 3, first // 2, first // 2 + 8)
    z = np.stack(box_muller(*words(block)), axis=-1).ravel()[first % 2 :][:cells]
    step = grid_step(1.0)
    np.testing.assert_array_equal(out[0, 0], np.rint(z / step) * step)


def test_scores_further_apart_than_32_bits(compiled: Compiled) -> None:
    values = vast(2 * 3 * (2**31 + 4), np.float16).reshape(2, 3, 1, -1)[..., :50]
    values[...] = np.random.default_rng(1).normal(size=values.shape)
    found, expected = (np.zeros((2, 1, 50), np.uint8) for _ in range(2))
    compiled.labels(Scores(values, (1, 50)), found)
    Transcription().labels(Scores(np.ascontiguousarray(values), (1, 50)), expected)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) == 3
