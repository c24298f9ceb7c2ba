"""Set of rotations that a certificate covers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from onnxcert.errors import ParameterError
from onnxcert.report.figures.points.viewpoint import Vector
from onnxcert.statistics.guarantee import round_down


@final
@dataclass(frozen=True)
class Cone:
    """Rotations about the origin by at most `angle`.

    Under them, a direction sweeps a cone of this half-angle around it. If the axis is fixed, a
    direction perpendicular to it sweeps a sector of this half-angle.

    Attributes:
        angle: largest angle covered, in radians, from 0 to pi.
        whole: whether every rotation is covered.
        axis: the only rotation axis, or None for any axis.

    Raises:
        ParameterError: the angle is not in [0, pi].
    """

    angle: float
    whole: bool
    axis: Vector | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.angle <= math.pi * (1 + 1e-9):
            raise ParameterError(
                f"expected the angle of a rotation, 0 to pi in radians, got {self.angle}; pass "
                "the certified radius."
            )

    @property
    def degrees(self) -> str:
        """Angle as text, rounded down."""
        return "180°" if self.whole else f"{round_down(math.degrees(self.angle))}°"

    def describe(self) -> str:
        """Return a phrase that names the rotations."""
        about = "any axis"
        if self.axis is not None:
            named = {(1.0, 0.0, 0.0): "x", (0.0, 1.0, 0.0): "y", (0.0, 0.0, 1.0): "z"}
            numbers = ", ".join(f"{value:.3g}" for value in self.axis)
            about = (
                f"the {named[self.axis]} axis" if self.axis in named else f"the axis ({numbers})"
            )
        if self.whole:
            return f"every rotation about {about}"
        return f"rotations by at most {self.degrees} about {about}"
