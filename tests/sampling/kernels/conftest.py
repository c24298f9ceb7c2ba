"""The kernels, run by this machine's processor."""

from __future__ import annotations

import pytest
from compiled_on_cpu import COMPILER, module

from onnxcert.sampling.kernels import Compiled


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    """The CUDA sources, compiled for the CPU."""
    if COMPILER is None:
        pytest.skip("no C++ compiler to run the CUDA sources on the CPU with")
    return Compiled(module())
