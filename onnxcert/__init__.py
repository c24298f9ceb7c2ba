"""Certified segmentation of images and point clouds, for any ONNX model, by randomized smoothing.

Fischer, Baader, Vechev: Scalable Certified Segmentation via Randomized Smoothing, ICML 2021.

    import onnxcert as oc
    model = oc.load("model.onnx")
    certificate = oc.certify(model, image, sigma=0.25)
    certificate.labels, certificate.radius, certificate.statement(), certificate.plot()

Each command of the command line is a function of the same name, and its options are keywords. Two
names differ: `certify_many` is the command `certify`, and `redecide` is the command `decide`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from onnxcert._version import __version__
from onnxcert.errors import OnnxcertError

if TYPE_CHECKING:
    from onnxcert.api.certification import certify
    from onnxcert.api.inspection import inspect
    from onnxcert.api.models import load
    from onnxcert.api.plans import plan
    from onnxcert.api.report import report
    from onnxcert.api.runs import certify_many
    from onnxcert.api.stored import diff, merge, pack, redecide, verify
    from onnxcert.api.studies import study
    from onnxcert.api.wrapped import wrap
    from onnxcert.data.points import PointCloud
    from onnxcert.model.segmenter import OnnxSegmenter
    from onnxcert.perturbation import (
        AxisRotation,
        Blur,
        Brightness,
        Contrast,
        Exposure,
        Gain,
        Gamma,
        Gaussian,
        OnChannels,
        Rotation,
        Scaling,
        Shift,
        WhiteBalance,
    )
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
    "Blur",
    "Brightness",
    "Budget",
    "Certificate",
    "Contrast",
    "Exposure",
    "Gain",
    "Gamma",
    "Gaussian",
    "OnChannels",
    "OnnxSegmenter",
    "OnnxcertError",
    "PointCloud",
    "ResultStore",
    "Rotation",
    "Rule",
    "Scaling",
    "Schedule",
    "Shift",
    "Stopping",
    "Tally",
    "WhiteBalance",
    "__version__",
    "certify",
    "certify_many",
    "decide",
    "diff",
    "explain_abstention",
    "inspect",
    "load",
    "merge",
    "pack",
    "plan",
    "redecide",
    "report",
    "study",
    "verify",
    "wrap",
]

# Imported on first use, so that `import onnxcert` loads neither ONNX Runtime nor HDF5.
_HOMES = {
    "ABSTAIN": "onnxcert.statistics.certificate",
    "AxisRotation": "onnxcert.perturbation",
    "Blur": "onnxcert.perturbation",
    "Brightness": "onnxcert.perturbation",
    "Budget": "onnxcert.statistics.rule",
    "Certificate": "onnxcert.statistics.certificate",
    "Contrast": "onnxcert.perturbation",
    "Exposure": "onnxcert.perturbation",
    "Gain": "onnxcert.perturbation",
    "Gamma": "onnxcert.perturbation",
    "Gaussian": "onnxcert.perturbation",
    "OnChannels": "onnxcert.perturbation",
    "OnnxSegmenter": "onnxcert.model.segmenter",
    "PointCloud": "onnxcert.data.points",
    "ResultStore": "onnxcert.results",
    "Rotation": "onnxcert.perturbation",
    "Rule": "onnxcert.statistics.rule",
    "Scaling": "onnxcert.perturbation",
    "Schedule": "onnxcert.statistics.rule",
    "Shift": "onnxcert.perturbation",
    "Stopping": "onnxcert.statistics.stopping",
    "Tally": "onnxcert.sampling.tally",
    "WhiteBalance": "onnxcert.perturbation",
    "certify": "onnxcert.api.certification",
    "certify_many": "onnxcert.api.runs",
    "decide": "onnxcert.statistics",
    "diff": "onnxcert.api.stored",
    "explain_abstention": "onnxcert.planning.abstention",
    "inspect": "onnxcert.api.inspection",
    "load": "onnxcert.api.models",
    "merge": "onnxcert.api.stored",
    "pack": "onnxcert.api.stored",
    "plan": "onnxcert.api.plans",
    "redecide": "onnxcert.api.stored",
    "report": "onnxcert.report",  # the package, which can be called
    "study": "onnxcert.api.studies",
    "verify": "onnxcert.api.stored",
    "wrap": "onnxcert.api.wrapped",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES[name])
    value = home if _HOMES[name] == f"{__name__}.{name}" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
