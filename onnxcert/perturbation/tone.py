"""Changes of each value by itself: gain, brightness, contrast, gamma, white balance.

docs/semantic.md derives the bounds of the rounding errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from array_api_compat import array_namespace

from onnxcert._typing import Array, FloatArray
from onnxcert.errors import ParameterError
from onnxcert.perturbation.semantic import MOST_STOPS, ImageChange, Parts, error_of_factor


class _Factor(ImageChange):
    """A change by a factor 2^t, t in stops."""

    unit: ClassVar[str] = "stops"
    largest: ClassVar[float] = MOST_STOPS

    def split(self, x: Array) -> Parts:
        return (x,)

    def mean_error(self, shape: tuple[int, ...]) -> float:  # noqa: ARG002
        return error_of_factor(self.sigma)


@final
@dataclass(frozen=True)
class Gain(_Factor):
    """All values times 2^t, t ~ N(0, sigma^2); certifies factors 2^d with |d| up to the radius.

    Args:
        sigma: standard deviation in stops.

    Raises:
        ParameterError: sigma is out of range.
    """

    name: ClassVar[str] = "gain"
    norm: ClassVar[str] = "gain"
    usual: ClassVar[float] = 0.25
    sigma: float

    def transform(self, parts: Parts, t: list[float]) -> Array:
        return parts[0] * 2.0 ** t[0]


@final
@dataclass(frozen=True)
class Contrast(_Factor):
    """Distance to mid-grey times 2^t, t ~ N(0, sigma^2): (x - 1/2) 2^t + 1/2.

    Args:
        sigma: standard deviation in stops.

    Raises:
        ParameterError: sigma is out of range.
    """

    name: ClassVar[str] = "contrast"
    norm: ClassVar[str] = "contrast"
    usual: ClassVar[float] = 0.25
    sigma: float

    def split(self, x: Array) -> Parts:
        return (x - 0.5,)

    def transform(self, parts: Parts, t: list[float]) -> Array:
        row = parts[0] * 2.0 ** t[0]
        row += 0.5
        return row


@final
@dataclass(frozen=True)
class WhiteBalance(_Factor):
    """Channel c times 2^(t_c), t ~ N(0, sigma^2 I_3); certifies an L2 ball of the three stops.

    Args:
        sigma: standard deviation of each parameter in stops.

    Raises:
        ParameterError: sigma is out of range.
    """

    name: ClassVar[str] = "white-balance"
    norm: ClassVar[str] = "white balance"
    usual: ClassVar[float] = 0.25
    parameter_count: ClassVar[int] = 3
    sigma: float

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError unless `x` is an image of three channels with values in [0, 1]."""
        super().check(x)
        if x.shape[0] != 3:
            raise ParameterError(
                f"white-balance needs an image of 3 channels, got {x.shape[0]}; use gain for "
                "other images."
            )

    def transform(self, parts: Parts, t: list[float]) -> Array:
        (x,) = parts
        xp = array_namespace(x)
        return xp.stack([x[c, ...] * 2.0 ** t[c] for c in range(3)])


@final
@dataclass(frozen=True)
class Brightness(ImageChange):
    """One number t ~ N(0, sigma^2) added to all values; certifies |d| up to the radius.

    Args:
        sigma: standard deviation, for values in [0, 1].

    Raises:
        ParameterError: sigma is out of range.
    """

    name: ClassVar[str] = "brightness"
    norm: ClassVar[str] = "brightness"
    unit: ClassVar[str] = "of full scale"
    largest: ClassVar[float] = 16.0
    usual: ClassVar[float] = 0.1
    sigma: float

    def split(self, x: Array) -> Parts:
        return (x,)

    def transform(self, parts: Parts, t: list[float]) -> Array:
        return parts[0] + t[0]

    def mean_error(self, shape: tuple[int, ...]) -> float:  # noqa: ARG002
        return 3 + 16 * self.sigma


@final
@dataclass(frozen=True)
class Gamma(ImageChange):
    """Values to the power 2^t, t ~ N(0, sigma^2); certifies exponents 2^d, |d| up to the radius.

    Args:
        sigma: standard deviation of the logarithm (base 2) of the exponent.

    Raises:
        ParameterError: sigma is out of range.
    """

    name: ClassVar[str] = "gamma"
    norm: ClassVar[str] = "gamma"
    unit: ClassVar[str] = "log2(gamma)"
    largest: ClassVar[float] = MOST_STOPS
    usual: ClassVar[float] = 0.5
    sigma: float

    def split(self, x: Array) -> Parts:
        with np.errstate(divide="ignore"):  # the logarithm of 0 is -inf, whose power is 0
            return (array_namespace(x).log(x),)

    def transform(self, parts: Parts, t: list[float]) -> Array:
        (logarithm,) = parts
        row = logarithm * 2.0 ** t[0]
        return array_namespace(row).exp(row)

    def mean_error(self, shape: tuple[int, ...]) -> float:  # noqa: ARG002
        return 15 + 6 * self.sigma * math.log(2.0)
