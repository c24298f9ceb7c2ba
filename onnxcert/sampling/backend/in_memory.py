"""Noise and vote counts by NumPy."""

from __future__ import annotations

from typing import Any, Final, final

import numpy as np

from onnxcert._typing import Array, IntArray, Noise
from onnxcert.sampling.backend import vote_counts as counters
from onnxcert.sampling.backend.numpy_noise import SFC64, NumpyNoise, stream
from onnxcert.sampling.kernels import Split, grid_step, split

_AT_ONCE: Final = 2**16  # values
_LARGE: Final = 2**25  # values; a colour image of 11 million pixels


@final
class NumpyBackend:
    """Arrays in memory; see `onnxcert.sampling.backend.Backend`."""

    name: Final = "numpy"
    generator: Final = SFC64
    xp: Final[Any] = np
    threaded: Final = True

    def noise(self, seed: int, digest: str, indices: range) -> Noise:
        return NumpyNoise([stream(seed, digest, i) for i in indices])

    def prepare(self, x: Array, sigma: float) -> Array | Split:
        if x.size > _LARGE:
            return x  # `add_normal` splits it in parts for every draw, to save memory
        # In parts, with the rest in float32: float64 of a large image may not fit in memory.
        step, values = grid_step(sigma), np.ascontiguousarray(x).reshape(-1)
        nearest, rest = np.empty_like(values), np.empty_like(values)
        for start in range(0, values.size, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            nearest[part], exact = split(values[part], step)
            rest[part] = exact
            if not np.array_equal(rest[part], exact):
                return split(x, step)
        return Split(nearest.reshape(x.shape), rest.reshape(x.shape))

    def inputs(self, rows: int, shape: tuple[int, ...]) -> Array:
        return np.empty((rows, *shape), dtype=np.float32)

    def device(self, array: Any) -> Array:
        return array

    def host(self, array: Any) -> Any:
        return array

    def answer(self, found: Any) -> IntArray:
        # A copy, because a model may reuse its output buffer.
        return np.array(found)

    def labels(self, answer: IntArray) -> IntArray:
        return answer

    def select(self, answer: IntArray, votes: IntArray) -> int:
        counters.select(answer, votes)
        return int(counters.count_invalid(answer, len(votes)))

    def match(
        self, answer: IntArray, candidate: IntArray, hits: IntArray, classes: int
    ) -> tuple[int, int]:
        joint = counters.match(answer, candidate, hits)
        return int(joint), int(counters.count_invalid(answer, classes))


NUMPY: Final = NumpyBackend()
