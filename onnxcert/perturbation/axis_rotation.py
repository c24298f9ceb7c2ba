"""Rotation about one fixed axis by a random angle; certifies angles up to a radius."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np

from onnxcert._typing import Array, FloatArray, Noise
from onnxcert.errors import ParameterError
from onnxcert.perturbation.rotation_radius import classical_radius
from onnxcert.perturbation.turning import (
    TURNED,
    Cloud,
    check_parameters,
    check_points,
    exponential,
    format_angle,
    prepare_cloud,
    rotation_law_error,
    turn,
)
from onnxcert.sampling.backend import Backend

_AXES = ("x", "y", "z")
_LARGEST_SIGMA = 100.0


@final
@dataclass(frozen=True)
class AxisRotation:
    """Rotation of x about one axis through its origin by an angle t ~ N(0, sigma^2).

    A rotation by t and then by s is one by t + s, so the angles add like Gaussian noise on a line.
    If P(f_i = c) > tau >= 1/2, the class c keeps the majority when x has first been rotated about
    the same axis by any angle s with |s| <= sigma * Phi^-1(tau). A radius of pi covers every angle.
    Rotations about other axes are not covered; see `Rotation`.

    Args:
        sigma: standard deviation of the angle in radians.
        axis: ``x``, ``y`` or ``z``.
        vectors: 1 rotates the first three channels, 2 the first and second three together.

    Raises:
        ParameterError: a parameter is out of range.

    >>> AxisRotation(0.25, "z").format_radius(AxisRotation(0.25, "z").radius(0.75))
    '0.1686 rad (9.661 degrees)'
    """

    name: ClassVar[str] = "axis-rotation"
    sigma: float
    axis: Literal["x", "y", "z"]
    vectors: int = 1

    def __post_init__(self) -> None:
        check_parameters(self.sigma, self.vectors, _LARGEST_SIGMA)
        if self.axis not in _AXES:
            raise ParameterError(f"the axis of a rotation must be x, y or z, got {self.axis!r}.")

    def parameters(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "axis": self.axis, "vectors": self.vectors}

    def describe(self) -> str:
        return f"{self.name} sigma {self.sigma!r} rad about {self.axis} of {TURNED[self.vectors]}"

    def unit(self, of_input: str) -> str:  # noqa: ARG002
        return "radians"

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError unless `x` is [c, N] with the channels to rotate."""
        check_points(x, self.vectors)

    def law_error(self, shape: tuple[int, ...]) -> float:
        """Return `onnxcert.perturbation.turning.rotation_law_error`."""
        return rotation_law_error(self.sigma, 3 * self.vectors * math.prod(shape[1:]))

    def prepare(self, x: Array, backend: Backend) -> Cloud:  # noqa: ARG002 - as on every one
        return prepare_cloud(x, self.vectors)

    def perturb(self, x: Array | Cloud, noise: Noise, out: Array) -> None:
        """Write x, rotated by an independent angle, into each row of `out`."""
        v = np.zeros((len(noise), 3))
        v[:, _AXES.index(self.axis)] = self.sigma * noise.normals(1)[:, 0]
        matrices = exponential(v)
        turn(x, matrices, noise.offsets(), self.vectors, out)

    def radius(self, tau: float) -> float:
        """Return sigma * Phi^-1(tau), at most pi, in radians, rounded down; tau in [1/2, 1)."""
        return classical_radius(self.sigma, tau)

    def formula(self, tau: float | None = None) -> str:
        """Return the formula of the radius, in symbols, or in numbers for one tau."""
        if tau is None:
            return "min(pi, sigma * Phi^-1(tau))"
        return f"min(pi, {self.sigma!r} * Phi^-1({tau!r}))"

    def format_radius(self, radius: float) -> str:
        return format_angle(radius, "every angle")

    def attack(self, size: str, unit: str, of: str = "") -> str:
        return (
            f"every rotation of {of or TURNED[self.vectors]} about the {self.axis} axis through "
            f"the origin of the input's frame ({unit}), by an angle of at most {size}"
        )
