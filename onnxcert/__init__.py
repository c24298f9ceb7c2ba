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
    from onnxcert.certification import certify
    from onnxcert.decision import decide
    from onnxcert.decision.stopping import Stopping
    from onnxcert.inputs.clouds import PointCloud
    from onnxcert.model.segmenter import OnnxSegmenter
    from onnxcert.perturbation import AxisRotation, Gaussian, OnChannels, Rotation
    from onnxcert.result import ABSTAIN, Certificate, Tally
    from onnxcert.rule import Budget, Rule, Schedule
    from onnxcert.store import ResultStore

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
]

# Imported on first use, so that `import onnxcert` loads neither ONNX Runtime nor HDF5.
_HOMES = {
    "ABSTAIN": "onnxcert.result",
    "AxisRotation": "onnxcert.perturbation",
    "Budget": "onnxcert.rule",
    "Certificate": "onnxcert.result",
    "Gaussian": "onnxcert.perturbation",
    "OnChannels": "onnxcert.perturbation",
    "OnnxSegmenter": "onnxcert.model.segmenter",
    "PointCloud": "onnxcert.inputs.clouds",
    "ResultStore": "onnxcert.store",
    "Rotation": "onnxcert.perturbation",
    "Rule": "onnxcert.rule",
    "Schedule": "onnxcert.rule",
    "Stopping": "onnxcert.decision.stopping",
    "Tally": "onnxcert.result",
    "certify": "onnxcert.certification",
    "decide": "onnxcert.decision",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
