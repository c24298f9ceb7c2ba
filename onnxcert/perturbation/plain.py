"""The perturbations that do not wrap another one. Add a new perturbation as one line here."""

from __future__ import annotations

from typing import Final

from onnxcert._typing import Perturbation
from onnxcert.perturbation.axis_rotation import AxisRotation
from onnxcert.perturbation.gaussian import Gaussian
from onnxcert.perturbation.rotation import Rotation

PLAIN: Final[dict[str, type[Perturbation]]] = {
    p.name: p for p in (Gaussian, Rotation, AxisRotation)
}
