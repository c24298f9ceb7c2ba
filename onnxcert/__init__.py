"""Certified segmentation for any ONNX model, by randomized smoothing.

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
    from onnxcert.model.segmenter import OnnxSegmenter
    from onnxcert.perturbation import Gaussian
    from onnxcert.result import ABSTAIN, Certificate, Tally
    from onnxcert.rule import Budget, Rule, Schedule
    from onnxcert.store import ResultStore

__all__ = [
    "ABSTAIN",
    "Budget",
    "Certificate",
    "Gaussian",
    "OnnxSegmenter",
    "OnnxcertError",
    "ResultStore",
    "Rule",
    "Schedule",
    "Stopping",
    "Tally",
    "__version__",
    "certify",
    "decide",
]

# Loaded when first used: `import onnxcert` starts neither ONNX Runtime nor HDF5.
_HOMES = {
    "ABSTAIN": "onnxcert.result",
    "Budget": "onnxcert.rule",
    "Certificate": "onnxcert.result",
    "Gaussian": "onnxcert.perturbation",
    "OnnxSegmenter": "onnxcert.model.segmenter",
    "ResultStore": "onnxcert.store",
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
