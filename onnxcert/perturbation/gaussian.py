"""Independent Gaussian noise on every value of the input; certifies an L2 ball."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Final, final

import numpy as np
from array_api_compat import array_namespace
from scipy.stats import norm

from onnxcert._typing import Array, FloatArray, Noise
from onnxcert.errors import ParameterError
from onnxcert.sampling.backend import Backend

# docs/statistics.md, section 11: the relative error of a cell's probability (root mean square over
# all cells except for the far tails), and the contribution of the tails.
_CELL: Final = 2.0**-32
_TAIL: Final = 2.0**-48


@final
@dataclass(frozen=True)
class Gaussian:
    """Noise e ~ N(0, sigma^2 I) added to x; the sum is rounded to a grid that sigma determines.

    So the model gets a fixed function of the real number x + e, for any low bits of x
    (`onnxcert.sampling.kernels.grid_step`).

    If P(f_i(x + e) = c) > tau >= 1/2, then for every d with ||d||_2 <= sigma * Phi^-1(tau) the
    class c keeps the majority at x + d (Cohen, Rosenfeld, Kolter 2019, Theorem 1; for segmentation
    Fischer, Baader, Vechev 2021, Theorem 5.1). The radius bounds the norm over all pixels and
    channels together.

    Args:
        sigma: standard deviation in the unit of the input, above 0.

    Raises:
        ParameterError: sigma is not a positive finite number.

    >>> round(Gaussian(0.25).radius(0.75), 4)
    0.1686
    """

    name: ClassVar[str] = "gaussian"
    norm: ClassVar[str] = "L2"
    unit: ClassVar[str] = ""
    formula: ClassVar[str] = "{sigma} * Phi^-1({tau})"
    sigma: float

    def __post_init__(self) -> None:
        is_number = isinstance(self.sigma, int | float | np.floating) and not isinstance(
            self.sigma, bool
        )
        if not is_number or not 1e-30 <= self.sigma <= 1e30:
            raise ParameterError(
                f"sigma must be a positive number in the input's unit, got {self.sigma}."
            )

    def parameters(self) -> dict[str, Any]:
        return {"sigma": self.sigma}

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError if float32 `x` is too large for the grid of this sigma."""
        xp = array_namespace(x)
        # Allocate no array of the input's size: the input may use most of the memory.
        largest = float(max(xp.max(x), -xp.min(x))) if math.prod(x.shape) else 0.0
        step = float(np.spacing(np.float32(largest)))
        if self.sigma < 1024 * step:
            raise ParameterError(
                f"sigma {self.sigma!r} is too small for an input with values up to "
                f"{largest:g} in float32, which rounds to steps of {step:.1g}; use "
                f"{1024 * step:.2g} or more."
            )

    def law_error(self, shape: tuple[int, ...]) -> float:
        """Bound the law error by Pinsker's inequality, and by the union bound for the tails."""
        values = math.prod(shape)
        return math.sqrt(values / 2) * _CELL + values * _TAIL

    def prepare(self, x: Array, backend: Backend) -> Any:
        """Return `x` for `perturb`; on the CPU split into grid point and remainder."""
        return backend.prepare(x, self.sigma)

    def perturb(self, x: Any, noise: Noise, out: Array) -> None:
        """Write the grid point nearest to x + e, with independent e, into each row of `out`."""
        noise.add_normal(x, self.sigma, out)

    def radius(self, tau: float) -> float:
        """Return sigma * Phi^-1(tau), rounded down; tau in [1/2, 1)."""
        # Earlier versions drew with sigma in float32; their records keep their radius.
        exact = min(self.sigma, float(np.float32(self.sigma))) * float(norm.ppf(tau))
        return max(0.0, exact * (1.0 - 1e-12))
