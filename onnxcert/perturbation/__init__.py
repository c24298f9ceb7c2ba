"""Perturbations: the noise and the radius it certifies, one final class a file.

A new one is one file here and one line in `PERTURBATIONS`.
"""

from typing import Final

from onnxcert._typing import Perturbation
from onnxcert.perturbation.gaussian import Gaussian, rounded_down

PERTURBATIONS: Final[dict[str, type[Perturbation]]] = {p.name: p for p in (Gaussian,)}

__all__ = ["PERTURBATIONS", "Gaussian", "rounded_down"]
