"""Independent Gaussian noise on every coordinate of the input; certifies an L2 ball."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from scipy.stats import norm

from onnxcert._typing import FloatArray
from onnxcert.errors import ParameterError


def rounded_down(radius: float) -> str:
    """`radius` with four significant digits, never more than it is.

    >>> rounded_down(0.16862)
    '0.1686'
    >>> rounded_down(0.16868)
    '0.1686'
    """
    if radius == 0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(radius)) - 3)
    digits = math.floor(radius / unit * (1 + 1e-12))
    return f"{digits * unit:.4g}"


@final
@dataclass(frozen=True)
class Gaussian:
    """e ~ N(0, sigma^2 I) added to x.

    If P(f_i(x + e) = c) > tau >= 1/2, then for every d with ||d||_2 <= sigma * Phi^-1(tau) the
    class c keeps the majority at x + d (Cohen, Rosenfeld, Kolter 2019, Theorem 1; for segmentation
    Fischer, Baader, Vechev 2021, Theorem 5.1). The radius is one number for the whole input: it
    bounds the norm over all pixels and channels together.

    Args:
        sigma: standard deviation in the declared input unit, above 0.

    Raises:
        ParameterError: sigma is not a positive finite number.

    >>> round(Gaussian(0.25).radius(0.75), 4)
    0.1686
    """

    name: ClassVar[str] = "gaussian"
    sigma: float

    def __post_init__(self) -> None:
        is_number = isinstance(self.sigma, int | float | np.floating) and not isinstance(
            self.sigma, bool
        )
        if not is_number or not 1e-30 <= self.sigma <= 1e30:
            raise ParameterError(
                f"sigma must be a positive number in the input's unit, got {self.sigma}."
            )

    @property
    def applied(self) -> np.float32:
        """The standard deviation that is really drawn: sigma in the type of the input."""
        return np.float32(self.sigma)

    def parameters(self) -> dict[str, float]:
        return {"sigma": self.sigma}

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError if adding the noise to float32 `x` would round its law away."""
        step = float(np.spacing(np.float32(np.abs(x).max(initial=0.0))))
        if self.sigma < 1024 * step:
            raise ParameterError(
                f"sigma {self.sigma!r} is too small for an input with values up to "
                f"{float(np.abs(x).max()):g} in float32, which rounds to steps of {step:.1g}; use "
                f"{1024 * step:.2g} or more."
            )

    def perturb(self, x: FloatArray, rng: np.random.Generator, out: FloatArray) -> None:
        """Write x + e into `out`; all three float32 of one shape, `out` C-contiguous."""
        rng.standard_normal(dtype=np.float32, out=out)
        np.multiply(out, self.applied, out=out)
        np.add(out, x, out=out)

    def radius(self, tau: float) -> float:
        """sigma * Phi^-1(tau) for the sigma applied, never above it; tau in [1/2, 1)."""
        exact = min(self.sigma, float(self.applied)) * float(norm.ppf(tau))
        return max(0.0, exact * (1.0 - 1e-12))

    def formula(self, tau: float | None = None) -> str:
        """How the radius follows from tau, in symbols or in numbers."""
        if tau is None:
            return "sigma * Phi^-1(tau)"
        return f"{self.sigma!r} * Phi^-1({tau!r})"

    def shown(self, radius: float) -> str:
        return rounded_down(radius)

    def attack(self, size: str, unit: str) -> str:
        return f"every perturbation d of the input with L2 norm at most {size} ({unit})"
