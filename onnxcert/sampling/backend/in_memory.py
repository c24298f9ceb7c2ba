"""Noise and vote counts by NumPy: one stream per draw, from the seed, the input and its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from onnxcert._typing import Array, FloatArray, IntArray, LevelArray, Noise
from onnxcert.sampling.backend import vote_counts as counters
from onnxcert.sampling.kernels import Split, grid_step, split

SFC64: Final = "numpy-seedsequence-sfc64-grid"
_AT_ONCE: Final = 16_384  # values; as float64 they stay in the CPU cache
_PART: Final = 2**16  # values
_LARGE: Final = 2**25  # values; a colour image of 11 million pixels


def stream(seed: int, digest: str, i: int) -> np.random.Generator:
    """Return the generator of draw i of the input with this digest.

    The seed is the entropy of the seed sequence; digest and i are its spawn key. For one seed and
    input, different i below 2^32 have different states.
    """
    words = np.frombuffer(bytes.fromhex(digest), dtype=">u4").tolist()
    sequence = np.random.SeedSequence(seed, spawn_key=(*words, i))
    return np.random.Generator(np.random.SFC64(sequence))


@final
@dataclass(frozen=True)
class NumpyNoise:
    """Noise of a batch of draws; see `onnxcert._typing.Noise`.

    Args:
        rngs: the stream of each draw.
    """

    rngs: Sequence[np.random.Generator]

    def __len__(self) -> int:
        return len(self.rngs)

    def add_normal(self, x: FloatArray | Split, sigma: float, out: FloatArray) -> None:
        step = grid_step(sigma)
        parts = [x.nearest, x.rest] if isinstance(x, Split) else [np.ascontiguousarray(x)]
        flat = [part.reshape(-1) for part in parts]
        size = flat[0].size
        scale, back = sigma / step, np.float32(step)
        buffer = np.empty(min(_AT_ONCE, size))
        for whole, rng in zip(out, self.rngs, strict=True):
            row = whole.reshape(-1)  # a view, as each row is contiguous
            for start in range(0, size, _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                noisy = row[part]
                z = buffer[: noisy.size]
                here = [of[part] for of in flat]
                nearest, rest = here if len(here) > 1 else split(here[0], step)
                rng.standard_normal(out=z)
                np.multiply(z, scale, out=z)
                np.add(z, rest, out=z)
                np.rint(z, out=z)
                # Exact: below 2^24 in size, a whole number of steps. Only the sum rounds.
                noisy[...] = z
                np.multiply(noisy, back, out=noisy)
                np.add(noisy, nearest, out=noisy)

    def normals(self, count: int) -> LevelArray:
        drawn = [rng.standard_normal(count) for rng in self.rngs]
        return np.array(drawn, dtype=np.float64).reshape(len(self.rngs), count)

    def offsets(self) -> LevelArray:
        return np.array([rng.random() for rng in self.rngs], dtype=np.float64)


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
        for start in range(0, values.size, _PART):
            part = slice(start, start + _PART)
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
