"""Certified segmentation of images and point clouds, for any ONNX model, by randomized smoothing.

Fischer, Baader, Vechev: Scalable Certified Segmentation via Randomized Smoothing, ICML 2021.

    import onnxcert
    certificate = onnxcert.certify("model.onnx", pixels, onnxcert.Gaussian(0.25))
    certificate.labels, certificate.radius, certificate.statement()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from onnxcert._version import __version__
from onnxcert.errors import OnnxcertError

if TYPE_CHECKING:
    from onnxcert.api import certify
    from onnxcert.data.points import PointCloud
    from onnxcert.model.segmenter import OnnxSegmenter
    from onnxcert.perturbation import AxisRotation, Gaussian, OnChannels, Rotation
    from onnxcert.planning.abstention import explain_abstention
    from onnxcert.results import ResultStore
    from onnxcert.sampling.tally import Tally
    from onnxcert.statistics import decide
    from onnxcert.statistics.certificate import ABSTAIN, Certificate
    from onnxcert.statistics.rule import Budget, Rule, Schedule
    from onnxcert.statistics.stopping import Stopping

__all__ = [
    "ABSTAIN",
    "AxisRotation",
    "Budget",
    "Certificate",
    "Gaussian",
    "OnChannels",
    "OnnxSegmenter",
    "OnnxcertError",
    "PointCloud",
    "ResultStore",
    "Rotation",
    "Rule",
    "Schedule",
    "Stopping",
    "Tally",
    "__version__",
    "certify",
    "decide",
    "explain_abstention",
]

# Imported on first use, so that `import onnxcert` loads neither ONNX Runtime nor HDF5.
_HOMES = {
    "ABSTAIN": "onnxcert.statistics.certificate",
    "AxisRotation": "onnxcert.perturbation",
    "Budget": "onnxcert.statistics.rule",
    "Certificate": "onnxcert.statistics.certificate",
    "Gaussian": "onnxcert.perturbation",
    "OnChannels": "onnxcert.perturbation",
    "OnnxSegmenter": "onnxcert.model.segmenter",
    "PointCloud": "onnxcert.data.points",
    "ResultStore": "onnxcert.results",
    "Rotation": "onnxcert.perturbation",
    "Rule": "onnxcert.statistics.rule",
    "Schedule": "onnxcert.statistics.rule",
    "Stopping": "onnxcert.statistics.stopping",
    "Tally": "onnxcert.sampling.tally",
    "certify": "onnxcert.api",
    "decide": "onnxcert.statistics",
    "explain_abstention": "onnxcert.planning.abstention",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
