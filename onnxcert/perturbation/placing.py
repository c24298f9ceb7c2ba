"""Changes of the coordinates of a point cloud: scaling and shift (docs/semantic.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from array_api_compat import array_namespace

from onnxcert._typing import Array
from onnxcert.perturbation.semantic import (
    LARGEST_COORDINATE,
    MOST_STOPS,
    CloudChange,
    Parts,
    error_of_factor,
)


@final
@dataclass(frozen=True)
class Scaling(CloudChange):
    """Coordinates times 2^t about the origin, t ~ N(0, sigma^2); certifies factors 2^d.

    Args:
        sigma: standard deviation of the logarithm (base 2) of the factor.

    Raises:
        ParameterError: sigma is out of range.
    """

    name: ClassVar[str] = "scaling"
    norm: ClassVar[str] = "scaling"
    unit: ClassVar[str] = "log2(factor)"
    largest: ClassVar[float] = MOST_STOPS
    usual: ClassVar[float] = 0.25
    sigma: float

    def split(self, x: Array) -> Parts:
        return (x,)

    def transform(self, parts: Parts, t: list[float]) -> Array:
        return parts[0] * 2.0 ** t[0]

    def mean_error(self, shape: tuple[int, ...]) -> float:  # noqa: ARG002
        return LARGEST_COORDINATE * error_of_factor(self.sigma)


@final
@dataclass(frozen=True)
class Shift(CloudChange):
    """All points moved by one vector t ~ N(0, sigma^2 I_3); certifies an L2 ball of vectors.

    Args:
        sigma: standard deviation of each component, in the unit of the coordinates.

    Raises:
        ParameterError: sigma is out of range.
    """

    name: ClassVar[str] = "shift"
    norm: ClassVar[str] = "shift"
    unit: ClassVar[str] = ""
    largest: ClassVar[float] = LARGEST_COORDINATE
    usual: ClassVar[float] = 0.1
    parameter_count: ClassVar[int] = 3
    sigma: float

    def split(self, x: Array) -> Parts:
        return (x,)

    def transform(self, parts: Parts, t: list[float]) -> Array:
        (x,) = parts
        xp = array_namespace(x)
        return x + xp.asarray([[component] for component in t], dtype=x.dtype)

    def mean_error(self, shape: tuple[int, ...]) -> float:  # noqa: ARG002
        return 2200 + 16 * self.sigma
