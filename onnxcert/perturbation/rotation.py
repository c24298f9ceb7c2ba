"""Random 3-D rotation about the origin; certifies rotations by angles up to a radius."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from onnxcert._typing import Array, FloatArray, Noise
from onnxcert.errors import ParameterError
from onnxcert.perturbation.rotation_radius import classical_radius, exact_radius
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

_LARGEST_SIGMA = 1.0


@final
@dataclass(frozen=True)
class Rotation:
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
    sigma: float
    vectors: int = 1
    form: Literal["exact", "classical"] = "exact"

    def __post_init__(self) -> None:
        check_parameters(self.sigma, self.vectors, _LARGEST_SIGMA)
        if self.form not in ("exact", "classical"):
            raise ParameterError(
                f"the form of the radius must be exact or classical, got {self.form!r}."
            )

    def parameters(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "vectors": self.vectors, "form": self.form}

    def describe(self) -> str:
        return f"{self.name} sigma {self.sigma!r} rad of {TURNED[self.vectors]}"

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
        """Write x, rotated by an independent rotation, into each row of `out`."""
        matrices = exponential(self.sigma * noise.normals(3))
        turn(x, matrices, noise.offsets(), self.vectors, out)

    def radius(self, tau: float) -> float:
        """Return the certified angle in radians, at most pi, rounded down; tau in [1/2, 1)."""
        return (exact_radius if self.form == "exact" else classical_radius)(self.sigma, tau)

    def formula(self, tau: float | None = None) -> str:
        """Return the formula of the radius, in symbols, or in numbers for one tau."""
        if self.form == "classical":
            if tau is None:
                return "min(pi, sigma * Phi^-1(tau))"
            return f"min(pi, {self.sigma!r} * Phi^-1({tau!r}))"
        if tau is None:
            return "the Neyman-Pearson radius NP(sigma, tau) of rotations"
        return f"NP({self.sigma!r}, {tau!r})"

    def format_radius(self, radius: float) -> str:
        return format_angle(radius, "every rotation")

    def attack(self, size: str, unit: str, of: str = "") -> str:
        return (
            f"every rotation of {of or TURNED[self.vectors]} about the origin of the input's frame "
            f"({unit}), around any axis, by a geodesic angle of at most {size}"
        )
