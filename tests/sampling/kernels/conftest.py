"""The kernels, run by this machine's processor."""

from __future__ import annotations

import pytest
from devices import compile_for_cpu

from onnxcert.sampling.kernels import Compiled


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    return compile_for_cpu()
