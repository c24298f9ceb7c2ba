"""Noise of a batch of draws from Philox streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import Array
from onnxcert.sampling.kernels.interface import Channels, Kernels
from onnxcert.sampling.kernels.normal import standard_normals, words
from onnxcert.sampling.kernels.philox import NORMALS, OFFSETS, Key, blocks


@final
@dataclass(frozen=True)
class PhiloxNoise:
    """Noise of consecutive draws of one input; see `onnxcert._typing.Noise`.

    Args:
        kernels: kernels of the device.
        key: key of the seed and the input, by `stream_key`.
        indices: the draws, in steps of 1.
    """

    kernels: Kernels
    key: Key
    indices: range

    def __len__(self) -> int:
        return len(self.indices)

    def add_normal(
        self, x: Array, sigma: float, out: Array, channels: Channels | None = None
    ) -> None:
        """Write the grid point of x + sigma z into each row of `out`; see `Kernels.noise`."""
        self.kernels.noise(x, sigma, self.key, self.indices.start, out, channels)

    def normals(self, count: int) -> npt.NDArray[np.float64]:
        """Return `count` standard normals of each draw, float64 [draws, count], in memory.

        They share no block with those of `add_normal`.
        """
        draws = np.array(self.indices, dtype=np.uint64)
        return standard_normals(self.key, draws, count, NORMALS)

    def offsets(self) -> npt.NDArray[np.float64]:
        """Return one uniform number in [0, 1) of each draw, float64 [draws], in memory."""
        first, _ = words(blocks(self.key, np.array(self.indices, dtype=np.uint64), 0, 1, OFFSETS))
        return (first[..., 0] >> np.uint64(11)).astype(np.float64) * 2.0**-53
