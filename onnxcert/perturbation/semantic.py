"""Random changes T_t x with few parameters t, such that T_a T_b = T_{a+b} (docs/semantic.md).

Smoothing over t certifies T_d x for small d: t only moves by d. The changed input is rounded to a
grid with a random offset, as for rotations, so that no certificate depends on rounded parameters.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace
from scipy.stats import norm

from onnxcert._typing import Array, FloatArray, LevelArray, Noise
from onnxcert.errors import ParameterError
from onnxcert.sampling.backend import NUMPY, Backend

# The grid's step. It must not depend on the input, which the attack changes.
GRID: Final = 2.0**-12
ROUNDING: Final = 2.0**-53
LARGEST_COORDINATE: Final = 1024.0
# A stop doubles: up to this sigma the law error stays small.
MOST_STOPS: Final = 2.0
_SMALLEST: Final = 1e-6
# Normals that cannot be coupled with exact ones, and the offset (docs/statistics.md, section 11).
_UNCOUPLED: Final = 2.0**-40

Parts = tuple[Any, ...]
Wide = npt.NDArray[np.float64]


class Semantic(ABC):
    """A change with a group of parameters, t ~ N(0, sigma^2 I), unless `_draw` is overridden.

    Attributes:
        largest: the largest sigma.
        usual: a sigma to start with.
        parameter_count: number of the parameters, in `unit`.
    """

    norm: ClassVar[str]
    unit: ClassVar[str]
    formula: ClassVar[str] = "{sigma} * Phi^-1({tau})"
    largest: ClassVar[float]
    usual: ClassVar[float]
    parameter_count: ClassVar[int] = 1
    name: ClassVar[str]
    sigma: float

    def __post_init__(self) -> None:
        is_number = isinstance(self.sigma, int | float | np.floating) and not isinstance(
            self.sigma, bool
        )
        if not is_number or not _SMALLEST <= self.sigma <= self.largest:
            of = f" in {self.unit}" if self.unit else ""
            raise ParameterError(
                f"sigma of {self.name} must be a number{of} from {_SMALLEST:g} to "
                f"{self.largest:g}, got {self.sigma}."
            )

    def parameters(self) -> dict[str, Any]:
        return {"sigma": self.sigma}

    @abstractmethod
    def check(self, x: FloatArray) -> None:
        """Raise ParameterError unless `x` is in the domain of the change."""

    @abstractmethod
    def split(self, x: Array) -> Parts:
        """Compute from float64 `x` what does not depend on t."""

    @abstractmethod
    def transform(self, parts: Parts, t: list[float]) -> Array:
        """Compute T_t x as a new float64 array from the result of `split`."""

    @abstractmethod
    def mean_error(self, shape: tuple[int, ...]) -> float:
        """Bound the mean error of a value before rounding, in 2^-53 (docs/semantic.md)."""

    def law_error(self, shape: tuple[int, ...]) -> float:
        """Bound the probability that a value is rounded to another grid point than the exact."""
        return math.prod(shape) * self.mean_error(shape) * ROUNDING / GRID + _UNCOUPLED

    def prepare(self, x: Array, backend: Backend) -> Parts:  # noqa: ARG002 - see `Blur`
        xp = array_namespace(x)
        return self.split(xp.astype(x, xp.float64))

    def perturb(self, x: Array | Parts, noise: Noise, out: Array) -> None:
        """Write T_t x for an independent t, rounded to the grid, into each row of `out`."""
        parts = x if isinstance(x, tuple) else self.prepare(x, NUMPY)
        xp = array_namespace(out)
        parameters, offsets = self._draw(noise).tolist(), noise.offsets().tolist()
        # One row at a time, so that no bit depends on the number of rows.
        for b, (t, u) in enumerate(zip(parameters, offsets, strict=True)):
            row = xp.asarray(self.transform(parts, t))
            row *= 1.0 / GRID
            row += u
            out[b, ...] = xp.floor(row) * GRID

    def radius(self, tau: float) -> float:
        """Return sigma * Phi^-1(tau) in `unit`, rounded down; tau in [1/2, 1)."""
        return max(0.0, self.sigma * float(norm.ppf(tau)) * (1.0 - 1e-12))

    def _draw(self, noise: Noise) -> LevelArray:
        """Draw t for each draw: float64 [draws, parameter_count]."""
        return self.sigma * noise.normals(self.parameter_count)


class ImageChange(Semantic):
    """A change of an image [channels, H, W] with values in [0, 1]."""

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError unless `x` is an image with values in [0, 1]."""
        if x.ndim != 3:
            raise ParameterError(
                f"{self.name} changes images [channels, height, width], got the shape "
                f"{list(x.shape)}."
            )
        xp = array_namespace(x)
        low, high = (float(xp.min(x)), float(xp.max(x))) if math.prod(x.shape) else (0.0, 1.0)
        if not 0.0 <= low <= high <= 1.0:
            raise ParameterError(
                f"{self.name} needs an image with values in [0, 1], got {low:g} to {high:g}; for "
                "8-bit pixels divide by 255."
            )


class CloudChange(Semantic):
    """A change of the coordinates [3, N] of points."""

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError unless `x` holds the three coordinates of points alone."""
        if x.ndim != 2 or x.shape[0] != 3:
            raise ParameterError(
                f"{self.name} changes coordinates [3, points], got the shape {list(x.shape)}; use "
                f"OnChannels({type(self).__name__}(sigma), 0, 3) for points with more channels."
            )
        xp = array_namespace(x)
        largest = float(xp.max(xp.abs(x))) if math.prod(x.shape) else 0.0
        if not largest <= LARGEST_COORDINATE:
            raise ParameterError(
                f"{self.name} needs coordinates of at most {LARGEST_COORDINATE:g} in size, got "
                f"{largest:g}; use a larger unit, such as metres."
            )


def error_of_factor(sigma: float) -> float:
    """Bound the mean error of 2^t x, |x| <= 1, in 2^-53; t ~ N(0, sigma^2)."""
    a = sigma * math.log(2.0)
    return math.exp(a * a / 2) * (5 + 14 * a + 7 * a * a)
