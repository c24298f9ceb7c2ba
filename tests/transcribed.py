"""A device that every machine has: NumPy's arrays, and the transcription of the kernels.

All that runs on a GPU runs on it, ONNX Runtime's binding by addresses included, but for CuPy.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from onnxcert.backend import DeviceBackend
from onnxcert.kernels import Transcription


class HostDevice:
    """See `onnxcert.backend.Device`.

    Attributes:
        passes: how often a model ran; crossed: how many elements were copied to NumPy, or from it.
    """

    name = "transcribed"
    xp = np
    place = ("cpu", 0)
    stream = 0

    def __init__(self) -> None:
        self.passes = 0
        self.crossed = 0

    def own(self, array: Any) -> Any:
        self.crossed += np.size(array)
        return np.array(array)

    def host(self, array: Any) -> Any:
        self.crossed += np.size(array)
        return np.array(array)

    def pointer(self, array: Any) -> int:
        assert array.flags.c_contiguous
        return int(array.ctypes.data)

    def view(self, pointer: int, shape: tuple[int, ...], dtype: Any, owner: Any) -> Any:
        memory = (ctypes.c_byte * (math.prod(shape) * dtype.itemsize)).from_address(pointer)
        memory.owner = owner  # type: ignore[attr-defined]
        return np.frombuffer(memory, dtype=dtype).reshape(shape)

    @contextmanager
    def model_runs(self) -> Iterator[None]:
        self.passes += 1
        yield


def transcribed() -> DeviceBackend:
    """The backend of a GPU on this machine's CPU."""
    return DeviceBackend(HostDevice(), Transcription(np))


def gpu() -> DeviceBackend:
    """The backend of the first GPU; skips the test where there is none that CuPy can use."""
    cupy = pytest.importorskip("cupy", reason="needs CuPy and a GPU")
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"needs a GPU ({error})")
    if not found:
        pytest.skip("needs a GPU")
    from onnxcert.backend import cuda_backend

    return cuda_backend(0)
