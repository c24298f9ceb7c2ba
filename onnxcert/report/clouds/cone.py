"""The rotations that a certificate covers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from onnxcert.errors import ParameterError
from onnxcert.perturbation import rounded_down
from onnxcert.report.clouds.viewpoint import Vector


@final
@dataclass(frozen=True)
class Cone:
    """Rotations about the origin by at most an angle.

    Under all of them a direction sweeps the cone of that half-angle around it; if they share one
    axis, a direction at right angles to it sweeps the sector of that half-angle.

    Attributes:
        angle: the largest one covered, in radians, from 0 to pi.
        whole: whether every rotation is covered.
        axis: the only axis turned about, or None for any.

    Raises:
        ParameterError: the angle is no angle of a rotation.
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
        """The angle in words, rounded down."""
        return "180°" if self.whole else f"{rounded_down(math.degrees(self.angle))}°"

    def said(self) -> str:
        """Which rotations these are."""
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
