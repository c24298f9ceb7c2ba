"""Blur by the discrete heat equation; certifies further blur (docs/semantic.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
from scipy.fft import dctn, idctn

from onnxcert._typing import Array, LevelArray, Noise
from onnxcert.perturbation.semantic import ImageChange, Parts
from onnxcert.sampling.backend import Backend

_SIDES: Final = (1, 2)


@final
@dataclass(frozen=True)
class Blur(ImageChange):
    """Blur of variance t along each side, t exponential with mean sigma.

    The cosine transform's coefficient (k, l) is multiplied by
    exp(t (cos(pi k / H) + cos(pi l / W) - 2)): a positive kernel that reflects at the borders.

    If P(f_i = c) > tau >= 1/2, the class c keeps the majority when the image has first been blurred
    by any variance up to -sigma ln(2 (1 - tau)). A blur cannot be undone by a blur, so the
    certificate is one-sided.

    Args:
        sigma: mean of t, which is also its standard deviation, in pixels squared.

    Raises:
        ParameterError: sigma is out of range.

    >>> round(Blur(1.0).radius(0.75), 4)
    0.6931
    """

    name: ClassVar[str] = "blur"
    norm: ClassVar[str] = "blur"
    unit: ClassVar[str] = "pixels^2"
    formula: ClassVar[str] = "-{sigma} * ln(2 * (1 - {tau}))"
    largest: ClassVar[float] = 1024.0
    usual: ClassVar[float] = 1.0
    parameter_count: ClassVar[int] = 2
    sigma: float

    def prepare(self, x: Array, backend: Backend) -> Parts:
        # SciPy's transform runs on the host; `perturb` copies its result to the device.
        return self.split(np.asarray(backend.host(x), dtype=np.float64))

    def split(self, x: Array) -> Parts:
        """Return the coefficients of the cosine transform, and the rates along both sides."""
        coefficients = dctn(x, axes=_SIDES, norm="ortho")
        return coefficients, *(_rates(n) for n in x.shape[1:])

    def transform(self, parts: Parts, t: list[float]) -> Array:
        coefficients, down, across = parts
        factors = np.exp(t[0] * down)[:, None] * np.exp(t[0] * across)
        return idctn(coefficients * factors, axes=_SIDES, norm="ortho", overwrite_x=True)

    def mean_error(self, shape: tuple[int, ...]) -> float:
        return 2 * sum(transform_error(n) for n in shape[1:]) + 50

    def radius(self, tau: float) -> float:
        """Return -sigma ln(2 (1 - tau)) in pixels squared, rounded down; tau in [1/2, 1)."""
        return max(0.0, -self.sigma * math.log(2.0 * (1.0 - tau)) * (1.0 - 1e-12))

    def _draw(self, noise: Noise) -> LevelArray:
        # Half the sum of two squared normals is exponential with mean 1.
        z = noise.normals(self.parameter_count)
        return np.asarray((self.sigma / 2) * np.sum(z * z, axis=1, keepdims=True))


def _rates(n: int) -> LevelArray:
    """Return cos(pi k / n) - 1 for k = 0 .. n - 1, without cancellation."""
    return np.asarray(-2.0 * np.sin(np.arange(n) * (math.pi / (2 * n))) ** 2)


def transform_error(n: int) -> float:
    """Bound the relative error of a fast cosine transform of length n, in 2^-53 (two-norm).

    >>> round(transform_error(480)), round(transform_error(479))
    (149, 12734)
    """
    total, rest, largest = 30.0, n, 1
    p = 2
    while rest > 1:
        if p * p > rest:
            p = rest
        while rest % p == 0:
            total += math.sqrt(p) * (p + 8)
            rest, largest = rest // p, p
        p += 1
    if largest * largest > n > 1:  # SciPy may use Bluestein's algorithm
        total += 3 * (3 * (30 + 19 * math.log2(2.5 * n)) + 9)
    return total
