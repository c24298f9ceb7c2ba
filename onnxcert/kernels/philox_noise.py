"""The noise of a batch of draws from Philox streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import Array
from onnxcert.kernels.interface import Channels, Kernels
from onnxcert.kernels.normal import standard_normals
from onnxcert.kernels.philox import NORMALS, Key


@final
@dataclass(frozen=True)
class PhiloxNoise:
    """The randomness of consecutive draws of one input; see `onnxcert._typing.Noise`.

    Args:
        kernels: what runs on the device.
        key: of the seed and the input, `stream_key`.
        indices: the draws, in steps of 1.
    """

    kernels: Kernels
    key: Key
    indices: range

    def __len__(self) -> int:
        return len(self.indices)

    def add_normal(
        self, x: Array, sigma: np.float32, out: Array, channels: Channels | None = None
    ) -> None:
        """Write x + sigma z into each row of `out`; see `Kernels.noise`."""
        self.kernels.noise(x, sigma, self.key, self.indices.start, out, channels)

    def normals(self, count: int) -> npt.NDArray[np.float64]:
        """So many standard normals of each draw, float64 [draws, count], in memory.

        They share no block with those of `add_normal`.
        """
        draws = np.array(self.indices, dtype=np.uint64)
        return standard_normals(self.key, draws, count, NORMALS).astype(np.float64)
