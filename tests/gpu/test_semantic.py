"""Changes with few parameters on a device: NumPy's changes for the same random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxcert.perturbation import PLAIN
from onnxcert.perturbation.semantic import GRID, CloudChange, Semantic
from onnxcert.sampling.backend import DeviceBackend
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.kernels import GENERATOR

KINDS = [kind for kind in PLAIN.values() if issubclass(kind, Semantic)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_change_on_a_device_is_that_in_memory(backend: DeviceBackend, kind: type[Any]) -> None:
    shape = (3, 40) if issubclass(kind, CloudChange) else (3, 8, 9)
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    noise, seed, indices = kind(kind.usual), 5, range(3, 20)
    out = backend.inputs(len(indices), shape)
    Draws(noise, seed, digest(x), GENERATOR).write(backend.device(x), indices, out, backend)
    found = backend.host(out)
    wanted = np.empty_like(found)
    noise.perturb(x, backend.noise(seed, digest(x), indices), wanted)
    # The last bit of a device's functions may decide a rounding, as rarely as the law error says.
    assert np.mean(found != wanted) <= 1e-3
    np.testing.assert_allclose(found, wanted, atol=1.01 * GRID, rtol=1e-6)
    assert len({row.tobytes() for row in found}) == len(indices)
