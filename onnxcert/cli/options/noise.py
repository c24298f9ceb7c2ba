"""Options that set the noise, and with it the attack that is certified against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from onnxcert.cli.options.base import NOISE, option
from onnxcert.cli.options.names import PERTURBATIONS

if TYPE_CHECKING:
    pass

LONGEST: Final = 60  # characters of the name of the channels in `OnChannels`
COORDINATES: Final = "coordinates"
WITH_NORMALS: Final = "coordinates+normals"
ROTATION: Final = "rotation"


@dataclass(frozen=True)
class NoiseOptions:
    """With the model, these options define the noise."""

    title: ClassVar = NOISE

    perturbation: str = option(
        "Noise and attack: gaussian (added to pixels or coordinates) or rotation (of a shape about "
        "any axis).",
        "NAME",
        "gaussian",
        choices=PERTURBATIONS,
    )
    sigma: float | None = option(
        "Standard deviation of the noise: for pixels in [0, 1], for coordinates in the model's "
        "frame, for rotations in radians. Default: the training noise stored in the model.",
    )
    on: str | None = option(
        "Target of Gaussian noise: coordinates (default for points), coordinates+normals, channels "
        "FIRST:END, or band names such as red,nir (default for images: all bands).",
        "WHAT",
    )
    axis: str | None = option(
        "Rotate only about this axis. Default: any axis.", "x|y|z", choices=("x", "y", "z")
    )
    radius: str | None = option(
        "Radius of a rotation: exact (default), or classical (the published sigma * Phi^-1(tau)).",
        "exact|classical",
        choices=("exact", "classical"),
    )
