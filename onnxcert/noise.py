"""Noise on the CPU: one NumPy stream a draw, from the seed, the input and the draw's number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from onnxcert._typing import FloatArray, LevelArray

SFC64: Final = "numpy-seedsequence-sfc64"


def stream(seed: int, digest: str, i: int) -> np.random.Generator:
    """The generator of draw i of the input with this digest.

    The seed fills the sequence's own entropy; digest and i are its spawn key. For one seed and
    input, different i below 2^32 have different states.
    """
    words = np.frombuffer(bytes.fromhex(digest), dtype=">u4").tolist()
    sequence = np.random.SeedSequence(seed, spawn_key=(*words, i))
    return np.random.Generator(np.random.SFC64(sequence))


@final
@dataclass(frozen=True)
class NumpyNoise:
    """The noise of a batch of draws, see `onnxcert._typing.Noise`.

    Args:
        rngs: the stream of each draw.
    """

    rngs: Sequence[np.random.Generator]

    def __len__(self) -> int:
        return len(self.rngs)

    def add_normal(self, x: FloatArray, sigma: np.float32, out: FloatArray) -> None:
        for row, rng in zip(out, self.rngs, strict=True):
            rng.standard_normal(dtype=np.float32, out=row)
        np.multiply(out, sigma, out=out)
        np.add(out, x, out=out)

    def normals(self, count: int) -> LevelArray:
        drawn = [rng.standard_normal(count) for rng in self.rngs]
        return np.array(drawn, dtype=np.float64).reshape(len(self.rngs), count)
