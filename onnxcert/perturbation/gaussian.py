"""Independent Gaussian noise on every coordinate of the input; certifies an L2 ball."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from scipy.stats import norm

from onnxcert._typing import Array, FloatArray, Noise
from onnxcert.errors import ParameterError
from onnxcert.perturbation.rounding import rounded_down


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

    def parameters(self) -> dict[str, Any]:
        return {"sigma": self.sigma}

    def described(self) -> str:
        return f"{self.name} sigma {self.sigma!r}"

    def unit(self, of_input: str) -> str:
        return of_input

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError if adding the noise to float32 `x` would round its law away."""
        largest = max(float(x.max(initial=0.0)), -float(x.min(initial=0.0)))
        step = float(np.spacing(np.float32(largest)))
        if self.sigma < 1024 * step:
            raise ParameterError(
                f"sigma {self.sigma!r} is too small for an input with values up to "
                f"{largest:g} in float32, which rounds to steps of {step:.1g}; use "
                f"{1024 * step:.2g} or more."
            )

    def perturb(self, x: Array, noise: Noise, out: Array) -> None:
        """Write x + e into each row of `out`, with an e of its own."""
        noise.add_normal(x, self.applied, out)

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

    def attack(self, size: str, unit: str, of: str = "") -> str:
        return f"every perturbation d of {of or 'the input'} with L2 norm at most {size} ({unit})"
