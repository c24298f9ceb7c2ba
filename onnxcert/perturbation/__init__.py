"""Perturbations: the noise and the radius it certifies, one class a file.

Add a new perturbation as one file here and one line in `PLAIN`. `PERTURBATIONS` also has the
wrapper `OnChannels`.
"""

from typing import Final

from onnxcert._typing import Perturbation
from onnxcert.perturbation.gaussian import Gaussian
from onnxcert.perturbation.on_channels import PLAIN, OnChannels
from onnxcert.perturbation.rotation import AxisRotation, Rotation

PERTURBATIONS: Final[dict[str, type[Perturbation]]] = {**PLAIN, OnChannels.name: OnChannels}

__all__ = [
    "PERTURBATIONS",
    "PLAIN",
    "AxisRotation",
    "Gaussian",
    "OnChannels",
    "Rotation",
]
