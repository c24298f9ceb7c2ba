"""A GPU and two stand-ins that every machine has, on which the same tests run.

On NumPy's arrays runs all that runs on a GPU, ONNX Runtime's binding by addresses included, but for
the lines of `onnxcert.sampling.backend.CupyDevice`.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from compiled_on_cpu import COMPILER, module

from onnxcert.sampling.backend import DeviceBackend, cuda_backend
from onnxcert.sampling.kernels import Compiled, Transcription


class HostDevice:
    """See `onnxcert.sampling.backend.CupyDevice`.

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

    def to_device(self, array: Any) -> Any:
        self.crossed += np.size(array)
        return np.array(array, order="C")

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
    """What a GPU does, by NumPy."""
    return DeviceBackend(HostDevice(), Transcription())


def compile_for_cpu() -> Compiled:
    """The CUDA sources, compiled for this processor; skips the test without a compiler."""
    if COMPILER is None:
        pytest.skip("no C++ compiler to run the CUDA sources on the CPU with")
    return Compiled(module())


def sources() -> DeviceBackend:
    """What a GPU does, by the very sources of its kernels, compiled for this processor."""
    return DeviceBackend(HostDevice(), compile_for_cpu())


def find_cupy() -> Any:
    """CuPy with a device that answers; skips the test where there is none."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed", exc_type=ImportError)
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no CUDA device: {error}")
    if not found:
        pytest.skip("no CUDA device")
    return cupy


def gpu() -> DeviceBackend:
    """The first GPU; skips the test where there is none that CuPy can use."""
    find_cupy()
    return cuda_backend(0)


BACKENDS = [transcribed, sources, pytest.param(gpu, marks=pytest.mark.gpu)]
