"""Random 3-D rotations of points; they certify rotations by angles up to a radius."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np

from onnxcert._typing import Array, FloatArray, Noise
from onnxcert.errors import ParameterError
from onnxcert.perturbation.rotation_radius import classical_radius, exact_radius
from onnxcert.perturbation.turning import (
    Cloud,
    Vectors,
    check_parameters,
    check_points,
    exponential,
    prepare_cloud,
    rotation_law_error,
    turn,
)
from onnxcert.sampling.backend import Backend

_AXES = ("x", "y", "z")
_CLASSICAL = "min(pi, {sigma} * Phi^-1({tau}))"


class _RandomRotation(ABC):
    """Rotation of the first `vectors` triples of channels by exp([v]x) for a random v."""

    unit: ClassVar[str] = "radians"
    sigma: float
    vectors: int

    @abstractmethod
    def _draw(self, noise: Noise) -> Vectors:
        """Draw one v per draw; float64 [draws, 3]."""

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError unless `x` is [c, N] with the channels to rotate."""
        check_points(x, self.vectors)

    def law_error(self, shape: tuple[int, ...]) -> float:
        """Return `onnxcert.perturbation.turning.rotation_law_error`."""
        return rotation_law_error(self.sigma, 3 * self.vectors * math.prod(shape[1:]))

    def prepare(self, x: Array, backend: Backend) -> Cloud:  # noqa: ARG002 - as on every one
        return prepare_cloud(x, self.vectors)

    def perturb(self, x: Array | Cloud, noise: Noise, out: Array) -> None:
        """Write x, rotated by an independent rotation, into each row of `out`."""
        turn(x, exponential(self._draw(noise)), noise.offsets(), self.vectors, out)


@final
@dataclass(frozen=True)
class Rotation(_RandomRotation):
    """Rotation of x about its origin by exp([v]x), v ~ N(0, sigma^2 I_3).

    If P(f_i = c) > tau >= 1/2, the class c keeps the majority when x has first been rotated about
    any axis by an angle of at most `radius(tau)` (docs/rotation.md).

    Args:
        sigma: standard deviation of each component of v, in radians.
        vectors: 1 rotates the first three channels, 2 the first and second three together.
        form: of the radius; ``exact`` (Neyman-Pearson, never below the other) or ``classical``
            (sigma * Phi^-1(tau), Fischer, Baader, Vechev 2021).

    Raises:
        ParameterError: a parameter is out of range.
    """

    name: ClassVar[str] = "rotation"
    norm: ClassVar[str] = "angle"
    sigma: float
    vectors: int = 1
    form: Literal["exact", "classical"] = "exact"

    def __post_init__(self) -> None:
        check_parameters(self.sigma, self.vectors, 1.0)
        if self.form not in ("exact", "classical"):
            raise ParameterError(
                f"the form of the radius must be exact or classical, got {self.form!r}."
            )

    @property
    def formula(self) -> str:
        return "NP({sigma}, {tau})" if self.form == "exact" else _CLASSICAL

    def parameters(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "vectors": self.vectors, "form": self.form}

    def radius(self, tau: float) -> float:
        """Return the certified angle in radians, at most pi, rounded down; tau in [1/2, 1)."""
        return (exact_radius if self.form == "exact" else classical_radius)(self.sigma, tau)

    def _draw(self, noise: Noise) -> Vectors:
        return self.sigma * noise.normals(3)


@final
@dataclass(frozen=True)
class AxisRotation(_RandomRotation):
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

    >>> round(AxisRotation(0.25, "z").radius(0.75), 4)
    0.1686
    """

    name: ClassVar[str] = "axis-rotation"
    norm: ClassVar[str] = "angle about an axis"
    formula: ClassVar[str] = _CLASSICAL
    sigma: float
    axis: Literal["x", "y", "z"]
    vectors: int = 1

    def __post_init__(self) -> None:
        check_parameters(self.sigma, self.vectors, 100.0)
        if self.axis not in _AXES:
            raise ParameterError(f"the axis of a rotation must be x, y or z, got {self.axis!r}.")

    def parameters(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "axis": self.axis, "vectors": self.vectors}

    def radius(self, tau: float) -> float:
        """Return sigma * Phi^-1(tau), at most pi, in radians, rounded down; tau in [1/2, 1)."""
        return classical_radius(self.sigma, tau)

    def _draw(self, noise: Noise) -> Vectors:
        v = np.zeros((len(noise), 3))
        v[:, _AXES.index(self.axis)] = self.sigma * noise.normals(1)[:, 0]
        return v
