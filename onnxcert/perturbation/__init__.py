"""Perturbations: the noise and the radius it certifies, one class or one group of classes a file.

Add a new perturbation as one file here and one line in `PLAIN`. `PERTURBATIONS` also has the
wrapper `OnChannels`.
"""

from typing import Final

from onnxcert._typing import Perturbation
from onnxcert.perturbation.blur import Blur
from onnxcert.perturbation.exposure import Exposure
from onnxcert.perturbation.gaussian import Gaussian
from onnxcert.perturbation.on_channels import PLAIN, OnChannels
from onnxcert.perturbation.placing import Scaling, Shift
from onnxcert.perturbation.rotation import AxisRotation, Rotation
from onnxcert.perturbation.tone import Brightness, Contrast, Gain, Gamma, WhiteBalance

PERTURBATIONS: Final[dict[str, type[Perturbation]]] = {**PLAIN, OnChannels.name: OnChannels}

__all__ = [
    "PERTURBATIONS",
    "PLAIN",
    "AxisRotation",
    "Blur",
    "Brightness",
    "Contrast",
    "Exposure",
    "Gain",
    "Gamma",
    "Gaussian",
    "OnChannels",
    "Rotation",
    "Scaling",
    "Shift",
    "WhiteBalance",
]
